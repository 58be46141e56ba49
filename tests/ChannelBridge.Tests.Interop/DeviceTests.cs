using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Identity;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The .NET client as a device of the real gateway.</summary>
[Collection(InteropCollection.Name)]
public sealed class DeviceTests(InteropLab lab)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [OpenClawFact]
    public async Task FirstConnect_Pairs_AndItsTokenAloneIsEnough_AlsoAfterARestartOfTheGateway()
    {
        await RunningAsync();
        using var identity = DeviceIdentityFile.Open(Path.Combine(Scratch.NewFolder("device"), "one.json"));
        await using (var first = Make(identity, GatewayProcess.Token))
        {
            await first.ConnectAsync().WaitAsync(Patience);
        }

        var stored = await StoredAsync(identity);
        Assert.NotNull(stored);
        Assert.Equal(["operator.read", "operator.write"], stored.Scopes.Order());
        await using var admin = await AdminAsync();
        Assert.Contains((await CallAsync(admin, "device.pair.list"))["paired"]!.AsArray(), device => (string?)device!["deviceId"] == identity.DeviceId);

        // No shared token, no scopes named: what was approved.
        await using var client = Make(identity, null, scopes: []);
        await client.ConnectAsync().WaitAsync(Patience);
        Assert.Equal(["operator.read", "operator.write"], client.Server!.Scopes.Order());
        Assert.NotNull(await CallAsync(client, "health"));
        var before = client.Server.ConnectionId;

        await lab.Gateway.StopAsync();
        await lab.Gateway.StartAsync();
        await InteropLab.UntilAsync(() => client.State == ClientState.Connected && client.Server is { } server && server.ConnectionId != before, "the client isn't back");
        Assert.NotNull(await CallAsync(client, "health"));
        Assert.Equal(stored.Token, (await StoredAsync(identity))!.Token);
    }

    [OpenClawFact]
    public async Task FromElsewhere_WaitsForItsApproval_AndForThatOfMoreScopes()
    {
        await RunningAsync();
        await using var proxy = new ForwardingProxy(lab.Gateway.Url);
        await using var admin = await AdminAsync();
        using var identity = DeviceIdentityFile.Open(Path.Combine(Scratch.NewFolder("device"), "two.json"));
        await ApprovedAsync(identity, proxy, admin, "not-paired", "operator.read");
        Assert.Equal(["operator.read"], (await StoredAsync(identity))!.Scopes);

        await ApprovedAsync(identity, proxy, admin, "scope-upgrade", "operator.read", "operator.write");
        Assert.Equal(["operator.read", "operator.write"], (await StoredAsync(identity))!.Scopes.Order());
        await using var alone = Make(identity, null, proxy.Url, []);
        await alone.ConnectAsync().WaitAsync(Patience);
        Assert.Equal(["operator.read", "operator.write"], alone.Server!.Scopes.Order());
    }

    [OpenClawFact]
    public async Task RotatedToken_IsForgotten_AndTheSharedOneBringsAnother()
    {
        await RunningAsync();
        using var identity = DeviceIdentityFile.Open(Path.Combine(Scratch.NewFolder("device"), "three.json"));
        await using (var first = Make(identity, GatewayProcess.Token)) await first.ConnectAsync().WaitAsync(Patience);
        var old = await StoredAsync(identity);
        await using var admin = await AdminAsync();
        await CallAsync(admin, "device.token.rotate", new JsonObject { ["deviceId"] = identity.DeviceId, ["role"] = "operator" });

        await using (var refused = Make(identity, null))
        {
            var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => refused.ConnectAsync().WaitAsync(Patience));
            Assert.Equal(ClientErrorCodes.Unauthorized, fault.Code);
            Assert.Equal("AUTH_DEVICE_TOKEN_MISMATCH", (string?)fault.Details!["code"]);
        }

        Assert.Null(await StoredAsync(identity));
        await using (var again = Make(identity, GatewayProcess.Token)) await again.ConnectAsync().WaitAsync(Patience);
        Assert.NotEqual(old!.Token, (await StoredAsync(identity))!.Token);
        // A shared token that was changed: the stored one goes in its place, here on loopback.
        await using var changed = Make(identity, "the shared token of last year");
        await changed.ConnectAsync().WaitAsync(Patience);
        Assert.NotNull(await CallAsync(changed, "health"));
    }

    [OpenClawFact]
    public async Task Sample_ChatsAndBridges_FirstByTheSharedTokenThenByItsDevice()
    {
        await RunningAsync();
        var folder = Scratch.NewFolder("sample");
        var token = Path.Combine(folder, "token");
        await File.WriteAllTextAsync(token, GatewayProcess.Token);
        var device = Path.Combine(folder, "device.json");
        Assert.Contains("answer to sample-chat", await SampleAsync(device, "please ask:sample-chat now", "chat", lab.Gateway.Url.AbsoluteUri, token), StringComparison.Ordinal);
        Assert.Contains("answer to sample-bridge", await SampleAsync(device, "please ask:sample-bridge now", "bridge", lab.Gateway.Url.AbsoluteUri), StringComparison.Ordinal);
    }

    private static async Task<string> SampleAsync(string device, string line, params string[] arguments)
    {
        var output = Path.GetRelativePath(Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop"), AppContext.BaseDirectory);
        var program = Path.Combine(OpenClawInstallation.Repository, "samples", "gateway-client-csharp", output, "gateway-client-csharp.dll");
        var start = new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CHANNELBRIDGE_DEVICE"] = device;
        using var process = Process.Start(start)!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync();
            var said = process.StandardOutput.ReadToEndAsync();
            await process.StandardInput.WriteLineAsync(line);
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(Patience);
            Assert.True(process.ExitCode == 0, await errors);
            return await said;
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    private async Task ApprovedAsync(DeviceIdentityFile identity, ForwardingProxy proxy, ChannelBridgeClient admin, string reason, params string[] scopes)
    {
        await using var client = Make(identity, GatewayProcess.Token, proxy.Url, scopes);
        var waits = new TaskCompletionSource<PairingRequest>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.StateChanged += (_, change) =>
        {
            if (change.Pairing is { } pairing) waits.TrySetResult(pairing);
        };
        var connecting = client.ConnectAsync();
        // Whatever it becomes instead, refused or let in, is said.
        await Task.WhenAny(waits.Task, connecting).WaitAsync(Patience);
        Assert.True(waits.Task.IsCompleted, $"{client.State}: {connecting.Exception?.Message}");
        var request = await waits.Task;
        Assert.Equal(reason, request.Reason);
        Assert.False(connecting.IsCompleted);
        await CallAsync(admin, "device.pair.approve", new JsonObject { ["requestId"] = request.RequestId });
        await connecting.WaitAsync(Patience);
        Assert.Equal(scopes, client.Server!.Scopes.Order());
        Assert.Null(client.Pairing);
    }

    private async Task RunningAsync()
    {
        if (!lab.Gateway.Running) await lab.Gateway.StartAsync();
    }

    private async Task<ChannelBridgeClient> AdminAsync()
    {
        var admin = new ChannelBridgeClient(new ChannelBridgeClientOptions
        {
            Endpoint = lab.Gateway.Url.AbsoluteUri,
            Token = GatewayProcess.Token,
            Scopes = ["operator.admin", "operator.pairing", "operator.read", "operator.write"],
            ConnectTimeout = Patience,
            CallTimeout = Patience,
        });
        await admin.ConnectAsync().WaitAsync(Patience);
        return admin;
    }

    // The gateway doesn't pair the backend helper of its own machine.
    private ChannelBridgeClient Make(DeviceIdentityFile identity, string? token, string? endpoint = null, string[]? scopes = null) => new(new ChannelBridgeClientOptions
    {
        Endpoint = endpoint ?? lab.Gateway.Url.AbsoluteUri,
        Token = token,
        Identity = identity,
        ClientId = "cli",
        ClientMode = "cli",
        Scopes = scopes ?? ["operator.read", "operator.write"],
        ConnectTimeout = Patience,
        CallTimeout = Patience,
        ApprovalPoll = TimeSpan.FromMilliseconds(500),
        ReconnectDelay = TimeSpan.FromMilliseconds(100),
        MaxReconnectDelay = TimeSpan.FromSeconds(1),
    });

    private static async Task<JsonNode> CallAsync(ChannelBridgeClient client, string method, JsonObject? parameters = null) =>
        JsonNode.Parse((await client.CallAsync(method, Encoding.UTF8.GetBytes((parameters ?? []).ToJsonString()))).Span)!;

    private static async Task<DeviceToken?> StoredAsync(DeviceIdentityFile identity) => await identity.ReadTokenAsync("operator", CancellationToken.None);
}
