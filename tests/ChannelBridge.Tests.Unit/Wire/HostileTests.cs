using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>Each row: a coded error on that message, with its id where it can be told, and the connection serves on.</summary>
public sealed class HostileTests
{
    private const string Deep = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";

    public static TheoryData<string, string, string> Frames => new()
    {
        // frame, the id of the answer, part of the message
        { "", "invalid", "not one JSON value" },
        { "nonsense", "invalid", "not one JSON value" },
        { "null", "invalid", "must be object" },
        { "[]", "invalid", "must be object" },
        { "5", "invalid", "must be object" },
        { "{}", "invalid", "must have required property 'type'" },
        { """{"type":"req"}""", "invalid", "must have required property 'id'" },
        { """{"type":"req","id":"a"}""", "a", "must have required property 'method'" },
        { """{"type":"req","id":"a","method":5}""", "a", "at /method: must be string" },
        { """{"type":"req","id":"a","method":""}""", "a", "at /method: must not have fewer than 1 characters" },
        { """{"type":"req","id":5,"method":"ping"}""", "invalid", "at /id: must be string" },
        { """{"type":"req","id":"","method":"ping"}""", "invalid", "at /id: must not have fewer than 1 characters" },
        { """{"type":"req","id":null,"method":"ping"}""", "invalid", "at /id: must be string" },
        { """{"type":"res","id":"a","ok":true}""", "a", "at /type: must be equal to constant" },
        { """{"type":"event","event":"tick"}""", "invalid", "unexpected property 'event'" },
        { """{"type":"req","id":"a","method":"ping","foo":1}""", "a", "at root: unexpected property 'foo'" },
        { """{"type":"req","id":"a","method":"ping","traceparent":5}""", "a", "at /traceparent: must be string" },
        { """{"type":"req","id":"a","method":"ping","id":"b"}""", "a", "same member twice" },
        { """{"type":"req","id":"a","method":"ping","params":{"x":1,"\u0078":2}}""", "a", "same member twice" },
        { """{"type":"req","id":"a","method":"ping","params":{"a":{"x":1,"x":2}}}""", "a", "same member twice" },
        { """{"type":"req","id":"a","method":"ping","params":{}""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"ping"} x""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"ping"}{}""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"ping","params":{"x":01}}""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"ping","params":{"\ud800":1}}""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"p\ud800"}""", "a", "not one JSON value" },
        { """{"type":"req","id":"a","method":"ping","params":""" + Deep + "}", "a", "nested deeper than 64" },
        { """{"type":"req","id":"a","method":"ping","params":""" + "\"" + new string('x', 2_000_000) + "\"}", "a", "longer than 1000000 bytes" },
        { """{"type":"req","id":"a","method":"ping","params":[""" + "1" + string.Concat(Enumerable.Repeat(",1", 6000)) + "]}", "a", "more than 5000 values" },
        { """{"type":"req","id":"a","method":"ping","params":{""" + string.Join(',', Enumerable.Range(0, 1100).Select(i => $"\"k{i}\":1")) + "}}", "a", "more than 1000 members" },
        { """{"type":"req","id":"a","method":"ping","params":{""" + "\"" + new string('k', 2000) + "\":1}}", "a", "name is longer than 1024 bytes" },
        { """{"type":"req","id":" """ + new string('i', 2000) + "\",\"method\":\"ping\"}", "invalid", "at /id" },
        { """{"type":"req","id":"a","method":"test.echo","params":[1]}""", "a", "test.echo: params" },
        { """{"type":"req","id":"a","method":"test.echo","params":"x"}""", "a", "test.echo: params" },
        { """{"type":"req","id":"a","method":"test.echo","params":{"text":5}}""", "a", "params.text" },
        { """{"type":"req","id":"a","method":"test.echo","params":{"text":"\ud800"}}""", "a", "params.text" },
        { """{"type":"req","id":"a","method":"test.echo"}""", "a", "test.echo: params" },
        { """{"type":"req","id":"a","method":"ping\u0000"}""", "a", "unknown method" },
        { """{"type":"req","id":"a","method":"__proto__"}""", "a", "unknown method" },
    };

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task Frame_Hostile_RefusedAndServed(string frame, string id, string message)
    {
        await using var host = await WireHost.StartAsync(limits =>
        {
            limits.MaxStringBytes = 1_000_000;
            limits.MaxValues = 5000;
            limits.MaxMembersPerObject = 1000;
        });
        await using var client = await host.ConnectAsync();
        await client.SendAsync(frame);

        var answer = await client.ReceiveAsync();
        Assert.Equal("res", (string?)answer["type"]);
        Assert.Equal(id, (string?)answer["id"]);
        Assert.False((bool)answer["ok"]!);
        Assert.Equal("INVALID_REQUEST", (string?)answer["error"]!["code"]);
        Assert.Contains(message, (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.True((bool)(await client.CallAsync("after", "ping"))["ok"]!);
    }

    [Fact]
    public async Task Frame_LargerThanMaxPayload_RefusedByItsIdAndServed()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MaxPayloadBytes = 1_000_000);
        await using var client = await host.ConnectAsync();
        foreach (var frame in new[]
        {
            """{"type":"req","id":"early","method":"ping","params":{"x":"PAD"}}""",
            """{"type":"req","params":{"id":"inner","x":"PAD"},"method":"ping","id":"late"}""",
        })
        {
            await client.SendAsync(frame.Replace("PAD", new string('x', 3_000_000), StringComparison.Ordinal));
            var answer = await client.ReceiveAsync();
            Assert.Equal(frame.Contains("early", StringComparison.Ordinal) ? "early" : "late", (string?)answer["id"]);
            Assert.Equal("PAYLOAD_TOO_LARGE", (string?)answer["error"]!["code"]);
        }

        Assert.True((bool)(await client.CallAsync("after", "ping"))["ok"]!);
    }

    [Fact]
    public async Task LocalMessage_LargerThanMaxPayload_RefusedByItsIdAndServed()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MaxPayloadBytes = 1_000_000);
        await using var client = await host.LocalAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","method":"ping","params":{"x":"PAD"},"id":77}""".Replace("PAD", new string('x', 3_000_000), StringComparison.Ordinal));

        var answer = (await client.ReceiveAsync())!;
        Assert.Equal(77, (int)answer["id"]!);
        Assert.Equal("PAYLOAD_TOO_LARGE", (string?)answer["error"]!["data"]!["code"]);
        Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task LocalMessage_OctetStream_RefusedAndServed()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();
        await client.SendRawAsync([.. "CONTENT-LENGTH: 5\r\ncontent-type: Application/Octet-Stream; x=y\r\n\r\n"u8, 0, 1, 2, 3, 4]);

        Assert.Equal("INVALID_REQUEST", (string?)(await client.ReceiveAsync())!["error"]!["data"]!["code"]);
        Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "Name: value")]
    [InlineData("Content-Type: text/plain\r\n\r\n", "needs Content-Length")]
    [InlineData("Content-Length: -5\r\n\r\n", "not a number")]
    [InlineData("Content-Length: 99999999999999999999\r\n\r\n", "not a number")]
    [InlineData("Content-Length 5\r\n\r\n", "Name: value")]
    [InlineData("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "twice")]
    public async Task LocalStream_BrokenFraming_IsToldAndClosed(string bytes, string message)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();
        await client.SendRawAsync(Encoding.ASCII.GetBytes(bytes));

        var answer = (await client.ReceiveAsync())!;
        Assert.Equal(-32700, (int)answer["error"]!["code"]!);
        Assert.Contains(message, (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.Null(await client.ReceiveAsync());
        await using var next = await host.LocalAsync();
        Assert.NotNull((await next.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task LocalStream_EndlessHeader_IsClosed()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();
        await client.SendRawAsync(Encoding.ASCII.GetBytes("X-A: " + new string('a', 10_000)));

        Assert.Contains("larger than 4096", (string?)(await client.ReceiveAsync())!["error"]!["message"], StringComparison.Ordinal);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task Preauth_FrameTooLarge_Closed1009()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync("/"));
        await client.SendAsync(new string('x', 70_000));
        Assert.Equal("1009 preauth payload too large", await client.ReceiveCloseAsync());

        await using var rpc = await host.RpcAsync(bearer: null);
        await rpc.SendAsync(new string('x', 70_000));
        Assert.StartsWith("1009", await rpc.ReceiveCloseAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("""{"type":"req","id":"1","method":"connect","params":{"foo":1}}""")]
    [InlineData("""{"type":"req","id":"1","method":"connect"}""")]
    [InlineData("""{"type":"hello"}""")]
    public async Task Preauth_BadFirstFrame_Closed1008(string frame)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync("/"));
        await client.SendAsync(frame);

        Assert.StartsWith("1008 ", await client.ReceiveCloseAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/rpc")]
    public async Task Preauth_Silence_ClosedAfterThirtySeconds(string path)
    {
        var time = new ManualTime();
        await using var host = await WireHost.StartAsync(limits => limits.KeepAliveInterval = Timeout.InfiniteTimeSpan, time: time);
        await using var client = new WireClient(await host.OpenAsync(path));
        if (path == "/") await client.ReceiveAsync();
        var closed = client.ReceiveCloseAsync();
        time.Advance(TimeSpan.FromSeconds(28));
        await using var other = new WireClient(await host.OpenAsync("/"));
        await other.ReceiveAsync();
        Assert.False(closed.IsCompleted);
        while (!closed.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(closed, Task.Delay(5));
        }

        Assert.StartsWith("1008 authentication timeout", await closed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SlowLoris_MessageThatNeverEnds_IsClosed()
    {
        var time = new ManualTime();
        await using var host = await WireHost.StartAsync(limits => limits.KeepAliveInterval = Timeout.InfiniteTimeSpan, time: time);
        await using var client = await host.ConnectAsync();
        await client.Socket.SendAsync("{\"type\":"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: false, default);
        await using var local = await host.LocalAsync();
        await local.SendRawAsync("Content-Length: 100\r\n\r\n{"u8.ToArray());

        var closed = client.ReceiveCloseAsync();
        var end = local.ReceiveAsync();
        while (!closed.IsCompleted || !end.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(Task.WhenAll(closed, end), Task.Delay(5));
        }

        // Ticks come in between; the close does in the end.
        Assert.StartsWith("1008 message timeout", await closed, StringComparison.Ordinal);
        Assert.Null(await end);
    }

    [Fact]
    public async Task NotUtf8_ClosesThatConnectionOnly()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await using var other = await host.ConnectAsync();
        await client.SendAsync([(byte)'"', 0xff, 0xfe, (byte)'"']);

        // RFC 6455 §8.1 leaves no choice.
        Assert.StartsWith("1007", await client.ReceiveCloseAsync(), StringComparison.Ordinal);
        Assert.True((bool)(await other.CallAsync("1", "ping"))["ok"]!);
        await using var local = await host.LocalAsync();
        await local.SendRawAsync([.. "Content-Length: 40\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p"u8, 0xff, .. "ng\"}"u8]);
        Assert.Equal(-32700, (int)(await local.ReceiveAsync())!["error"]!["code"]!);
        Assert.NotNull((await local.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task DuplicateId_WhileItRuns_RefusedThenFree()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.RequestAsync("same", "test.hold", """{"key":"d"}""");
        var refused = await client.CallAsync("same", "ping");
        Assert.Contains("still running", (string?)refused["error"]!["message"], StringComparison.Ordinal);
        host.Methods.Release("d");
        Assert.Equal("d", (string?)(await client.ReceiveAsync())["payload"]!["text"]);
        Assert.True((bool)(await client.CallAsync("same", "ping"))["ok"]!);
    }

    [Fact]
    public async Task Flood_OverTheRateOfTheToken_RateLimitedThenServed()
    {
        var time = new ManualTime();
        await using var host = await WireHost.StartAsync(
            limits =>
            {
                limits.KeepAliveInterval = Timeout.InfiniteTimeSpan;
                limits.RequestsPerSecondPerToken = 5;
            },
            time: time);
        await using var one = await host.ConnectAsync();
        await using var two = await host.ConnectAsync();
        for (var i = 0; i < 10; i++) Assert.True((bool)(await (i % 2 == 0 ? one : two).CallAsync($"{i}", "ping"))["ok"]!);

        var limited = (await one.CallAsync("10", "ping"))["error"]!;
        Assert.Equal("RATE_LIMITED", (string?)limited["code"]);
        Assert.True((bool)limited["retryable"]!);
        Assert.Equal(200, (int)limited["retryAfterMs"]!);
        await using var reader = await host.ConnectAsync(WireHost.ReadToken);
        Assert.True((bool)(await reader.CallAsync("r", "ping"))["ok"]!);
        time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.True((bool)(await one.CallAsync("11", "ping"))["ok"]!);
    }

    [Fact]
    public async Task Flood_OverTheRateOfTheAddress_RateLimitedOnEachOfItsConnections()
    {
        var time = new ManualTime();
        await using var host = await WireHost.StartAsync(
            limits =>
            {
                limits.KeepAliveInterval = Timeout.InfiniteTimeSpan;
                limits.LimitLoopback = true;
                limits.RequestsPerSecondPerAddress = 5;
            },
            time: time);
        // Whoever hasn't authenticated counts, too, and so does what isn't even a request.
        await using var one = await host.RpcAsync(bearer: null);
        await using var two = await host.RpcAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.NotNull((await one.RpcAsync(i, "rpc.discover"))["result"]);
            await two.SendAsync("nonsense");
            Assert.Equal("INVALID_REQUEST", Code(await two.ReceiveAsync()));
        }

        foreach (var client in new[] { one, two })
        {
            Assert.Equal("RATE_LIMITED", Code(await client.RpcAsync(10, "ping")));
            await client.SendAsync("nonsense");
            Assert.Equal("RATE_LIMITED", Code(await client.ReceiveAsync()));
        }

        time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull((await one.RpcAsync(11, "ping"))["result"]);
    }

    [Fact]
    public async Task FailedAuthentications_TooMany_AreToldToWait_AndTheRightTokenIsNever()
    {
        await using var host = await WireHost.StartAsync(limits =>
        {
            limits.LimitLoopback = true;
            limits.AuthFailuresPerMinute = 3;
        });
        await using var client = await host.RpcAsync(bearer: null);
        for (var i = 0; i < 3; i++)
            Assert.Equal("UNAUTHORIZED", Code(await client.RpcAsync(i, "auth.authenticate", """{"token":"wrong-0123456789"}""")));
        Assert.Equal("RATE_LIMITED", Code(await client.RpcAsync(9, "auth.authenticate", """{"token":"wrong-0123456789"}""")));

        await using var openClaw = new WireClient(await host.OpenAsync("/"));
        await openClaw.ReceiveAsync();
        await openClaw.SendAsync(WireClient.Connect("wrong-0123456789").ToJsonString());
        Assert.Equal("AUTH_RATE_LIMITED", (string?)(await openClaw.ReceiveAsync())["error"]!["details"]!["code"]);

        // The right token is never refused for the failures of whoever else comes from the address.
        Assert.NotNull((await client.RpcAsync(10, "auth.authenticate", $$"""{"token":"{{WireHost.Token}}"}"""))["result"]);
        await using var right = await host.ConnectAsync();
    }

    [Fact]
    public async Task Connections_MoreThanAllowed_Refused503ThenFree()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MaxConnections = 2);
        await using var one = await host.ConnectAsync();
        var two = await host.ConnectAsync();
        var fault = await Assert.ThrowsAsync<WebSocketException>(() => host.OpenAsync("/"));
        Assert.Contains("503", fault.Message, StringComparison.Ordinal);

        two.Socket.Abort();
        await Wait.UntilAsync(() => host.Doors.Connections <= 1);
        await using var three = await host.ConnectAsync();
        Assert.True((bool)(await three.CallAsync("1", "ping"))["ok"]!);
        await two.DisposeAsync();
    }

    [Fact]
    public async Task HalfOpen_PeerThatAnswersNoPing_IsGivenUp()
    {
        await using var host = await WireHost.StartAsync(limits =>
        {
            limits.KeepAliveInterval = TimeSpan.FromMilliseconds(200);
            limits.KeepAliveTimeout = TimeSpan.FromMilliseconds(300);
            // Nothing else ends it: an authenticated peer that is gone would stay for ever.
            limits.PreauthTimeout = TimeSpan.FromHours(1);
        });
        using var dead = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        await dead.ConnectAsync(host.Address.Host, host.Address.Port);
        await dead.SendAsync(Encoding.ASCII.GetBytes(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"));
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        while (host.Doors.Connections == 0) await Task.Delay(5, timeout.Token);

        // It is connected, reads nothing and says nothing.
        while (host.Doors.Connections > 0) await Task.Delay(20, timeout.Token);
    }

    [Fact]
    public async Task Upgrade_BadHeaders_Refused400()
    {
        await using var host = await WireHost.StartAsync();
        foreach (var (version, key) in new[] { ("12", "AAAAAAAAAAAAAAAAAAAAAA=="), ("13", "short"), ("13", "") })
        {
            using var raw = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
            await raw.ConnectAsync(host.Address.Host, host.Address.Port);
            await raw.SendAsync(Encoding.ASCII.GetBytes(
                $"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n"));
            var buffer = new byte[1024];
            var count = await raw.ReceiveAsync(buffer);
            Assert.StartsWith("HTTP/1.1 400", Encoding.ASCII.GetString(buffer, 0, count), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("https://evil.example", false)]
    [InlineData("null", false)]
    [InlineData("file://", false)]
    [InlineData("http://localhost:5173", true)]
    [InlineData("http://127.0.0.1:1", true)]
    [InlineData("https://ops.example.org", true)]
    public async Task Origin_OfAPage_DecidesWhetherItMayConnect(string origin, bool allowed)
    {
        await using var host = await WireHost.StartAsync(options: options => options.AllowedOrigins.Add("https://ops.example.org"));
        if (allowed)
        {
            using var socket = await host.OpenAsync("/", origin: origin);
            return;
        }

        var fault = await Assert.ThrowsAsync<WebSocketException>(() => host.OpenAsync("/", origin: origin));
        Assert.Contains("403", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PlainHttp_OnTheDoors_IsToldWhatToDo()
    {
        await using var host = await WireHost.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(host.Address.ToString().Replace("ws:", "http:", StringComparison.Ordinal)) };

        using var root = await http.GetAsync(new Uri("/", UriKind.Relative));
        Assert.Equal(426, (int)root.StatusCode);
        Assert.Contains("/rpc", await root.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var other = await http.GetAsync(new Uri("/favicon.ico", UriKind.Relative));
        Assert.Equal(404, (int)other.StatusCode);
    }

    private static string? Code(JsonObject answer) => (string?)answer["error"]!["data"]!["code"];
}
