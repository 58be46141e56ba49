using System.Text;
using ChannelBridge.Client;
using ChannelBridge.Client.Internal;

namespace ChannelBridge.Tests.Unit.Client;

public sealed class ChannelBridgeClientTests
{
    private readonly ScriptedHost _host = new();

    private ChannelBridgeClient Make(Action<ChannelBridgeClientOptions>? configure = null)
    {
        var options = new ChannelBridgeClientOptions { Token = "secret", ReconnectDelay = TimeSpan.FromMilliseconds(1), MaxReconnectDelay = TimeSpan.FromMilliseconds(5) };
        configure?.Invoke(options);
        return new ChannelBridgeClient(options, _host.Connect, null, new Random(1), null);
    }

    private static ReadOnlyMemory<byte> Json(string text) => Encoding.UTF8.GetBytes(text);

    [Fact]
    public async Task ConnectAsync_AfterTheChallenge_SendsTokenAndScopesAndTellsWhoAnswers()
    {
        await using var client = Make();
        var connecting = client.ConnectAsync();
        var connection = await _host.AcceptAsync();
        var connect = await connection.ReadRequestAsync("connect");
        Assert.Equal("secret", (string?)connect["params"]!["auth"]!["token"]);
        Assert.Equal(4, (int)connect["params"]!["minProtocol"]!);
        Assert.Equal(["operator.read", "operator.write"], connect["params"]!["scopes"]!.AsArray().Select(scope => (string?)scope));
        Assert.Equal("gateway-client", (string?)connect["params"]!["client"]!["id"]);
        connection.Answer(connect, """
            {"type":"hello-ok","protocol":4,"server":{"version":"1.2.3","connId":"c","bootId":"b"},"features":{"methods":["a"],"events":[],"capabilities":[]},
             "snapshot":{"unknown":1},"auth":{"role":"operator","scopes":["operator.read"]},"policy":{"maxPayload":100,"maxBufferedBytes":1,"tickIntervalMs":1},"new":true}
            """);
        await connecting.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(ClientState.Connected, client.State);
        Assert.Equal("1.2.3", client.Server!.Version);
        Assert.Equal(["operator.read"], client.Server.Scopes);
    }

    [Fact]
    public async Task ConnectAsync_WrongToken_FailsAsUnauthorizedAndDoesNotTryAgain()
    {
        await using var client = Make(options => options.RetryFirstConnect = true);
        var connecting = client.ConnectAsync();
        var connection = await _host.AcceptAsync();
        connection.Refuse(await connection.ReadRequestAsync("connect"), """{"code":"INVALID_REQUEST","message":"no","details":{"code":"AUTH_TOKEN_MISMATCH"}}""");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Unauthorized, fault.Code);
        Assert.False(fault.Retryable);
        Assert.Equal(ClientState.Failed, client.State);
        Assert.Equal(1, _host.Tries);
        var later = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync("diagnostics"));
        Assert.Equal(ClientErrorCodes.Unauthorized, later.Code);
    }

    [Fact]
    public async Task ConnectAsync_HostAway_SaysUnreachable()
    {
        _host.OpenFailures.Enqueue(new IOException("connection refused"));
        await using var client = Make();
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.ConnectAsync().WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Unreachable, fault.Code);
        Assert.True(fault.Retryable);
        Assert.Contains("ws://127.0.0.1:7788", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectAsync_RetryFirstConnect_TriesUntilTheHostIsThere()
    {
        for (var i = 0; i < 5; i++) _host.OpenFailures.Enqueue(new IOException("connection refused"));
        await using var client = Make(options => options.RetryFirstConnect = true);
        var connecting = client.ConnectAsync();
        await _host.LetInAsync();
        await connecting.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(6, _host.Tries);
    }

    [Fact]
    public async Task ConnectAsync_FirstFrameIsNoChallenge_IsAProtocolError()
    {
        await using var client = new ChannelBridgeClient(
            new ChannelBridgeClientOptions(), () => new ScriptedHost.ScriptedConnection(_host) { SayChallenge = false }, null, new Random(1), null);
        var connecting = client.ConnectAsync();
        (await _host.AcceptAsync()).Raise("tick", "{}");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => connecting.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.ProtocolError, fault.Code);
    }

    [Fact]
    public async Task CallAsync_AnswersInAnyOrder_EachGetsItsOwn()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var first = client.CallAsync("one", Json("""{"n":1}"""));
        var one = await connection.ReadRequestAsync("one");
        var second = client.CallAsync("two");
        var two = await connection.ReadRequestAsync("two");
        Assert.Equal(1, (int)one["params"]!["n"]!);
        connection.Answer(two, "2");
        connection.Send("""{"type":"res","id":"4711","ok":true,"payload":"nobody asked"}""");
        connection.Answer(one, "1");
        Assert.Equal("1", Encoding.UTF8.GetString((await first.WaitAsync(ScriptedHost.Timeout)).Span));
        Assert.Equal("2", Encoding.UTF8.GetString((await second.WaitAsync(ScriptedHost.Timeout)).Span));
    }

    [Fact]
    public async Task CallAsync_Refused_GivesCodeRetryAndDetails()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var call = client.CallAsync("x");
        connection.Refuse(await connection.ReadRequestAsync("x"), """{"code":"BUSY","message":"full","retryable":true,"retryAfterMs":250,"details":{"queue":"inbox"}}""");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => call.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("BUSY", fault.Code);
        Assert.Equal("full", fault.Message);
        Assert.True(fault.Retryable);
        Assert.Equal(TimeSpan.FromMilliseconds(250), fault.RetryAfter);
        Assert.Equal("inbox", (string?)fault.Details!["queue"]);
    }

    [Fact]
    public async Task CallAsync_OldPluginsError_GivesItsText()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var call = client.CallAsync("x");
        var request = await connection.ReadRequestAsync("x");
        connection.Send($$"""{"type":"res","id":"{{(string?)request["id"]}}","ok":false,"payload":{"error":"messageId required"} }""");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => call.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal("messageId required", fault.Message);
    }

    [Fact]
    public async Task CallAsync_LargerThanThePolicy_IsNotSent()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        await client.ConnectAsync();
        var large = "{\"t\":\"" + new string('a', 5000) + "\"}";
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync("x", Json(large)));
        Assert.Equal(ClientErrorCodes.PayloadTooLarge, fault.Code);
        var call = client.CallAsync("y");
        connection.Answer(await connection.ReadRequestAsync("y"), "{}");
        await call.WaitAsync(ScriptedHost.Timeout);
    }

    [Fact]
    public async Task CallAsync_TooManyWaiting_IsBusy()
    {
        await using var client = Make(options => options.MaxPendingCalls = 2);
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var first = client.CallAsync("x");
        await connection.ReadRequestAsync("x");
        var second = client.CallAsync("x");
        await connection.ReadRequestAsync("x");
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync("x").WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Busy, fault.Code);
        Assert.False(first.IsCompleted);
        Assert.False(second.IsCompleted);
    }

    [Fact]
    public async Task CallAsync_NoAnswer_TimesOutByTheInjectedClock()
    {
        var time = new Support.ManualTime();
        await using var client = new ChannelBridgeClient(new ChannelBridgeClientOptions(), _host.Connect, time, new Random(1), null);
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var call = client.CallAsync("x");
        await connection.ReadRequestAsync("x");
        time.Advance(TimeSpan.FromSeconds(31));
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => call.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Timeout, fault.Code);
        Assert.True(fault.Retryable);
    }

    [Fact]
    public async Task ConnectionLost_RunningCallsFailAndLaterOnesGoOverTheNewOne()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var call = client.CallAsync("x");
        await connection.ReadRequestAsync("x");
        connection.Close();
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => call.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.ConnectionLost, fault.Code);
        Assert.Contains("1012 service restart", fault.Message, StringComparison.Ordinal);

        var again = await _host.AcceptAsync();
        var waiting = client.CallAsync("y");
        again.Answer(await again.ReadRequestAsync("connect"), """
            {"type":"hello-ok","protocol":4,"server":{"version":"9","connId":"c","bootId":"b"},"features":{"methods":[],"events":[],"capabilities":[]},
             "snapshot":{},"auth":{"role":"operator","scopes":[]},"policy":{"maxPayload":4096,"maxBufferedBytes":1,"tickIntervalMs":1}}
            """);
        again.Answer(await again.ReadRequestAsync("y"), "true");
        Assert.Equal("true", Encoding.UTF8.GetString((await waiting.WaitAsync(ScriptedHost.Timeout)).Span));
    }

    [Fact]
    public async Task ConnectionLost_WithoutReconnect_EndsTheClientAndItsSubscriptions()
    {
        await using var client = Make(options => options.Reconnect = false);
        using var events = client.Subscribe();
        _ = client.ConnectAsync();
        (await _host.LetInAsync()).Close();
        await Assert.ThrowsAsync<ChannelBridgeClientException>(async () =>
        {
            await foreach (var _ in events)
            {
                // Reads the challenge, then the failure.
            }
        }).WaitAsync(ScriptedHost.Timeout);
        Assert.Equal(ClientState.Failed, client.State);
        Assert.Equal(1, _host.Tries);
    }

    [Fact]
    public async Task Garbage_FromTheHost_EndsThatConnectionOnly()
    {
        await using var client = Make();
        _ = client.ConnectAsync();
        (await _host.LetInAsync()).Send("this is no frame");
        await _host.LetInAsync();
        await client.ConnectAsync().WaitAsync(ScriptedHost.Timeout);
    }

    [Fact]
    public async Task Subscribe_SlowReader_DropsAndCountsButAnswersGoThrough()
    {
        await using var client = Make(options => options.EventBuffer = 2);
        using var events = client.Subscribe("e");
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        for (var i = 0; i < 5; i++) connection.Raise("e", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
        connection.Raise("other", "9");
        var call = client.CallAsync("x");
        connection.Answer(await connection.ReadRequestAsync("x"), "{}");
        await call.WaitAsync(ScriptedHost.Timeout);

        await using var reader = events.GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(("0", 0L), (Encoding.UTF8.GetString(reader.Current.Payload.Span), reader.Current.Missed));
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal("1", Encoding.UTF8.GetString(reader.Current.Payload.Span));
        connection.Raise("e", "5");
        Assert.True(await reader.MoveNextAsync().AsTask().WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(("5", 3L), (Encoding.UTF8.GetString(reader.Current.Payload.Span), reader.Current.Missed));
    }

    [Fact]
    public async Task DisposeAsync_WhileConnected_SaysGoodbyeAndEndsEverything()
    {
        var client = Make();
        using var events = client.Subscribe("none");
        _ = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        var call = client.CallAsync("x");
        await connection.ReadRequestAsync("x");
        await client.DisposeAsync();
        await connection.WaitForGoodbyeAsync();
        await Assert.ThrowsAsync<ChannelBridgeClientException>(() => call.WaitAsync(ScriptedHost.Timeout));
        await foreach (var _ in events) Assert.Fail("no event was sent");
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.CallAsync("x"));
        Assert.Equal(ClientState.Closed, client.State);
    }

    [Fact]
    public async Task TokenFile_IsReadAtEveryConnect()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "first\n");
            await using var client = Make(options =>
            {
                options.Token = null;
                options.TokenFile = file;
            });
            _ = client.ConnectAsync();
            var connection = await _host.AcceptAsync();
            var connect = await connection.ReadRequestAsync("connect");
            Assert.Equal("first", (string?)connect["params"]!["auth"]!["token"]);
            connection.Answer(connect, """
                {"type":"hello-ok","protocol":4,"server":{"version":"9","connId":"c","bootId":"b"},"features":{"methods":[],"events":[],"capabilities":[]},
                 "snapshot":{},"auth":{"role":"operator","scopes":[]},"policy":{"maxPayload":4096,"maxBufferedBytes":1,"tickIntervalMs":1}}
                """);
            await client.ConnectAsync().WaitAsync(ScriptedHost.Timeout);
            await File.WriteAllTextAsync(file, "second\n");
            connection.Close();
            Assert.Equal("second", (string?)(await (await _host.AcceptAsync()).ReadRequestAsync("connect"))["params"]!["auth"]!["token"]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("ftp://x", "Endpoint: 'ftp://x' is not a valid address")]
    [InlineData("unix:", "Endpoint: the path of the Unix socket is missing")]
    [InlineData("pipe:", "Endpoint: the name of the pipe is missing")]
    public void Options_WrongEndpoint_NamesIt(string endpoint, string expected)
    {
        var fault = Assert.Throws<ArgumentException>(() => new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = endpoint }));
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_SeveralProblems_NamesEach()
    {
        var fault = Assert.Throws<ArgumentException>(() => new ChannelBridgeClient(new ChannelBridgeClientOptions
        {
            Token = "a",
            TokenFile = "b",
            CallTimeout = TimeSpan.Zero,
            EventBuffer = 0,
            MaxReconnectDelay = TimeSpan.FromMilliseconds(1),
        }));
        foreach (var name in new[] { "TokenFile", "CallTimeout", "EventBuffer", "MaxReconnectDelay" }) Assert.Contains(name + ":", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ws://h:1", EndpointKind.OpenClaw, "ws://h:1/")]
    [InlineData("http://h:1/", EndpointKind.OpenClaw, "ws://h:1/")]
    [InlineData("https://h/rpc", EndpointKind.JsonRpc, "wss://h/rpc")]
    [InlineData("127.0.0.1:7788", EndpointKind.OpenClaw, "ws://127.0.0.1:7788/")]
    [InlineData("localhost:7788/rpc", EndpointKind.JsonRpc, "ws://localhost:7788/rpc")]
    [InlineData("[::1]:7788", EndpointKind.OpenClaw, "ws://[::1]:7788/")]
    [InlineData("unix:/a b/c.sock", EndpointKind.UnixSocket, "/a b/c.sock")]
    [InlineData("unix:///a/c.sock", EndpointKind.UnixSocket, "/a/c.sock")]
    [InlineData("pipe:name", EndpointKind.Pipe, "name")]
    public void Endpoint_EveryForm_IsUnderstood(string text, object kind, string address)
    {
        Assert.True(Endpoint.TryParse(text, out var endpoint, out _));
        Assert.Equal((EndpointKind)kind, endpoint!.Kind);
        Assert.Equal(address, endpoint.Address);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("ws://")]
    [InlineData("ftp://h:1")]
    [InlineData("host")]
    [InlineData("unix:")]
    public void Endpoint_NoAddress_SaysWhatIsWrong(string text)
    {
        Assert.False(Endpoint.TryParse(text, out _, out var wrong));
        Assert.NotEmpty(wrong);
    }

    [Fact]
    public void Backoff_Failures_GrowToTheLongestAndOnlyAStableConnectionResets()
    {
        var backoff = new ReconnectBackoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60), new Random(7));
        var bounds = new List<double>();
        for (var i = 0; i < 8; i++)
        {
            bounds.Add(backoff.Bound.TotalSeconds);
            Assert.InRange(backoff.Next(), TimeSpan.Zero, TimeSpan.FromSeconds(bounds[i]));
        }

        Assert.Equal([1, 2, 4, 8, 16, 30, 30, 30], bounds);
        backoff.ConnectionEnded(TimeSpan.FromSeconds(59));
        Assert.Equal(30, backoff.Bound.TotalSeconds);
        backoff.ConnectionEnded(TimeSpan.FromSeconds(60));
        Assert.Equal(1, backoff.Bound.TotalSeconds);
    }
}
