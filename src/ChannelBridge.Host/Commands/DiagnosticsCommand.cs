using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge diagnostics</c>: the method of the same name, as tables or as JSON.</summary>
internal static class DiagnosticsCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WatchPatience = TimeSpan.FromSeconds(5);
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Ask again every 2 s until Ctrl+C" };
    private static readonly Option<bool> All = new("--all") { Description = "Every number of every section" };
    private static readonly Option<string?> Section =
        new("--section") { Description = "Every number of this section, e.g. messaging", HelpName = "NAME" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command(
            "diagnostics", "Shows what goes on in a running host: health, agents, accounts, backlog. Ends with 9 when a part of the "
                + "host didn't answer in time, with 1 when one failed.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Json, Watch, All, Section }) command.Options.Add(option);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject();
        if (parsed.GetValue(Section) is { } section) parameters["section"] = section;
        var body = JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject);
        var options = Connection.Read(parsed, preferSocket: true);
        options.MaxReconnectDelay = TimeSpan.FromSeconds(2);
        var client = new ChannelBridgeClient(options);
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(Watch)) return await WatchAsync(client, body, parsed, cancellationToken).ConfigureAwait(false);
            var sections = await AskAsync(client, body, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(Json)) Console.WriteLine(
                sections.ToJsonString(CommandJson.Indented));
            else Write(Tables.Output(), sections, parsed);
            return CodeOf(sections);
        }
    }

    private static int CodeOf(JsonObject sections)
    {
        var problems = DiagnosticsView.Problems(sections).ToArray();
        if (problems.Length == 0) return ExitCodes.Ok;
        return problems.Any(problem => problem.TimedOut) ? ExitCodes.TimedOut : ExitCodes.Fault;
    }

    private static async Task<int> WatchAsync(ChannelBridgeClient client, byte[] body, ParseResult parsed,
        CancellationToken cancellationToken)
    {
        JsonObject? sections = null;
        var seen = Environment.TickCount64;
        while (true)
        {
            var away = "";
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                patience.CancelAfter(WatchPatience);
                sections = await AskAsync(client, body, patience.Token).ConfigureAwait(false);
                seen = Environment.TickCount64;
            }
            catch (Exception fault) when (sections is not null && !cancellationToken.IsCancellationRequested
                && fault is OperationCanceledException or ChannelBridgeClientException { Retryable: true })
            {
                away = $"the host is away for {Units.Duration(TimeSpan.FromMilliseconds(Environment.TickCount64 - seen))}; what follows "
                    + "is of before";
            }

            if (parsed.GetValue(Json))
            {
                if (away.Length > 0) await Console.Error.WriteLineAsync(away).ConfigureAwait(false);
                else Console.WriteLine(sections!.ToJsonString());
            }
            else
            {
                Show(sections!, away, parsed);
            }

            await Task.Delay(WatchInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Draws one screen in place; what doesn't fit is counted, not scrolled.</summary>
    private static void Show(JsonObject sections, string away, ParseResult parsed)
    {
        var clock = $"{DateTimeOffset.UtcNow:HH:mm:ss}Z";
        if (Console.IsOutputRedirected)
        {
            if (away.Length > 0) Console.WriteLine($"{clock} {away}");
            else Write(Tables.Output(), sections, parsed);
            return;
        }

        using var buffer = new StringWriter();
        var console = Tables.Buffer(buffer);
        console.MarkupLine(away.Length > 0 ? $"[bold]{clock}[/] [red]{Markup.Escape(away)}[/]"
            : $"[bold]{clock}[/] [grey]every 2 s; Ctrl+C ends[/]");
        Write(console, sections, parsed);
        var lines = buffer.ToString().TrimEnd().ReplaceLineEndings("\n").Split('\n');
        var rows = Math.Max(5, Console.WindowHeight - 1);
        var shown = lines.Length <= rows ? lines : [.. lines.Take(rows - 1), $"… {lines.Length - rows + 1} more lines; --section NAME "
            + "shows one section"];
        // Home, each line to its end, then whatever stood below.
        Console.Write("\u001b[H" + string.Concat(shown.Select(line => line + "\u001b[0m\u001b[K\n")) + "\u001b[J");
    }

    private static void Write(IAnsiConsole console, JsonObject sections, ParseResult parsed)
    {
        if (parsed.GetValue(Section) is null && !parsed.GetValue(All)) DiagnosticsView.WriteOverview(console, sections);
        else DiagnosticsView.WriteAll(console, sections);
    }

    private static async Task<JsonObject> AskAsync(ChannelBridgeClient client, byte[] body, CancellationToken cancellationToken)
    {
        var answer = await client.CallAsync("diagnostics", body, cancellationToken).ConfigureAwait(false);
        return JsonNode.Parse(answer.Span)!.AsObject();
    }
}
