using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>
/// kill −9 to a gateway, one of its own: the shared one's configuration is written by other tests, and a gateway killed while it reloads makes its successor wait
/// (<see cref="GatewayProcess.KillAsync"/>). That once failed every test behind this one.
/// </summary>
[Collection(GatewaysCollection.Name)]
public sealed class GatewayKilledTests
{
    [OpenClawFact]
    public async Task Turn_GatewayKilledInIt_IsAnsweredAfterItsRestart()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var lab = new InteropLab();
        try
        {
            await lab.InitializeAsync();
            string accepted;
            var hold = lab.Model.Hold("interrupted");
            await using (var bridge = await lab.BridgeAsync())
            {
                accepted = (string)(await bridge.AcceptedAsync("hans", "ask:interrupted", "kill-gateway-1"))["sessionKey"]!;
                await lab.Model.AskedAsync("interrupted");
                await lab.Gateway.KillAsync();
            }

            hold.TrySetResult();
            await lab.Gateway.StartAsync();
            await using var back = await lab.BridgeAsync();
            var push = await back.PushAsync("hans");
            Assert.Equal("answer to interrupted", (string?)push["message"]!["msg"]);
            Assert.Equal(accepted, (string?)push["sessionKey"]);
        }
        finally
        {
            await lab.DisposeAsync();
        }
    }
}
