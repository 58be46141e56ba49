using ChannelBridge.A2A;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The clients of the JavaScript SDK, as they are on npm, as peers of a real host that is killed between their calls.</summary>
public sealed class A2AHostTests
{
    private const string Token = "the-token-of-the-peer-alice";

    private static readonly Dictionary<string, string> Settings = new()
    {
        ["CHANNELBRIDGE__ACCESS__TOKENS__ALICE__TOKEN"] = Token,
        ["CHANNELBRIDGE__ACCESS__TOKENS__ALICE__SCOPES"] = "peer",
        ["CHANNELBRIDGE__CHANNELS__A2A__NETWORKS"] = "public,127.0.0.1",
    };

    [A2ATheory]
    [InlineData("0.3", Bindings.JsonRpc)]
    [InlineData("0.3", Bindings.Rest)]
    [InlineData("1.0", Bindings.JsonRpc)]
    [InlineData("1.0", Bindings.Rest)]
    public async Task TheSdksClient_GoesOnAfterAKill(string version, string binding)
    {
        var data = HostProcess.NewDataFolder();
        string url, tasks;
        await using (var host = await HostProcess.StartAsync(data, ["--agent", "conformance"], environment: Settings))
        {
            url = host.Url.GetLeftPart(UriPartial.Authority);
            var output = await RunAsync(host, version, binding, "before");
            tasks = output.Split('\n').Single(line => line.StartsWith("tasks ", StringComparison.Ordinal))["tasks ".Length..];
            await host.KillAsync();
        }

        await using var again = await HostProcess.StartAsync(data, ["--agent", "conformance"], url, Settings);
        await RunAsync(again, version, binding, "after", tasks);
    }

    [A2ATheory]
    [InlineData("0.3", Bindings.JsonRpc)]
    [InlineData("1.0", Bindings.JsonRpc)]
    public async Task TheSdksClient_IsNotified(string version, string binding)
    {
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", "conformance"], environment: Settings);
        await RunAsync(host, version, binding, "push");
    }

    private static Task<string> RunAsync(HostProcess host, string version, string binding, string phase, params string[] more) => NodeScript.RunAsync(
        "a2a-peer.mjs", TimeSpan.FromMinutes(1), [version, binding, host.Url.AbsoluteUri, Token, phase, .. more, "--modules", A2ASdk.Modules(version)]);
}
