using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Identity;
using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Unit.Client;

/// <summary>The client as a device: its proof, its tokens, and the wait for an operator.</summary>
public sealed class DeviceClientTests : IDisposable
{
    private const string PairingRequired = """
        {"code":"NOT_PAIRED","message":"pairing required: device is not approved yet","details":{"code":"PAIRING_REQUIRED","reason":"not-paired","requestId":"req-7",
         "deviceId":"d","requestedScopes":["operator.read"],"approvedScopes":[]}}
        """;

    private const string TokenMismatch = """{"code":"INVALID_REQUEST","message":"no","details":{"code":"AUTH_TOKEN_MISMATCH","canRetryWithDeviceToken":true}}""";
    private const string DeviceTokenMismatch = """{"code":"INVALID_REQUEST","message":"no","details":{"code":"AUTH_DEVICE_TOKEN_MISMATCH"}}""";

    private readonly ScriptedHost _host = new();
    private readonly string _path = Path.Combine(Scratch.NewFolder("device"), "devices", "device.json");
    private readonly DeviceIdentityFile _identity;

    public DeviceClientTests() => _identity = DeviceIdentityFile.Open(_path);

    public void Dispose() => _identity.Dispose();

    private ChannelBridgeClient Make(Action<ChannelBridgeClientOptions>? configure = null)
    {
        var options = new ChannelBridgeClientOptions
        {
            Token = "shared",
            Identity = _identity,
            ReconnectDelay = TimeSpan.FromMilliseconds(1),
            MaxReconnectDelay = TimeSpan.FromMilliseconds(5),
            ApprovalPoll = TimeSpan.FromMilliseconds(1),
        };
        configure?.Invoke(options);
        return new ChannelBridgeClient(options, _host.Connect, null, new Random(1), null);
    }

    private static string Hello(string auth) => $$"""
        {"type":"hello-ok","protocol":4,"server":{"version":"9","connId":"c","bootId":"b"},"features":{"methods":[],"events":[],"capabilities":[]},
         "snapshot":{},"auth":{{auth}},"policy":{"maxPayload":4096,"maxBufferedBytes":1,"tickIntervalMs":1} }
        """;

    private async Task<JsonNode> ConnectAsync(ChannelBridgeClient client, string auth = """{"role":"operator","scopes":["operator.read"]}""")
    {
        var connecting = client.ConnectAsync();
        var connection = await _host.AcceptAsync();
        var connect = await connection.ReadRequestAsync("connect");
        connection.Answer(connect, Hello(auth));
        await connecting.WaitAsync(ScriptedHost.Timeout);
        return connect["params"]!;
    }

    private Task StoreAsync(string token = "stored", params string[] scopes) =>
        _identity.WriteTokenAsync(new DeviceToken("operator", token, scopes), CancellationToken.None).AsTask();

    private async Task<DeviceToken?> StoredAsync() => await _identity.ReadTokenAsync("operator", CancellationToken.None);

    [Fact]
    public async Task Connect_SignsVersion3OverTheChallenge()
    {
        await using var client = Make(options => options.DeviceFamily = "Server");
        var sent = await ConnectAsync(client);
        var device = sent["device"]!;
        Assert.Equal(_identity.DeviceId, (string?)device["id"]);
        Assert.Equal("n", (string?)device["nonce"]);
        Assert.Equal(1, (long)device["signedAt"]!);
        Assert.Equal(_identity.PublicKey.ToArray(), Base64Url.DecodeFromChars((string)device["publicKey"]!));
        var platform = (string)sent["client"]!["platform"]!;
        var text = $"v3|{_identity.DeviceId}|gateway-client|backend|operator|operator.read,operator.write|1|shared|n|{platform}|server";
        var signature = Base64Url.DecodeFromChars((string)device["signature"]!);
        Assert.True(IdentityVerifier.Create(_identity.PublicKey.Span).Verify(Encoding.UTF8.GetBytes(text), signature));
    }

    [Theory]
    [InlineData("shared", "given", true, "shared", null)]
    [InlineData(null, "given", true, null, "given")]
    [InlineData(null, null, true, null, "stored")]
    [InlineData("shared", null, false, "shared", null)]
    [InlineData(null, null, false, null, null)]
    public async Task Connect_ShowsSharedElseGivenElseStoredToken(string? shared, string? given, bool stored, string? token, string? deviceToken)
    {
        if (stored) await StoreAsync("stored", "operator.read");
        await using var client = Make(options => (options.Token, options.DeviceToken) = (shared, given));
        var sent = await ConnectAsync(client);
        Assert.Equal(token, (string?)sent["auth"]?["token"]);
        Assert.Equal(deviceToken, (string?)sent["auth"]?["deviceToken"]);
        var text = $"v3|{_identity.DeviceId}|gateway-client|backend|operator|operator.read,operator.write|1|{token ?? deviceToken}|n|{(string)sent["client"]!["platform"]!}|";
        Assert.True(IdentityVerifier.Create(_identity.PublicKey.Span).Verify(
            Encoding.UTF8.GetBytes(text), Base64Url.DecodeFromChars((string)sent["device"]!["signature"]!)));
    }

    [Fact]
    public async Task Connect_WithoutIdentity_SendsNoDevice()
    {
        await using var client = Make(options => options.Identity = null);
        Assert.Null((await ConnectAsync(client))["device"]);
    }

    [Fact]
    public async Task NewToken_IsKeptWithItsScopes_AndTheSameOneKeepsThem()
    {
        await using (var client = Make())
        {
            await ConnectAsync(client, """{"role":"operator","scopes":["operator.read","operator.write"],"deviceToken":"t1"}""");
        }

        Assert.Equal(["operator.read", "operator.write"], (await StoredAsync())!.Scopes);
        await using (var client = Make(options => (options.Token, options.Scopes) = (null, ["operator.read"])))
        {
            var sent = await ConnectAsync(client, """{"role":"operator","scopes":["operator.read"],"deviceToken":"t1"}""");
            Assert.Equal("t1", (string?)sent["auth"]!["deviceToken"]);
        }

        Assert.Equal(["operator.read", "operator.write"], (await StoredAsync())!.Scopes);
        await using var later = Make(options => (options.Token, options.Scopes) = (null, []));
        Assert.Equal(["operator.read", "operator.write"], (await ConnectAsync(later))["scopes"]!.AsArray().Select(scope => (string?)scope));
    }

    [Fact]
    public async Task TokenMismatch_OnLoopback_TriesTheStoredTokenOnce()
    {
        await StoreAsync("stored", "operator.read");
        await using var client = Make();
        var connecting = client.ConnectAsync();
        var first = await _host.AcceptAsync();
        first.Refuse(await first.ReadRequestAsync("connect"), TokenMismatch);
        var second = await _host.AcceptAsync();
        var connect = await second.ReadRequestAsync("connect");
        Assert.Null(connect["params"]!["auth"]!["token"]);
        Assert.Equal("stored", (string?)connect["params"]!["auth"]!["deviceToken"]);
        second.Answer(connect, Hello("""{"role":"operator","scopes":["operator.read"]}"""));
        await connecting.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(2, _host.Tries);
    }

    [Fact]
    public async Task TokenMismatch_StoredTokenRefusedToo_FailsAndForgetsIt()
    {
        await StoreAsync();
        await using var client = Make();
        var connecting = client.ConnectAsync();
        foreach (var refusal in new[] { TokenMismatch, DeviceTokenMismatch })
        {
            var connection = await _host.AcceptAsync();
            connection.Refuse(await connection.ReadRequestAsync("connect"), refusal);
        }

        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Unauthorized, fault.Code);
        Assert.Equal(2, _host.Tries);
        Assert.Null(await StoredAsync());
    }

    [Theory]
    [InlineData("ws://gateway.example:18789", false, false)]
    [InlineData("wss://gateway.example", false, false)]
    [InlineData("wss://gateway.example", true, true)]
    [InlineData("wss://127.0.0.1:18789", false, true)]
    public async Task TokenMismatch_ElsewhereThanOnLoopback_NeedsAPinnedCertificate(string endpoint, bool pinned, bool retried)
    {
        await StoreAsync();
        await using var client = Make(options =>
        {
            options.Endpoint = endpoint;
            if (pinned) options.TlsFingerprint = "sha256:" + string.Join(':', Enumerable.Repeat("AB", 32));
        });
        var connecting = client.ConnectAsync();
        for (var i = 0; i < (retried ? 2 : 1); i++)
        {
            var connection = await _host.AcceptAsync();
            connection.Refuse(await connection.ReadRequestAsync("connect"), TokenMismatch);
        }

        await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(retried ? 2 : 1, _host.Tries);
        Assert.NotNull(await StoredAsync());
    }

    [Fact]
    public async Task PairingRequired_IsWaitedForWithTheRequestInTheState_AndGoesOnWhenApproved()
    {
        await using var client = Make();
        var waits = new TaskCompletionSource<PairingRequest?>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.StateChanged += (_, change) =>
        {
            if (change.State == ClientState.WaitingForApproval) waits.TrySetResult(change.Pairing);
        };
        var connecting = client.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            var connection = await _host.AcceptAsync();
            connection.Refuse(await connection.ReadRequestAsync("connect"), PairingRequired);
        }

        var pairing = await waits.Task.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal("req-7", pairing!.RequestId);
        Assert.Equal("not-paired", pairing.Reason);
        Assert.Equal(["operator.read"], pairing.RequestedScopes);
        Assert.Equal("req-7", client.Pairing!.RequestId);
        Assert.False(connecting.IsCompleted);
        // A gateway that is away for a moment doesn't end the wait.
        _host.OpenFailures.Enqueue(new IOException("connection refused"));
        var last = await _host.AcceptAsync();
        last.Answer(await last.ReadRequestAsync("connect"), Hello("""{"role":"operator","scopes":["operator.read"],"deviceToken":"t2"}"""));
        await connecting.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(ClientState.Connected, client.State);
        Assert.Null(client.Pairing);
        Assert.Equal("t2", (await StoredAsync())!.Token);
    }

    [Fact]
    public async Task PairingRequired_NotWaitedFor_IsAFailureWithItsDetails()
    {
        await using var client = Make(options => options.WaitForApproval = false);
        var connecting = client.ConnectAsync();
        var connection = await _host.AcceptAsync();
        connection.Refuse(await connection.ReadRequestAsync("connect"), PairingRequired);
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.PairingRequired, fault.Code);
        Assert.Equal("req-7", (string?)fault.Details!["requestId"]);
    }

    [Fact]
    public async Task Starting_IsWaitedFor_AtTheFirstConnectToo()
    {
        await using var client = Make();
        var connecting = client.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            var connection = await _host.AcceptAsync();
            connection.Refuse(
                await connection.ReadRequestAsync("connect"),
                """{"code":"UNAVAILABLE","message":"gateway starting","retryable":true,"retryAfterMs":1,"details":{"reason":"startup-sidecars"}}""");
        }

        var last = await _host.AcceptAsync();
        last.Answer(await last.ReadRequestAsync("connect"), Hello("""{"role":"operator","scopes":[]}"""));
        await connecting.WaitAsync(ScriptedHost.Timeout);
    }

    [Theory]
    [InlineData("DEVICE_AUTH_SIGNATURE_INVALID")]
    [InlineData("DEVICE_IDENTITY_REQUIRED")]
    [InlineData("AUTH_SCOPE_MISMATCH")]
    public async Task Refused_ForItsIdentity_IsUnauthorizedAndFinal(string code)
    {
        await using var client = Make(options => options.RetryFirstConnect = true);
        var connecting = client.ConnectAsync();
        var connection = await _host.AcceptAsync();
        connection.Refuse(await connection.ReadRequestAsync("connect"), $$"""{"code":"INVALID_REQUEST","message":"no","details":{"code":"{{code}}"} }""");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Unauthorized, fault.Code);
        Assert.Equal(code, (string?)fault.Details!["code"]);
    }

    [Fact]
    public async Task IdentityGone_SaysSoAndSendsNothing()
    {
        await using var client = Make();
        File.Delete(_path);
        var connecting = client.ConnectAsync();
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.IdentityUnusable, fault.Code);
        Assert.Contains(_path, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ws://127.0.0.1:1/rpc", null, "Identity")]
    [InlineData("unix:/tmp/s", null, "Identity")]
    [InlineData("wss://host", "abc", "TlsFingerprint")]
    [InlineData("ws://host:1", "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB", "TlsFingerprint")]
    public void WrongOptions_AreNamed(string endpoint, string? fingerprint, string option)
    {
        var options = new ChannelBridgeClientOptions { Endpoint = endpoint, Identity = _identity, TlsFingerprint = fingerprint };
        Assert.Contains(option + ":", Assert.Throws<ArgumentException>(() => new ChannelBridgeClient(options)).Message, StringComparison.Ordinal);
    }
}
