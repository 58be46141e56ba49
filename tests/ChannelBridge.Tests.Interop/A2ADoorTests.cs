using ChannelBridge.A2A;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Interop;

/// <summary>The clients of the JavaScript SDK, as they are on npm, against the doors: both versions, both transports, one address.</summary>
public sealed class A2ADoorTests
{
    [A2ATheory]
    [InlineData("0.3", Bindings.JsonRpc)]
    [InlineData("0.3", Bindings.Rest)]
    [InlineData("1.0", Bindings.JsonRpc)]
    [InlineData("1.0", Bindings.Rest)]
    public async Task TheSdksClient_IsServed(string version, string binding)
    {
        await using var server = await DoorServer.StartAsync();
        await NodeScript.RunAsync(
            "a2a-client.mjs", TimeSpan.FromMinutes(1), version, binding, server.Url.AbsoluteUri, "--modules", A2ASdk.Modules(version));
    }
}
