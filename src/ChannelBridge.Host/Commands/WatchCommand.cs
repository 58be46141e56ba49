using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge watch</c>: live events, one line each.</summary>
internal static class WatchCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print each event as a JSON object on a line of its own" };
    private static readonly Argument<string[]> Names =
        new("EVENT") { Description = "Only these events, e.g. inbox.accepted turn.ended outbox.changed", Arity = ArgumentArity.ZeroOrMore };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("watch", "Shows what happens in a running host, live: messages accepted, turns, deliveries. Message "
            + "texts are not shown.");
        Connection.AddTo(command);
        command.Options.Add(Json);
        command.Arguments.Add(Names);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var asJson = parsed.GetValue(Json);
        var parameters = new JsonObject();
        if (parsed.GetValue(Names) is { Length: > 0 } names) parameters["names"] = new JsonArray([.. names.Select(name => JsonValue.Create(name))]);
        string? last = null;
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            using var events = client.Subscribe();
            client.StateChanged += (_, change) =>
            {
                if (change.State == ClientState.Connected) _ = SubscribeAsync(client, parameters, Volatile.Read(ref last));
                if (change.State == ClientState.Reconnecting) Console.Error.WriteLine("the connection is lost; trying again");
            };
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            await foreach (var incoming in events.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                if (incoming.Name is "tick" or "connect.challenge") continue;
                var payload = Encoding.UTF8.GetString(incoming.Payload.Span);
                if (JsonNode.Parse(payload) is JsonObject members && (string?)members["cursor"] is { } cursor) Volatile.Write(ref last, cursor);
                Console.WriteLine(asJson
                    ? $"{{\"event\":{JsonSerializer.Serialize(incoming.Name, CommandJson.Default.String)},\"payload\":{payload}}}"
                    : $"{DateTimeOffset.UtcNow:HH:mm:ss.fff}Z {incoming.Name,-16} {Describe(payload)}");
            }
        }

        return ExitCodes.Ok;
    }

    /// <summary>Subscribes; after a broken connection from the last event on, so that nothing is left out, or it is said that something was.</summary>
    private static async Task SubscribeAsync(ChannelBridgeClient client, JsonObject parameters, string? last)
    {
        var wanted = (JsonObject)parameters.DeepClone();
        if (last is not null) wanted["since"] = last;
        try
        {
            await client.CallAsync("events.subscribe", JsonSerializer.SerializeToUtf8Bytes(wanted, CommandJson.Default.JsonObject)).ConfigureAwait(false);
        }
        catch (ChannelBridgeClientException fault) when (last is not null && fault.Code is ("CONFLICT" or "INVALID_REQUEST"))
        {
            await Console.Error.WriteLineAsync($"events were missed: {(string?)fault.Details?["reason"] ?? fault.Message}").ConfigureAwait(false);
            await SubscribeAsync(client, parameters, last: null).ConfigureAwait(false);
        }
        catch (ChannelBridgeClientException fault)
        {
            await Console.Error.WriteLineAsync($"error: {fault.Message} ({fault.Code})").ConfigureAwait(false);
        }
    }

    private static string Describe(string payload) => PlainText.Clean(
        JsonNode.Parse(payload) is JsonObject members
        ? string.Join(' ', members.Where(member => member.Value is not null && member.Key != "cursor").Select(member => $"{member.Key}={member.Value}"))
        : payload);
}
