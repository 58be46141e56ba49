// A client of an OpenClaw gateway in C#, with a device identity of its own. The shared token is needed once; afterwards the device's own is enough.
// Run: dotnet run --project samples/gateway-client-csharp -- chat ws://127.0.0.1:18789 TOKEN-FILE
//   chat    each line of the input is a message to the agent, each answer is printed
//   events  the names of the gateway's events, as they come
//   bridge  the same terminal as a bridge of the channel bncr, through the gateway's plugin
// The device is in ~/.channelbridge/devices, or in the file that CHANNELBRIDGE_DEVICE names.
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Client.Identity;

var mode = args.ElementAtOrDefault(0) ?? "chat";
var bridgeOptions = new BncrBridgeOptions { AccountId = "CSharp", BridgeId = "gateway-client-csharp" };
var options = bridgeOptions.Connection;
options.Endpoint = args.ElementAtOrDefault(1) ?? "ws://127.0.0.1:18789";
options.TokenFile = args.ElementAtOrDefault(2);
// The gateway doesn't pair its own backend helper, which the client's default id stands for.
options.ClientId = "cli";
options.ClientMode = "cli";
using var identity = options.UseDeviceIdentity(Environment.GetEnvironmentVariable("CHANNELBRIDGE_DEVICE"));
try
{
    if (mode == "bridge") await BridgeAsync();
    else if (mode == "events") await EventsAsync();
    else await ChatAsync();
    return 0;
}
catch (ChannelBridgeClientException fault)
{
    Console.Error.WriteLine($"{fault.Message} ({fault.Code})");
    return 1;
}

// Returns when the device is approved; who must approve it is told which request.
async Task<ChannelBridgeClient> ConnectAsync()
{
    var client = new ChannelBridgeClient(options);
    client.StateChanged += Tell;
    await client.ConnectAsync();
    return client;
}

async Task ChatAsync()
{
    await using var client = await ConnectAsync();
    using var events = client.Subscribe("chat");
    while (Console.ReadLine() is { } line)
    {
        // The key makes the call safe to repeat, and names the run whose events follow.
        var key = Guid.NewGuid().ToString();
        var parameters = new JsonObject { ["sessionKey"] = "main", ["message"] = line, ["idempotencyKey"] = key };
        await client.CallAsync("chat.send", Encoding.UTF8.GetBytes(parameters.ToJsonString()));
        await foreach (var chat in events)
        {
            var payload = JsonNode.Parse(chat.Payload.Span)!;
            // In between: what grows (delta), and what the agent is at (status).
            if ((string?)payload["runId"] != key || (string?)payload["state"] is not ("final" or "error" or "aborted")) continue;
            Console.WriteLine(Text(payload["message"]) ?? (string?)payload["errorMessage"] ?? $"({payload["state"]})");
            break;
        }
    }
}

async Task EventsAsync()
{
    await using var client = await ConnectAsync();
    using var events = client.Subscribe();
    Console.Error.WriteLine($"connected to {client.Server!.Version}; scopes: {string.Join(", ", client.Server.Scopes)}");
    await foreach (var incoming in events) Console.WriteLine(incoming.Name);
}

async Task BridgeAsync()
{
    await using var bridge = new BncrBridgeClient(bridgeOptions);
    bridge.Client.StateChanged += Tell;
    await bridge.StartAsync();
    using var stop = new CancellationTokenSource();
    var answered = new SemaphoreSlim(0);
    var delivering = bridge.RunAsync(
        (push, _) =>
        {
            Console.WriteLine(push.Message.Msg);
            if (push.ReplyToId is not null) answered.Release();
            return Task.CompletedTask;
        },
        stop.Token);
    while (Console.ReadLine() is { } line)
    {
        var result = await bridge.SendAsync(new BncrInbound { Platform = "terminal", UserId = Environment.UserName, Msg = line });
        if (result.Accepted) await answered.WaitAsync();
        else Console.Error.WriteLine($"refused: {result.Reason}");
    }

    await stop.CancelAsync();
    await delivering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}

static void Tell(object? sender, ClientStateChangedEventArgs change)
{
    if (change.Pairing is { } pairing) Console.Error.WriteLine($"waiting for an approval: openclaw devices approve {pairing.RequestId}");
}

// What a message says: its text blocks.
static string? Text(JsonNode? message) => message?["content"] is JsonArray blocks
    ? string.Concat(blocks.Where(block => (string?)block?["type"] == "text").Select(block => (string?)block!["text"]))
    : null;
