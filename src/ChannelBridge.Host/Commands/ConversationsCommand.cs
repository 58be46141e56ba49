using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge conversations</c>: who has written, and how <c>send</c> names them.</summary>
internal static class ConversationsCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string?> Account = new("--account") { Description = "Only this account", HelpName = "ID" };
    private static readonly Option<int> Limit =
        new("--limit") { Description = "At most this many, 1 to 1000", DefaultValueFactory = _ => 100, HelpName = "N" };
    private static readonly Option<string?> Cursor = new("--cursor")
    {
        Description = "Continue after the page before, which shows the "
        + "cursor",
        HelpName = "CURSOR"
    };
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("conversations", "Lists the conversations that have written to the host, as send --to takes them.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Account, Limit, Cursor, Json }) command.Options.Add(option);
        Limit.Validators.Add(result =>
        {
            if (result.GetValue(Limit) is < 1 or > 1000) result.AddError("--limit must be 1 to 1000");
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject { ["limit"] = parsed.GetValue(Limit) };
        if (parsed.GetValue(Account) is { } account) parameters["accountId"] = account;
        if (parsed.GetValue(Cursor) is { } cursor) parameters["cursor"] = cursor;
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            var answer = await client.CallAsync(
                "bncr.conversations", JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject),
                    cancellationToken).ConfigureAwait(false);
            var page = JsonNode.Parse(answer.Span)!.AsObject();
            if (parsed.GetValue(Json)) Console.WriteLine(
                page.ToJsonString(CommandJson.Indented));
            else Write(page);
            return ExitCodes.Ok;
        }
    }

    private static void Write(JsonObject page)
    {
        var entries = page["entries"]!.AsArray().OfType<JsonObject>().ToList();
        if (entries.Count == 0)
        {
            Console.WriteLine("no conversation has written yet");
            return;
        }

        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var table = Tables.New("!account", "!target", "last wrote, to the hour");
        foreach (var entry in entries)
        {
            table.AddRow(
                Markup.Escape(PlainText.Line((string?)entry["accountId"] ?? "")),
                    Markup.Escape(PlainText.Line((string?)entry["target"] ?? "")), Units.Ago(now - (long?)entry["updatedAt"]));
        }

        Tables.Output().Write(table);
        if ((string?)page["nextCursor"] is { } next) Console.WriteLine($"there are more: --cursor '{PlainText.Line(next)}'");
    }
}
