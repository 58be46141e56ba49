// A chat bridge in C#. The "platform" is this terminal: each line is a message, each answer is printed.
// Run: dotnet run --project samples/bridge-csharp -- ws://127.0.0.1:7788 ~/.channelbridge/token
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;

var endpoint = args.ElementAtOrDefault(0) ?? "ws://127.0.0.1:7788";
await using var bridge = new BncrBridgeClient(new BncrBridgeOptions
{
    AccountId = "CSharp",
    BridgeId = "bridge-csharp",
    Connection =
    {
        Endpoint = endpoint,
        TokenFile = args.ElementAtOrDefault(1) ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".channelbridge", "token"),
        RetryFirstConnect = true,
    },
});

// A bridge waits for its host, but not in silence.
bridge.Client.StateChanged += (_, change) =>
{
    if (change.State == ClientState.Reconnecting) Console.Error.WriteLine("the connection is lost; trying again");
};
try
{
    var starting = bridge.StartAsync();
    if (await Task.WhenAny(starting, Task.Delay(TimeSpan.FromSeconds(2))) != starting)
        Console.Error.WriteLine($"waiting for a host at {endpoint}; start one with: channelbridge serve");
    await starting;
}
catch (ChannelBridgeClientException fault)
{
    Console.Error.WriteLine($"can't connect: {fault.Message} ({fault.Code})");
    return 1;
}

using var stop = new CancellationTokenSource();
var answered = new SemaphoreSlim(0);

// From the agent to the platform. A message is acknowledged when this returns and pushed again when it throws.
var delivering = bridge.RunAsync(
    (push, _) =>
    {
        Console.WriteLine(push.Message.Msg);
        if (push.ReplyToId is not null) answered.Release();
        return Task.CompletedTask;
    },
    stop.Token);

// From the platform to the agent. Returns when the host has the message on disk; until then it is sent again under the same id.
var sent = 0;
while (Console.ReadLine() is { } line)
{
    var result = await bridge.SendAsync(new BncrInbound { Platform = "terminal", UserId = Environment.UserName, Msg = line });
    if (result.Accepted) sent++;
    else Console.Error.WriteLine($"refused: {result.Reason}");
}

while (sent-- > 0) await answered.WaitAsync();
await stop.CancelAsync();
await delivering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
return 0;
