// A chat bridge in C#. The "platform" is this terminal: each line is a message, each answer is printed.
// Run: dotnet run --project samples/bridge-csharp -- ws://127.0.0.1:7788 ~/.channelbridge/token
using ChannelBridge.Client.Bncr;

await using var bridge = new BncrBridgeClient(new BncrBridgeOptions
{
    AccountId = "CSharp",
    BridgeId = "bridge-csharp",
    Connection =
    {
        Endpoint = args.ElementAtOrDefault(0) ?? "ws://127.0.0.1:7788",
        TokenFile = args.ElementAtOrDefault(1) ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".channelbridge", "token"),
        RetryFirstConnect = true,
    },
});

await bridge.StartAsync();
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
