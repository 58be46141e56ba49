using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands.MultiClaws;

/// <summary><c>channelbridge sessions</c>: conversations of this host with agents of others.</summary>
internal static class SessionsCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "The session's id" };
    private static readonly Argument<string[]> Ids = new("IDS") { Description = "The sessions' ids", Arity = ArgumentArity.OneOrMore };
    private static readonly Argument<string> Address = new("URL") { Description = "The agent's address, as 'agents list' has it" };
    private static readonly Argument<string[]> Words = new("MESSAGE") { Description = "What to say", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<int?> Limit = new("--limit") { Description = "The last changed so many, 1 to 1000 [default: 50]", HelpName = "N" };
    private static readonly Option<string?> Timeout = new("--timeout") { Description = "How long, e.g. 90s, 10m", HelpName = "TIME" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("sessions", "Starts, lists, shows, answers, awaits or ends sessions with agents of other hosts.") { List(), Show(), Start(), Reply(), Wait(), End() };

    private static Command List()
    {
        var command = MethodCommand.Make("list", "Lists the sessions, the one that changed last first.", "session.status", static parsed =>
            new JsonObject { ["limit"] = parsed.GetValue(Limit) ?? 50 }, static answer =>
        {
            var table = Tables.New("!session", "status", "agent", "changed", "last said");
            foreach (var session in MethodCommand.Items(answer, "sessions"))
            {
                var last = session["messages"]!.AsArray().LastOrDefault();
                table.AddRow(Cell(session["sessionId"]), Cell(session["status"]), Cell(session["agentName"]), MethodCommand.Time(session["updatedAtMs"]),
                    Markup.Escape(PlainText.Clean(AgentsCommand.FirstWords((string?)session["error"] ?? (string?)last?["content"]))));
            }

            Tables.Output().Write(table);
        });
        command.Options.Add(Limit);
        return command;
    }

    private static Command Show()
    {
        var command = MethodCommand.Make("show", "Shows a session with everything that was said in it.", "session.status", Named, static answer =>
        {
            var head = $"{answer["status"]}  {answer["agentName"]}  {answer["agentUrl"]}  since {MethodCommand.Time(answer["createdAtMs"])}";
            Console.WriteLine(PlainText.Clean(head));
            if (answer["error"] is { } error) Console.WriteLine(PlainText.Clean($"error: {error}"));
            foreach (var message in MethodCommand.Items(answer, "messages"))
            {
                Console.WriteLine();
                Console.WriteLine(PlainText.Clean($"{((string?)message["role"] == "user" ? "you" : answer["agentName"])}, {MethodCommand.Time(message["timestampMs"])}:"));
                Console.WriteLine(PlainText.Clean((string?)message["content"] ?? ""));
            }
        });
        command.Arguments.Add(Id);
        return command;
    }

    private static Command Start()
    {
        var command = MethodCommand.Make("start", "Starts a session and prints its id; the answer comes later.", "session.start", static parsed =>
        {
            var parameters = new JsonObject { ["agentUrl"] = parsed.GetValue(Address), ["message"] = string.Join(' ', parsed.GetValue(Words)!) };
            if (parsed.GetValue(Timeout) is { } timeout) parameters["timeoutMs"] = (long)MethodCommand.Duration("--timeout", timeout).TotalMilliseconds;
            return parameters;
        }, static answer => Console.WriteLine(PlainText.Clean((string?)answer["status"] == "failed" ? $"not started: {answer["error"]}" : (string)answer["sessionId"]!)));
        command.Arguments.Add(Address);
        command.Arguments.Add(Words);
        command.Options.Add(Timeout);
        return command;
    }

    private static Command Reply()
    {
        var command = MethodCommand.Make("reply", "Sends a further message in a session.", "session.reply", static parsed =>
        {
            var parameters = Named(parsed);
            parameters["message"] = string.Join(' ', parsed.GetValue(Words)!);
            return parameters;
        }, static answer => Console.WriteLine(PlainText.Clean((string?)answer["status"] == "failed" ? $"not sent: {answer["error"]}" : "sent")));
        command.Arguments.Add(Id);
        command.Arguments.Add(Words);
        return command;
    }

    private static Command Wait()
    {
        var command = MethodCommand.Make("wait", "Waits until all of these have ended, one needs input, or the time is up (5m).", "session.wait_all", static parsed =>
        {
            var parameters = new JsonObject { ["sessionIds"] = new JsonArray([.. parsed.GetValue(Ids)!.Select(static id => (JsonNode?)id)]) };
            if (parsed.GetValue(Timeout) is { } timeout) parameters["timeoutMs"] = (long)MethodCommand.Duration("--timeout", timeout).TotalMilliseconds;
            return parameters;
        }, static answer =>
        {
            foreach (var result in MethodCommand.Items(answer, "results"))
            {
                Console.WriteLine(PlainText.Clean($"{result["sessionId"]}  {result["status"]}  {result["agentName"]}"));
                if ((result["error"] ?? result["lastMessage"]) is { } said) Console.WriteLine(PlainText.Clean((string)said!));
            }

            if ((bool)answer["timedOut"]!) Console.Error.WriteLine("the time is up");
        });
        command.Arguments.Add(Ids);
        command.Options.Add(Timeout);
        return command;
    }

    private static Command End()
    {
        var command = MethodCommand.Make("end", "Ends a session and cancels what its agent does in it.", "session.end", Named,
            static answer => Console.WriteLine((bool)answer["ended"]! ? "ended" : "there is no such session, or it had ended before"));
        command.Arguments.Add(Id);
        return command;
    }

    private static JsonObject Named(ParseResult parsed) => new() { ["sessionId"] = parsed.GetValue(Id) };

    private static string Cell(JsonNode? text) => Markup.Escape(PlainText.Clean((string?)text ?? ""));
}
