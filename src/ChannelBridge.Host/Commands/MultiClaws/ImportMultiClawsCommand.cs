using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands.MultiClaws;

/// <summary><c>channelbridge import multiclaws</c>: takes over what the plugin MultiClaws has kept, through a running host.</summary>
internal static class ImportMultiClawsCommand
{
    /// <summary>The plugin's files, the list in each, and what a record of it is. The profile is a record itself.</summary>
    private static readonly (string File, string? List, string Kind)[] Kept =
    [
        ("profile.json", null, "profile"), ("agents.json", "agents", "agent"), ("teams.json", "teams", "team"), ("sessions.json", "sessions", "session"),
        ("tasks.json", "tasks", "task"),
    ];

    private static readonly Argument<DirectoryInfo> Folder = new("DIR") { Description = "The plugin's folder, e.g. ~/.openclaw/multiclaws", HelpName = "DIR" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var command = new Command("multiclaws",
            "Takes over sessions, agents, tasks, teams and the profile of the plugin MultiClaws. The host runs; repeating it is safe.");
        command.Arguments.Add(Folder);
        connection.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var folder = parsed.GetValue(Folder)!;
            if (!folder.Exists)
            {
                await Console.Error.WriteLineAsync($"error: the folder {folder.FullName} does not exist").ConfigureAwait(false);
                return ExitCodes.Usage;
            }

            var client = new ChannelBridgeClient(connection.Read(parsed, preferSocket: true));
            await using (client.ConfigureAwait(false))
            {
                await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
                foreach (var (file, list, kind) in Kept) await TakeAsync(client, Path.Combine(folder.FullName, file), list, kind, cancellationToken).ConfigureAwait(false);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task TakeAsync(ChannelBridgeClient client, string file, string? list, string kind, CancellationToken cancellationToken)
    {
        if (!File.Exists(file)) return;
        JsonNode? content;
        try
        {
            content = JsonNode.Parse(await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception fault) when (fault is JsonException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"skipped: {file} can't be read: {fault.Message}").ConfigureAwait(false);
            return;
        }

        // Some versions keep a list, others a map by id.
        IEnumerable<JsonNode?> items = list is null ? [content] : (content as JsonObject)?[list] switch
        {
            JsonArray several => several,
            JsonObject byId => byId.Select(static one => one.Value),
            _ => [],
        };
        var (taken, known) = (0, 0);
        foreach (var item in items)
        {
            var parameters = new JsonObject { ["kind"] = kind, ["item"] = item?.DeepClone() };
            try
            {
                var answer = await client.CallAsync("multiclaws.import", JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken)
                    .ConfigureAwait(false);
                var result = JsonNode.Parse(answer.Span)!;
                if ((bool)result["taken"]!) taken++;
                else if ((string?)result["reason"] is { } reason && !reason.Contains("already", StringComparison.Ordinal)) await TellAsync(kind, reason).ConfigureAwait(false);
                else known++;
            }
            catch (ChannelBridgeClientException fault) when (fault.Code == "INVALID_REQUEST")
            {
                await TellAsync(kind, fault.Message).ConfigureAwait(false);
            }
        }

        Console.WriteLine($"{kind}: took over {taken}{(known > 0 ? $", {known} were here already" : "")}");
    }

    private static Task TellAsync(string kind, string why) => Console.Error.WriteLineAsync(PlainText.Clean($"skipped ({kind}): {why}"));
}
