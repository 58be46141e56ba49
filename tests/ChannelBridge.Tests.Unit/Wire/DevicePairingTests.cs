using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Client;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Identity;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>Devices at the own listener: asked, approved, let in by their own token, and put out again. Our client and our hosts, which share one store.</summary>
public sealed class DevicePairingTests : IAsyncDisposable
{
    private const string Read = "operator.read";
    private const string Write = "operator.write";
    private const string Admin = "operator.admin";

    private readonly ManualTime _time = new();
    private readonly MemoryStore _store;
    private readonly List<IAsyncDisposable> _opened = [];
    private readonly List<DeviceIdentityFile> _identities = [];

    private int _commits;

    public DevicePairingTests() => _store = new MemoryStore(_time)
    {
        BeforeCommit = _ =>
        {
            Interlocked.Increment(ref _commits);
            return Task.CompletedTask;
        },
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var opened in Enumerable.Reverse(_opened)) await opened.DisposeAsync();
        foreach (var identity in _identities) identity.Dispose();
    }

    [Fact]
    public async Task FirstConnect_FromLoopbackWithTheFirstToken_IsApproved_AndItsTokenAloneIsEnough()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        var first = await ConnectAsync(host, identity, WireHost.Token, Read, Write);
        Assert.Equal([Read, Write], first.Server!.Scopes);
        var stored = await StoredAsync(identity);
        Assert.Equal([Read, Write], stored!.Scopes);
        Assert.Equal(1, _commits);
        // Who takes its leave in order has read what it was told.
        await first.DisposeAsync();
        await Wait.UntilAsync(() => _commits == 2);

        // No shared token, no scopes named: what was approved. Nothing is written for it.
        var alone = await ConnectAsync(host, identity, null);
        Assert.Equal([Read, Write], alone.Server!.Scopes);
        await ConnectAsync(host, identity, WireHost.Token, Read);
        Assert.Equal(2, _commits);
        Assert.Equal(stored.Token, (await StoredAsync(identity))!.Token);
        foreach (var record in await _store.ListRecordsAsync(DeviceRecord.Namespace, null, null, 10))
            Assert.DoesNotContain(stored.Token, Encoding.UTF8.GetString(record.Value.Span), StringComparison.Ordinal);

        // Another host, and this one after a restart, know it from the store.
        Assert.Equal([Read], (await ConnectAsync(await HostAsync(), identity, null, Read)).Server!.Scopes);
    }

    [Fact]
    public async Task TokenThatMayNotHaveArrived_IsIssuedAgain_AndTheOneBeforeHoldsMeanwhile()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        // Two connections that broke with their hello on its way.
        var pairing = host.Services.GetRequiredService<DevicePairing>();
        var claim = new DeviceClaim(identity.DeviceId, "key", "gateway-client", "backend", "", "") { IsLoopback = true };
        var caller = new Caller("first", Scopes.All, Door.Listener);
        var lost = Token((await pairing.AdmitAsync(claim, caller, Scopes.Read, CancellationToken.None)).IssuedToken);
        var second = Token((await pairing.AdmitAsync(claim, caller, Scopes.Read, CancellationToken.None)).IssuedToken);
        Assert.NotEqual(lost.Token, second.Token);
        static DeviceToken Token(string? token) => new("operator", token!, [Read]);
        // It was lost, or not: both hold until one of them is shown.
        await identity.WriteTokenAsync(lost, CancellationToken.None);
        await (await ConnectAsync(host, identity, null)).DisposeAsync();
        await identity.WriteTokenAsync(second, CancellationToken.None);
        await (await ConnectAsync(host, identity, null)).DisposeAsync();
        await identity.WriteTokenAsync(lost, CancellationToken.None);
        Assert.Equal("AUTH_DEVICE_TOKEN_MISMATCH", await RefusedAsync(host, identity, null, Read));
        await ConnectAsync(host, identity, WireHost.Token, Read);
        Assert.Null(await StoredAsync(identity));
    }

    [Fact]
    public async Task Device_WaitsForItsApproval_AndForThatOfMoreScopes()
    {
        var host = await HostAsync(auto: false);
        var admin = await OperatorAsync(host);
        var identity = NewIdentity();
        var waits = Begin(host, identity, WireHost.Token, Read);
        var request = await waits.Asked;
        Assert.Equal(("not-paired", identity.DeviceId), (request.Reason, request.DeviceId));
        Assert.Equal([Read], request.RequestedScopes);
        var listed = (await CallAsync(admin, "device.pair.list"))["pending"]!.AsArray().Single()!;
        Assert.Equal((request.RequestId, "first", Read), ((string?)listed["requestId"], (string?)listed["accessToken"], (string?)listed["scopes"]![0]));
        Assert.False(waits.Connecting.IsCompleted);
        await CallAsync(admin, "device.pair.approve", new JsonObject { ["requestId"] = request.RequestId });
        await waits.Connecting.WaitAsync(WireHost.Timeout);
        Assert.Equal([Read], (await StoredAsync(identity))!.Scopes);

        var more = Begin(host, identity, WireHost.Token, Read, Write);
        request = await more.Asked;
        Assert.Equal("scope-upgrade", request.Reason);
        Assert.Equal([Read], request.ApprovedScopes);
        Assert.Equal([Read, Write], request.RequestedScopes);
        // The token that it has goes on meanwhile, for what it has.
        Assert.Equal([Read], (await ConnectAsync(host, identity, null)).Server!.Scopes);
        await CallAsync(admin, "device.pair.approve", new JsonObject { ["requestId"] = request.RequestId });
        await more.Connecting.WaitAsync(WireHost.Timeout);
        Assert.Equal([Read, Write], (await StoredAsync(identity))!.Scopes);
        Assert.Equal([Read, Write], (await ConnectAsync(host, identity, null)).Server!.Scopes);
        Assert.Empty((await CallAsync(admin, "device.pair.list"))["pending"]!.AsArray());
    }

    [Fact]
    public async Task AnotherPlatform_NeedsAnApproval_AlsoWithTheDevicesToken()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        await ConnectAsync(host, identity, WireHost.Token, Read);
        var moved = Begin(host, identity, null, options => options.DeviceFamily = "Car", Read);
        // Families that weren't said at the approval aren't bound.
        await moved.Connecting.WaitAsync(WireHost.Timeout);
        var other = NewIdentity();
        await Begin(host, other, WireHost.Token, options => options.DeviceFamily = "Server", Read).Connecting.WaitAsync(WireHost.Timeout);
        var waits = Begin(host, other, null, options => options.DeviceFamily = "Car", Read);
        Assert.Equal("metadata-upgrade", (await waits.Asked).Reason);
        await (await OperatorAsync(host)).CallAsync("1", "device.pair.approve", $$"""{"requestId":"{{(await waits.Asked).RequestId}}"}""");
        await waits.Connecting.WaitAsync(WireHost.Timeout);
    }

    [Fact]
    public async Task Requests_AreBounded_TheSameKeepsItsId_AndTheyEndAfterAnHour()
    {
        var host = await HostAsync(auto: false, configure: options => options.MostRequests = 4);
        var identity = NewIdentity();
        var first = await AskAsync(host, identity, WireHost.Token, Read);
        Assert.Equal(first, await AskAsync(host, identity, WireHost.Token, Read));
        _time.Advance(TimeSpan.FromSeconds(1));
        var second = await AskAsync(host, identity, WireHost.Token, Write);
        _time.Advance(TimeSpan.FromSeconds(1));
        var third = await AskAsync(host, identity, WireHost.Token, Admin);
        _time.Advance(TimeSpan.FromSeconds(1));
        var fourth = await AskAsync(host, identity, WireHost.Token, Read, Write);
        Assert.Equal($"{second} {third} {fourth}", string.Join(" ", await PendingAsync(host)));

        Assert.NotNull(await AskAsync(host, NewIdentity(), WireHost.Token, Read));
        Assert.Null(await AskAsync(host, NewIdentity(), WireHost.Token, Read));
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Empty(await PendingAsync(host));
        Assert.NotNull(await AskAsync(host, NewIdentity(), WireHost.Token, Read));
    }

    [Fact]
    public async Task Rejected_AsksAgain_UnderAnotherId()
    {
        var host = await HostAsync(auto: false);
        var admin = await OperatorAsync(host);
        var identity = NewIdentity();
        var request = (await Begin(host, identity, WireHost.Token, Read).Asked).RequestId;
        Assert.Equal(identity.DeviceId, (string?)(await CallAsync(admin, "device.pair.reject", new JsonObject { ["requestId"] = request }))["deviceId"]);
        Assert.NotEqual(request, (await Begin(host, identity, WireHost.Token, Read).Asked).RequestId);
        Assert.Equal("NOT_FOUND", await CodeAsync(admin, "device.pair.approve", new JsonObject { ["requestId"] = request }));
    }

    [Theory]
    [InlineData("device.token.revoke")]
    [InlineData("device.token.rotate")]
    [InlineData("device.pair.remove")]
    public async Task Ended_ClosesItsConnectionsOnEveryHost_AndItsTokenIsRefused(string method)
    {
        var one = await HostAsync();
        var two = await HostAsync();
        var identity = NewIdentity();
        // By the access token it would come back by itself, and get another token.
        await (await ConnectAsync(one, identity, WireHost.Token, Read, Write)).DisposeAsync();
        var old = await StoredAsync(identity);
        var here = await ConnectAsync(one, identity, null);
        var there = await ConnectAsync(two, identity, null);
        var bystander = await ConnectAsync(two, NewIdentity(), WireHost.Token, Read);
        var admin = await OperatorAsync(one);
        await CallAsync(admin, method, new JsonObject { ["deviceId"] = identity.DeviceId });
        await two.Services.GetRequiredService<LiveDevices>().RefreshAsync(CancellationToken.None);
        // They try again with their token, and are told.
        await Wait.UntilAsync(() => here.State == ClientState.Failed && there.State == ClientState.Failed);
        Assert.Equal(ClientState.Connected, bystander.State);
        await identity.WriteTokenAsync(old!, CancellationToken.None);
        Assert.Equal("AUTH_DEVICE_TOKEN_MISMATCH", await RefusedAsync(one, identity, null, Read));

        if (method == "device.token.revoke")
        {
            // Its approval stays: the access token lets it in, and no other token is issued.
            var shared = await ConnectAsync(one, identity, WireHost.Token, Read);
            Assert.Equal(ClientState.Connected, shared.State);
            Assert.Null(await StoredAsync(identity));
            return;
        }

        // A rotation, or another approval, brings another token.
        await ConnectAsync(one, identity, WireHost.Token, Read, Write);
        var next = await StoredAsync(identity);
        Assert.NotEqual(old!.Token, next!.Token);
        Assert.Equal([Read, Write], (await ConnectAsync(two, identity, null)).Server!.Scopes);
    }

    [Fact]
    public async Task OwnRotation_IsAnsweredWithTheToken()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        await (await ConnectAsync(host, identity, WireHost.Token, Read, Write)).DisposeAsync();
        var old = (await StoredAsync(identity))!;
        var alone = await ConnectAsync(host, identity, null);
        var answer = JsonNode.Parse((await alone.CallAsync("device.token.rotate", Bytes(new JsonObject { ["deviceId"] = identity.DeviceId }))).Span)!;
        Assert.Equal("in-band", (string?)answer["tokenDelivery"]);
        await identity.WriteTokenAsync(new DeviceToken("operator", (string)answer["token"]!, [Read, Write]), CancellationToken.None);
        Assert.Equal([Read, Write], (await ConnectAsync(host, identity, null)).Server!.Scopes);
        await identity.WriteTokenAsync(old, CancellationToken.None);
        Assert.Equal("AUTH_DEVICE_TOKEN_MISMATCH", await RefusedAsync(host, identity, null, Read));
    }

    [Fact]
    public async Task TokenOfAnotherDevice_AndMoreScopesThanApproved_AreRefusedByTheirCodes()
    {
        var host = await HostAsync();
        var (one, two) = (NewIdentity(), NewIdentity());
        await ConnectAsync(host, one, WireHost.Token, Read);
        await ConnectAsync(host, two, WireHost.Token, Read, Write);
        var stolen = await StoredAsync(two);
        Assert.Equal("AUTH_SCOPE_MISMATCH", await RefusedAsync(host, one, null, Read, Write));
        await one.WriteTokenAsync(stolen!, CancellationToken.None);
        Assert.Equal("AUTH_DEVICE_TOKEN_MISMATCH", await RefusedAsync(host, one, null, Read));
        Assert.Equal("AUTH_TOKEN_MISSING", await RefusedAsync(host, NewIdentity(), null, Read));
    }

    [Fact]
    public async Task WrongAccessToken_OfADeviceWithItsOwn_IsToldToShowThat()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        await ConnectAsync(host, identity, WireHost.Token, Read);
        // The client does so by itself, here on loopback.
        Assert.Equal([Read], (await ConnectAsync(host, identity, "the token of last year", Read)).Server!.Scopes);
        Assert.Equal("AUTH_TOKEN_MISMATCH", await RefusedAsync(host, NewIdentity(), "the token of last year", Read));
    }

    [Fact]
    public async Task ADevice_ManagesItself_AndNoOther()
    {
        var host = await HostAsync();
        var (one, two) = (NewIdentity(), NewIdentity());
        var client = await ConnectAsync(host, one, WireHost.Token, Read, Write);
        await ConnectAsync(host, two, WireHost.Token, Read);
        var list = JsonNode.Parse((await client.CallAsync("device.pair.list")).Span)!;
        Assert.Equal(one.DeviceId, (string?)list["paired"]!.AsArray().Single()!["deviceId"]);
        await client.CallAsync("device.pair.rename", Bytes(new JsonObject { ["deviceId"] = one.DeviceId, ["label"] = " Kitchen " }));
        foreach (var (method, more) in new[] { ("device.pair.rename", "label"), ("device.pair.remove", null), ("device.token.rotate", null), ("device.token.revoke", null) })
        {
            var parameters = new JsonObject { ["deviceId"] = two.DeviceId };
            if (more is not null) parameters[more] = "x";
            Assert.Equal("FORBIDDEN", (await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync(method, Bytes(parameters)))).Code);
        }

        var admin = await OperatorAsync(host);
        var devices = (await CallAsync(admin, "device.pair.list"))["paired"]!.AsArray();
        Assert.Equal(2, devices.Count);
        var named = devices.Single(device => (string?)device!["deviceId"] == one.DeviceId)!;
        Assert.Equal(("Kitchen", true, "first"), ((string?)named["operatorLabel"], (bool)named["connected"]!, (string?)named["approvedBy"]));
        // A caller without a device has none.
        var reader = await OperatorAsync(host, WireHost.ReadToken);
        Assert.Empty((await CallAsync(reader, "device.pair.list"))["paired"]!.AsArray());
        Assert.Equal("FORBIDDEN", await CodeAsync(reader, "device.pair.remove", new JsonObject { ["deviceId"] = two.DeviceId }));
        Assert.Equal("FORBIDDEN", await CodeAsync(reader, "device.pair.approve", new JsonObject { ["requestId"] = "x" }));
    }

    [Fact]
    public async Task AnotherTokenThanTheFirst_IsntApprovedByItself_AndTheDevicesTokenHasNoMoreThanWasApproved()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        var waits = Begin(host, identity, WireHost.ReadToken, Read, Write);
        var request = await waits.Asked;
        Assert.Equal([Read], request.RequestedScopes);
        await CallAsync(await OperatorAsync(host), "device.pair.approve", new JsonObject { ["requestId"] = request.RequestId });
        await waits.Connecting.WaitAsync(WireHost.Timeout);
        Assert.Equal("AUTH_SCOPE_MISMATCH", await RefusedAsync(host, identity, null, Read, Write));
    }

    [Fact]
    public async Task Require_RefusesAClientWithoutADevice()
    {
        var host = await HostAsync(configure: options => options.Require = true);
        await using (var client = new WireClient(await host.OpenAsync("/")))
        {
            await client.ReceiveAsync();
            await client.SendAsync(WireClient.Connect(WireHost.Token).ToJsonString());
            Assert.Equal("DEVICE_IDENTITY_REQUIRED", (string?)(await client.ReceiveAsync())["error"]!["details"]!["code"]);
        }

        Assert.Equal([Read], (await ConnectAsync(host, NewIdentity(), WireHost.Token, Read)).Server!.Scopes);
    }

    [Fact]
    public async Task StoreAway_AreClosedAfterThePatience_AndNobodyNewComesIn()
    {
        var host = await HostAsync();
        var identity = NewIdentity();
        await ConnectAsync(host, identity, WireHost.Token, Read);
        var live = host.Services.GetRequiredService<LiveDevices>();
        Assert.Equal([identity.DeviceId], live.Connected());
        _store.BeforeRead = () => throw BridgeException.Unavailable("away");
        await live.RefreshAsync(CancellationToken.None);
        Assert.Equal([identity.DeviceId], live.Connected());
        _time.Advance(TimeSpan.FromSeconds(11));
        await live.RefreshAsync(CancellationToken.None);
        await Wait.UntilAsync(() => live.Connected().Count == 0);
        _store.BeforeRead = null;
        // The client comes back by itself.
        await Wait.UntilAsync(() => live.Connected().Count == 1);
    }

    private async Task<WireHost> HostAsync(bool auto = true, Action<DeviceOptions>? configure = null)
    {
        var host = await WireHost.StartAsync(more: services =>
        {
            services.AddSingleton<TimeProvider>(_time);
            services.AddSingleton<IStore>(_store);
            var devices = new DeviceOptions { AutoApproveLoopback = auto };
            configure?.Invoke(devices);
            services.AddSingleton(devices);
            services.AddAccess([]);
        });
        _opened.Add(host);
        host.Services.GetRequiredService<LiveDevices>().Start();
        return host;
    }

    private async Task<WireClient> OperatorAsync(WireHost host, string token = WireHost.Token)
    {
        var client = await host.ConnectAsync(token);
        _opened.Add(client);
        return client;
    }

    private DeviceIdentityFile NewIdentity()
    {
        var identity = DeviceIdentityFile.Open(Path.Combine(Scratch.NewFolder("pairing"), "device.json"));
        _identities.Add(identity);
        return identity;
    }

    private (Task<PairingRequest> Asked, Task Connecting, ChannelBridgeClient Client) Begin(WireHost host, DeviceIdentityFile identity, string? token, params string[] scopes) =>
        Begin(host, identity, token, null, scopes);

    private (Task<PairingRequest> Asked, Task Connecting, ChannelBridgeClient Client) Begin(
        WireHost host, DeviceIdentityFile identity, string? token, Action<ChannelBridgeClientOptions>? configure, params string[] scopes)
    {
        var options = new ChannelBridgeClientOptions
        {
            Endpoint = host.Address.AbsoluteUri,
            Token = token,
            Identity = identity,
            Scopes = [.. scopes],
            ConnectTimeout = WireHost.Timeout,
            CallTimeout = WireHost.Timeout,
            ApprovalPoll = TimeSpan.FromMilliseconds(20),
            ReconnectDelay = TimeSpan.FromMilliseconds(10),
            MaxReconnectDelay = TimeSpan.FromMilliseconds(50),
        };
        configure?.Invoke(options);
        var client = new ChannelBridgeClient(options);
        _opened.Add(client);
        var asked = new TaskCompletionSource<PairingRequest>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.StateChanged += (_, change) =>
        {
            if (change.Pairing is { } pairing) asked.TrySetResult(pairing);
        };
        return (asked.Task.WaitAsync(WireHost.Timeout), client.ConnectAsync(), client);
    }

    /// <summary>Asks and goes: who stays asks again when the request has ended.</summary>
    private async Task<string?> AskAsync(WireHost host, DeviceIdentityFile identity, string token, params string[] scopes)
    {
        var (asked, connecting, client) = Begin(host, identity, token, scopes);
        var request = await asked;
        await client.DisposeAsync();
        await connecting.ContinueWith(static _ => { }, TaskScheduler.Default);
        return request.RequestId;
    }

    private async Task<ChannelBridgeClient> ConnectAsync(WireHost host, DeviceIdentityFile identity, string? token, params string[] scopes)
    {
        var (_, connecting, client) = Begin(host, identity, token, options => options.WaitForApproval = false, scopes);
        await connecting.WaitAsync(WireHost.Timeout);
        return client;
    }

    private async Task<string?> RefusedAsync(WireHost host, DeviceIdentityFile identity, string? token, params string[] scopes) =>
        (string?)(await Assert.ThrowsAsync<ChannelBridgeClientException>(() => ConnectAsync(host, identity, token, scopes))).Details!["code"];

    private static async Task<JsonNode> CallAsync(WireClient client, string method, JsonObject? parameters = null)
    {
        var answer = await client.CallAsync(Guid.NewGuid().ToString(), method, (parameters ?? []).ToJsonString());
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        return answer["payload"]!;
    }

    private static async Task<string?> CodeAsync(WireClient client, string method, JsonObject parameters) =>
        (string?)(await client.CallAsync(Guid.NewGuid().ToString(), method, parameters.ToJsonString()))["error"]!["code"];

    private static async Task<string?[]> PendingAsync(WireHost host)
    {
        await using var admin = await host.ConnectAsync();
        return [.. (await CallAsync(admin, "device.pair.list"))["pending"]!.AsArray().Select(request => (string?)request!["requestId"])];
    }

    private static async Task<DeviceToken?> StoredAsync(DeviceIdentityFile identity) => await identity.ReadTokenAsync("operator", CancellationToken.None);

    private static byte[] Bytes(JsonObject value) => Encoding.UTF8.GetBytes(value.ToJsonString());
}
