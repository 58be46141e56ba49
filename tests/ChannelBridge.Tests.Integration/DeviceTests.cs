using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Identity;
using ChannelBridge.Tests.Integration.Hosts;

namespace ChannelBridge.Tests.Integration;

/// <summary>Our client as a device of our host, as processes: approved by <c>channelbridge devices</c>, let in over a kill of the host, rotated and revoked.</summary>
public sealed class DeviceTests
{
    private static readonly Dictionary<string, string> NotByItself = new() { ["CHANNELBRIDGE__ACCESS__DEVICES__AUTOAPPROVELOOPBACK"] = "false" };

    [Fact]
    public async Task Device_IsApprovedByTheCommand_AndInOverKillsOfTheHost_UntilItIsRevoked()
    {
        var data = HostProcess.NewDataFolder();
        using var identity = DeviceIdentityFile.Open(Path.Combine(data, "client", "device.json"));
        var host = await HostProcess.StartAsync(data, environment: NotByItself);
        try
        {
            var asked = new TaskCompletionSource<PairingRequest>(TaskCreationOptions.RunContinuationsAsynchronously);
            await using (var client = Make(host, identity, host.Token))
            {
                client.StateChanged += (_, change) =>
                {
                    if (change.Pairing is { } pairing) asked.TrySetResult(pairing);
                };
                var connecting = client.ConnectAsync();
                var request = (await asked.Task.WaitAsync(HostProcess.Timeout)).RequestId!;
                Assert.Contains($"waits    {request}", await DevicesAsync(data, "list"), StringComparison.Ordinal);

                // A request outlives the host, and so does its approval.
                host = await AgainAsync(host, data);
                Assert.Equal($"approved {identity.DeviceId}: operator.read, operator.write\n", await DevicesAsync(data, "approve", request));
                host = await AgainAsync(host, data);
                await connecting.WaitAsync(HostProcess.Timeout);
            }

            Assert.NotNull(await identity.ReadTokenAsync("operator", CancellationToken.None));
            await using var alone = Make(host, identity, null);
            await alone.ConnectAsync().WaitAsync(HostProcess.Timeout);
            Assert.Equal("renamed to Kitchen\n", await DevicesAsync(data, "rename", identity.DeviceId, "Kitchen"));
            var list = await DevicesAsync(data, "list");
            Assert.Contains("Kitchen", list, StringComparison.Ordinal);
            Assert.Contains("; connected", list, StringComparison.Ordinal);

            // The token that it has is in the store.
            var before = alone.Server!.ConnectionId;
            host = await AgainAsync(host, data);
            await Wait.UntilAsync(() => alone.State == ClientState.Connected && alone.Server is { } server && server.ConnectionId != before);

            Assert.Equal("rotated: operator.read, operator.write\n", await DevicesAsync(data, "rotate", identity.DeviceId));
            await Wait.UntilAsync(() => alone.State == ClientState.Failed);
            await using var next = Make(host, identity, host.Token);
            await next.ConnectAsync().WaitAsync(HostProcess.Timeout);
            Assert.Equal("revoked\n", await DevicesAsync(data, "revoke", identity.DeviceId));
            await Wait.UntilAsync(() => next.State == ClientState.WaitingForApproval);
            Assert.Equal("not-paired", next.Pairing!.Reason);
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    [Fact]
    public async Task FirstToken_FromLoopback_IsApprovedByItself()
    {
        await using var host = await HostProcess.StartAsync();
        using var identity = DeviceIdentityFile.Open(Path.Combine(host.Data, "client", "device.json"));
        await using (var client = Make(host, identity, host.Token)) await client.ConnectAsync().WaitAsync(HostProcess.Timeout);
        await using var alone = Make(host, identity, null);
        await alone.ConnectAsync().WaitAsync(HostProcess.Timeout);
        Assert.Equal(["operator.read", "operator.write"], alone.Server!.Scopes);
    }

    /// <summary>Two hosts on one PostgreSQL: what one of them is told of a device holds at the other.</summary>
    [ServerFact]
    public async Task Device_ApprovedAtOneHost_IsInAtTheOther_AndClosedThere_WhenItIsRevokedAtTheFirst()
    {
        await using var fleet = await Fleet.StartAsync(2, settings: NotByItself);
        using var identity = DeviceIdentityFile.Open(Path.Combine(fleet.Host(1).Data, "client", "device.json"));
        await using var admin = new ChannelBridgeClient(new ChannelBridgeClientOptions
        {
            Endpoint = fleet.Host(0).WebSocketUrl.AbsoluteUri,
            Token = Fleet.Token,
            Scopes = ["operator.admin"],
            CallTimeout = HostProcess.Timeout,
        });
        await admin.ConnectAsync().WaitAsync(HostProcess.Timeout);
        await using (var first = Make(fleet.Host(1), identity, Fleet.Token))
        {
            var asked = new TaskCompletionSource<PairingRequest>(TaskCreationOptions.RunContinuationsAsynchronously);
            first.StateChanged += (_, change) =>
            {
                if (change.Pairing is { } pairing) asked.TrySetResult(pairing);
            };
            var connecting = first.ConnectAsync();
            var request = (await asked.Task.WaitAsync(HostProcess.Timeout)).RequestId!;
            await CallAsync(admin, "device.pair.approve", new JsonObject { ["requestId"] = request });
            await connecting.WaitAsync(HostProcess.Timeout);
        }

        await using var alone = Make(fleet.Host(1), identity, null);
        await alone.ConnectAsync().WaitAsync(HostProcess.Timeout);
        var closed = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        alone.StateChanged += (_, _) => closed.TrySetResult(Stopwatch.GetTimestamp());
        var revoking = Stopwatch.GetTimestamp();
        await CallAsync(admin, "device.pair.remove", new JsonObject { ["deviceId"] = identity.DeviceId });
        // Within a second where there is time for it; a machine that runs other tests beside is given three.
        var took = Stopwatch.GetElapsedTime(revoking, await closed.Task.WaitAsync(HostProcess.Timeout));
        Assert.True(took < TimeSpan.FromSeconds(3), $"it was closed after {took}");
        await Wait.UntilAsync(() => alone.State is ClientState.Failed or ClientState.WaitingForApproval);
    }

    // The same address, so that the client finds it.
    private static async Task<HostProcess> AgainAsync(HostProcess host, string data)
    {
        var url = host.Url.GetLeftPart(UriPartial.Authority);
        await host.KillAsync();
        await host.DisposeAsync();
        return await HostProcess.StartAsync(data, url: url, environment: NotByItself);
    }

    private static async Task CallAsync(ChannelBridgeClient client, string method, JsonObject parameters) =>
        await client.CallAsync(method, Encoding.UTF8.GetBytes(parameters.ToJsonString())).WaitAsync(HostProcess.Timeout);

    private static async Task<string> DevicesAsync(string data, params string[] arguments)
    {
        var result = await HostProcess.RunAsync(["devices", .. arguments, "--data", data]);
        Assert.True(result.ExitCode == 0, result.Errors);
        return result.Output;
    }

    private static ChannelBridgeClient Make(HostProcess host, DeviceIdentityFile identity, string? token) => new(new ChannelBridgeClientOptions
    {
        Endpoint = host.WebSocketUrl.AbsoluteUri,
        Token = token,
        Identity = identity,
        ConnectTimeout = HostProcess.Timeout,
        CallTimeout = HostProcess.Timeout,
        ApprovalPoll = TimeSpan.FromMilliseconds(50),
        ReconnectDelay = TimeSpan.FromMilliseconds(50),
        MaxReconnectDelay = TimeSpan.FromMilliseconds(200),
    });
}
