using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge diagnostics</c>: the method of the same name, as tables or as JSON.</summary>
internal static class DiagnosticsCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(2);
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Ask again every 2 s until Ctrl+C" };
    private static readonly Option<string?> Section = new("--section") { Description = "Only this section, e.g. channels", HelpName = "NAME" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("diagnostics", "Shows what goes on in a running host: health, accounts, backlog, connections.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Json, Watch, Section }) command.Options.Add(option);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject();
        if (parsed.GetValue(Section) is { } section) parameters["section"] = section;
        var body = JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject);
        var asJson = parsed.GetValue(Json);
        var watch = parsed.GetValue(Watch);
        // A pipe gets plain text, and a width that cuts no table.
        var console = Console.IsOutputRedirected
            ? AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(Console.Out) })
            : AnsiConsole.Console;
        if (Console.IsOutputRedirected) console.Profile.Width = 200;
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            while (true)
            {
                var answer = await client.CallAsync("diagnostics", body, cancellationToken).ConfigureAwait(false);
                var sections = JsonNode.Parse(answer.Span)!.AsObject();
                if (asJson)
                {
                    Console.WriteLine(sections.ToJsonString(new JsonSerializerOptions { WriteIndented = !watch, TypeInfoResolver = CommandJson.Default }));
                }
                else
                {
                    if (watch && !Console.IsOutputRedirected) AnsiConsole.Clear();
                    DiagnosticsView.Write(console, sections);
                }

                if (!watch) return ExitCodes.Ok;
                await Task.Delay(WatchInterval, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
