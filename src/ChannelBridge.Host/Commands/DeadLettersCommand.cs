using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge dead-letters</c>: see, send again or remove what could not be delivered.</summary>
internal static class DeadLettersCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only say what would be done" };
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Don't ask for confirmation; required in scripts" };
    private static readonly Option<string?> Cursor = new("--cursor")
    {
        Description = "Continue after the page before, which shows the "
        + "cursor",
        HelpName = "CURSOR"
    };
    private static readonly Option<bool> NewestFirst = new("--newest-first") { Description = "The newest first instead of the oldest" };
    private static readonly Option<int?> AuditLimit =
        new("--limit") { Description = "How many, the newest first, 1 to 1000 [default: 100]", HelpName = "N" };
    private static readonly Argument<string> Id = new("ID") { Description = "The message's id, as list shows it" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() => new("dead-letters", "Shows, sends again or removes messages that were given up or expired. Who did what is recorded.")
    {
        List(), Show(),
        Change("replay", "Puts dead letters back at the end of their conversations, under the same idempotency keys.", "replayed",
            new DeadLetterOptions(selects: true, mayName: true), destroys: false),
        Change("discard", "Removes dead letters for good.", "removed", new DeadLetterOptions(selects: true, mayName: true), destroys: true),
        Change("prune", "Removes dead letters of a certain age for good.", "removed", new DeadLetterOptions(selects: true, needsAge: true), destroys: true),
        Audit(),
    };

    private static Command List()
    {
        var which = new DeadLetterOptions(selects: false);
        var command = Make("list", "Lists dead letters, a page at a time.");
        which.AddTo(command);
        command.Options.Add(Cursor);
        command.Options.Add(NewestFirst);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, async client =>
        {
            var parameters = which.Read(parsed);
            if (parsed.GetValue(Cursor) is { } cursor) parameters["cursor"] = cursor;
            if (parsed.GetValue(NewestFirst)) parameters["newestFirst"] = true;
            return await ListAsync(client, parameters, parsed.GetValue(Json), cancellationToken).ConfigureAwait(false);
        }, cancellationToken));
        return command;
    }

    /// <summary>
    /// Lists both kinds, unless one was asked for (<c>--inbox</c>) or goes on (<c>--cursor</c>); a wrong account isn't the same as none of
    /// its messages.
    /// </summary>
    private static async Task<int> ListAsync(ChannelBridgeClient client, JsonObject parameters, bool json,
        CancellationToken cancellationToken)
    {
        var one = parameters.ContainsKey("box") || parameters.ContainsKey("cursor") || parameters.ContainsKey("newestFirst");
        var first = await CallAsync(client, "deadLetters.list", parameters, cancellationToken).ConfigureAwait(false);
        JsonObject? second = null;
        if (!one)
        {
            var inbox = (JsonObject)parameters.DeepClone();
            inbox["box"] = "inbox";
            second = await CallAsync(client, "deadLetters.list", inbox, cancellationToken).ConfigureAwait(false);
        }

        if (json)
        {
            if (second is not null)
            {
                foreach (var entry in second["entries"]!.AsArray().ToArray())
                {
                    second["entries"]!.AsArray().Remove(entry);
                    first["entries"]!.AsArray().Add(entry);
                }

                if (second["nextCursor"] is { } next) first["nextInboxCursor"] = next.DeepClone();
            }

            Print(first);
            return ExitCodes.Ok;
        }

        var isInbox = (string?)parameters["box"] == "inbox";
        var any = DeadLettersView.WriteList(first, isInbox ? "messages that no agent answered" : "replies that couldn't be delivered",
            isInbox ? "--inbox" : "");
        if (second is not null) any |= DeadLettersView.WriteList(second, "messages that no agent answered", "--inbox");
        if (any) return ExitCodes.Ok;
        if ((string?)parameters["accountId"] is { } account
            && await UnknownAccountAsync(client, account, cancellationToken).ConfigureAwait(false) is { } known)
        {
            await Console.Error.WriteLineAsync($"error: unknown account '{PlainText.Line(account)}'; accounts: {known}")
                .ConfigureAwait(false);
            return ExitCodes.Refused;
        }

        Console.WriteLine("no dead letters");
        return ExitCodes.Ok;
    }

    /// <summary>The accounts that there are when this one isn't among them; null when it is, or when that can't be found out.</summary>
    private static async Task<string?> UnknownAccountAsync(ChannelBridgeClient client, string account, CancellationToken cancellationToken)
    {
        try
        {
            var sections = await CallAsync(client, "diagnostics", new JsonObject { ["section"] = "channels" },
                cancellationToken).ConfigureAwait(false);
            var names = (sections["channels"] as JsonObject ?? [])
                .SelectMany(channel => channel.Value?["accounts"] as JsonArray ?? [])
                .Select(known => (string?)known?["accountId"] ?? "")
                .ToArray();
            if (names.Length == 0 || names.Contains(account, StringComparer.OrdinalIgnoreCase)) return null;
            return PlainText.Line(string.Join(", ", names.Take(20)) + (names.Length > 20 ? $" and {names.Length - 20} more" : ""));
        }
        catch (ChannelBridgeClientException)
        {
            return null;
        }
    }

    private static Command Show()
    {
        var command = Make("show", "Shows one dead letter: the whole message, its reason and the history of its attempts.");
        command.Arguments.Add(Id);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, async client =>
        {
            var shown = await CallAsync(client, "deadLetters.show", new JsonObject { ["messageId"] = parsed.GetValue(Id) }, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(Json)) Print(shown);
            else DeadLettersView.WriteOne(shown);
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Audit()
    {
        var command = Make("audit", "Shows who replayed or removed which dead letters, newest first; removals by the host's own "
            + "retention are included.");
        command.Options.Add(AuditLimit);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, async client =>
        {
            var parameters = new JsonObject();
            if (parsed.GetValue(AuditLimit) is { } limit) parameters["limit"] = limit;
            var audit = await CallAsync(client, "deadLetters.audit", parameters, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(Json)) Print(audit);
            else DeadLettersView.WriteAudit(audit);
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Change(string name, string description, string done, DeadLetterOptions which, bool destroys)
    {
        var command = Make(name, description);
        which.AddTo(command);
        command.Options.Add(DryRun);
        if (destroys) command.Options.Add(Yes);
        command.SetAction((parsed, cancellationToken) =>
        {
            var dryRun = parsed.GetValue(DryRun);
            var ask = destroys && !dryRun && !parsed.GetValue(Yes);
            if (ask && (Console.IsInputRedirected || Console.IsErrorRedirected))
            {
                Console.Error.WriteLine($"error: {name} removes messages for good and can't ask for confirmation here; nothing was "
                    + "done. Look with --dry-run, then give --yes");
                return Task.FromResult(ExitCodes.Usage);
            }

            return RunAsync(parsed, async client =>
            {
                var method = "deadLetters." + name;
                var parameters = which.Read(parsed);
                if (dryRun || ask)
                {
                    var would = (JsonObject)parameters.DeepClone();
                    would["dryRun"] = true;
                    var preview = await CallAsync(client, method, would, cancellationToken).ConfigureAwait(false);
                    if (dryRun)
                    {
                        if (parsed.GetValue(Json)) Print(preview);
                        else DeadLettersView.WriteChange(preview, done);
                        return ExitCodes.Ok;
                    }

                    var count = (int?)preview["matched"] ?? 0;
                    if (count > 0 && !await ConfirmAsync(count, cancellationToken).ConfigureAwait(false))
                    {
                        await Console.Error.WriteLineAsync("nothing was done").ConfigureAwait(false);
                        return ExitCodes.Ok;
                    }
                }

                var result = await CallAsync(client, method, parameters, cancellationToken).ConfigureAwait(false);
                if (parsed.GetValue(Json)) Print(result);
                else DeadLettersView.WriteChange(result, done);
                return ExitCodes.Ok;
            }, cancellationToken);
        });
        return command;
    }

    private static Command Make(string name, string description)
    {
        var command = new Command(name, description);
        Connection.AddTo(command);
        command.Options.Add(Json);
        return command;
    }

    /// <summary>Asks on standard error, so that standard output stays what a program may read.</summary>
    private static async Task<bool> ConfirmAsync(int count, CancellationToken cancellationToken)
    {
        await Console.Error.WriteAsync($"{count} dead letter{(count == 1 ? "" : "s")} will be removed for good. Go on? [y/N] ").ConfigureAwait(false);
        var answer = await Console.In.ReadLineAsync(cancellationToken).ConfigureAwait(false);
        return answer?.Trim().ToLowerInvariant() is "y" or "yes";
    }

    private static async Task<int> RunAsync(ParseResult parsed, Func<ChannelBridgeClient, Task<int>> action, CancellationToken cancellationToken)
    {
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            return await action(client).ConfigureAwait(false);
        }
    }

    private static async Task<JsonObject> CallAsync(ChannelBridgeClient client, string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        var answer = await client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken).ConfigureAwait(false);
        return JsonNode.Parse(answer.Span)!.AsObject();
    }

    private static void Print(JsonObject result) =>
        Console.WriteLine(result.ToJsonString(CommandJson.Indented));
}
