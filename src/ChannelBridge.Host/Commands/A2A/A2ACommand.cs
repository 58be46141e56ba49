using System.CommandLine;
using ChannelBridge.A2A;

namespace ChannelBridge.Host.Commands.A2A;

/// <summary><c>channelbridge a2a</c>: speaks to an agent elsewhere by A2A, without a host.</summary>
internal static class A2ACommand
{
    private static readonly PeerOptions Peer = new();
    private static readonly Argument<string> TaskId = new("TASK") { Description = "The task's id" };
    private static readonly Argument<string[]> Text = new("TEXT")
    {
        Description = "The message; several words are joined by spaces, - reads standard input",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<bool> Stream = new("--stream") { Description = "Tell what happens while it happens" };
    private static readonly Option<bool> NoWait = new("--no-wait") { Description = "Don't wait for the task's end" };
    private static readonly Option<string?> Context = new("--context") { Description = "The conversation", HelpName = "ID" };
    private static readonly Option<string?> Continued = new("--task")
    {
        Description = "The task that the message continues",
        HelpName = "ID",
    };
    private static readonly Option<string?> MessageId = new("--message-id")
    {
        Description = "The message's id; the same id again is the same message [default: a new one]",
        HelpName = "ID",
    };

    private static readonly Option<string?> Tenant = new("--tenant") { Description = "Which of the server's agents", HelpName = "NAME" };
    private static readonly Option<int?> History = new("--history")
    {
        Description = "At most so many messages of the history",
        HelpName = "N",
    };
    private static readonly Option<string?> Status = new("--status")
    {
        Description = "Only in this state, e.g. completed",
        HelpName = "STATE",
    };
    private static readonly Option<int?> PageSize = new("--page-size") { Description = "How many, 1 to 100", HelpName = "N" };
    private static readonly Option<string?> PageToken = new("--page-token") { Description = "Where to go on", HelpName = "TOKEN" };
    private static readonly Option<bool> Artifacts = new("--artifacts") { Description = "With what the tasks have made" };

    /// <summary>Makes the command.</summary>
    public static Command Create() => new("a2a", "Speaks to an agent elsewhere by A2A, version 0.3 or 1.0.")
    {
        Make("card", "Shows an agent's card.", [], [], CardAsync),
        Make(
            "send",
            "Sends a message and prints what comes of it.",
            [Text],
            [Stream, NoWait, Context, Continued, MessageId, Tenant],
            SendAsync),
        Make("get", "Shows a task.", [TaskId], [History, Tenant], GetAsync),
        Make(
            "list",
            "Lists your tasks, the one that changed last first.",
            [],
            [Context, Status, PageSize, PageToken, Artifacts, Tenant],
            ListAsync),
        Make("cancel", "Cancels a task.", [TaskId], [Tenant], CancelAsync),
    };

    private static Command Make(
        string name,
        string description,
        IEnumerable<Argument> arguments,
        IEnumerable<Option> options,
        Func<ParseResult, PeerSession, CancellationToken, Task<int>> action)
    {
        var command = new Command(name, description);
        Peer.AddTo(command);
        foreach (var argument in arguments) command.Arguments.Add(argument);
        foreach (var option in options) command.Options.Add(option);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                using var session = Peer.Read(parsed);
                return await action(parsed, session, cancellationToken).ConfigureAwait(false);
            }
            catch (A2AException fault)
            {
                await Console.Error.WriteLineAsync($"error: {fault.Message}{Number(fault)}").ConfigureAwait(false);
                return CodeOf(fault);
            }
        });
        return command;
    }

    private static async Task<int> CardAsync(ParseResult parsed, PeerSession session, CancellationToken cancellationToken)
    {
        var card = await session.Client.GetCardAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        session.Print(A2ADialect.V10.Card, card, PeerText.Card);
        return ExitCodes.Ok;
    }

    private static async Task<int> SendAsync(ParseResult parsed, PeerSession session, CancellationToken cancellationToken)
    {
        var words = parsed.GetValue(Text)!;
        var text = words is ["-"]
            ? (await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false)).TrimEnd()
            : string.Join(' ', words);
        var request = new SendRequest
        {
            Tenant = parsed.GetValue(Tenant),
            Configuration = new SendConfiguration { ReturnImmediately = parsed.GetValue(NoWait) },
            Message = new A2AMessage
            {
                MessageId = parsed.GetValue(MessageId) ?? Guid.NewGuid().ToString("N"),
                Role = MessageRole.User,
                ContextId = parsed.GetValue(Context),
                TaskId = parsed.GetValue(Continued),
                Parts = [A2APart.OfText(text)],
            },
        };
        if (parsed.GetValue(NoWait))
        {
            return session.End(await session.Client.SendAsync(request, cancellationToken).ConfigureAwait(false));
        }

        var streams = parsed.GetValue(Stream);
        var result = await session.Client.RunAsync(request, streams ? session.Tell : null, cancellationToken).ConfigureAwait(false);
        return streams ? PeerSession.CodeOf(result) : session.End(result);
    }

    private static async Task<int> GetAsync(ParseResult parsed, PeerSession session, CancellationToken cancellationToken)
    {
        var request = new GetTaskRequest
        {
            Id = parsed.GetValue(TaskId)!,
            HistoryLength = parsed.GetValue(History),
            Tenant = parsed.GetValue(Tenant),
        };
        var task = await session.Client.GetTaskAsync(request, cancellationToken).ConfigureAwait(false);
        session.Print(A2ADialect.V10.Task, task, PeerText.Task);
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(ParseResult parsed, PeerSession session, CancellationToken cancellationToken)
    {
        var state = TaskState.Unspecified;
        if (
            parsed.GetValue(Status) is { } named && !Enum.TryParse(
                named.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out state))
        {
            await Console.Error.WriteLineAsync($"error: there is no task state {named}").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        var request = new ListTasksRequest
        {
            Tenant = parsed.GetValue(Tenant),
            ContextId = parsed.GetValue(Context),
            Status = state,
            PageSize = parsed.GetValue(PageSize),
            PageToken = parsed.GetValue(PageToken),
            IncludeArtifacts = parsed.GetValue(Artifacts) ? true : null,
            HistoryLength = 0,
        };
        var page = await session.Client.ListTasksAsync(request, cancellationToken).ConfigureAwait(false);
        session.Print(A2ADialect.V10.ListResult!, page, PeerText.Page);
        return ExitCodes.Ok;
    }

    private static async Task<int> CancelAsync(ParseResult parsed, PeerSession session, CancellationToken cancellationToken)
    {
        var request = new CancelTaskRequest { Id = parsed.GetValue(TaskId)!, Tenant = parsed.GetValue(Tenant) };
        var task = await session.Client.CancelTaskAsync(request, cancellationToken).ConfigureAwait(false);
        session.Print(A2ADialect.V10.Task, task, PeerText.Task);
        return ExitCodes.Ok;
    }

    private static string Number(A2AException fault) => fault switch
    {
        { Error: { } error } => $" ({error.Code} {error.Reason})",
        { ForeignCode: { } code } => $" ({code})",
        _ => "",
    };

    private static int CodeOf(A2AException fault) => fault.Fault switch
    {
        A2AFault.Unreachable or A2AFault.NoCard or A2AFault.PeerFailed or A2AFault.Resting or A2AFault.StreamBroken =>
            ExitCodes.Unreachable,
        A2AFault.ConnectTimeout or A2AFault.FirstAnswerTimeout or A2AFault.SilenceTimeout or A2AFault.TotalTimeout => ExitCodes.TimedOut,
        _ => ExitCodes.Refused,
    };
}
