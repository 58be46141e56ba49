using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Chat;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge watch</c>: live events, one line each.</summary>
internal static class WatchCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print each event as a JSON object on a line of its own" };
    private static readonly Argument<string[]> Names = new("EVENT") { Description = "Only these events, e.g. inbox.accepted turn.ended outbox.changed", Arity = ArgumentArity.ZeroOrMore };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("watch", "Shows what happens in a running host, live: messages accepted, turns, deliveries. No message's text is among it.");
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
        var body = JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject);
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            using var events = client.Subscribe();
            client.StateChanged += (_, change) =>
            {
                if (change.State == ClientState.Connected) _ = SubscribeAsync(client, body);
                if (change.State == ClientState.Reconnecting) Console.Error.WriteLine("the connection is lost; trying again");
            };
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            await foreach (var incoming in events.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                if (incoming.Name is "tick" or "connect.challenge") continue;
                var payload = Encoding.UTF8.GetString(incoming.Payload.Span);
                Console.WriteLine(asJson
                    ? $"{{\"event\":{JsonSerializer.Serialize(incoming.Name, CommandJson.Default.String)},\"payload\":{payload}}}"
                    : $"{DateTimeOffset.UtcNow:HH:mm:ss.fff}Z {incoming.Name,-16} {Describe(payload)}");
            }
        }

        return ExitCodes.Ok;
    }

    private static async Task SubscribeAsync(ChannelBridgeClient client, byte[] body)
    {
        try
        {
            await client.CallAsync("events.subscribe", body).ConfigureAwait(false);
        }
        catch (ChannelBridgeClientException fault)
        {
            await Console.Error.WriteLineAsync($"error: {fault.Message} ({fault.Code})").ConfigureAwait(false);
        }
    }

    private static string Describe(string payload) => ChatText.Clean(
        JsonNode.Parse(payload) is JsonObject members ? string.Join(' ', members.Where(member => member.Value is not null).Select(member => $"{member.Key}={member.Value}")) : payload);
}
