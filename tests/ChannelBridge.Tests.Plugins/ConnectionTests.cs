using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Tests.Plugins;

public sealed class ConnectionTests
{
    private static readonly PluginCaller s_caller = new("first", ["operator.read"], "listener", "c_1");
    private static readonly OutboundMessage s_outbound = new() { Channel = "chat", AccountId = "Main", SessionKey = "chat:ann", Route = "ann", Text = "hi" };
    private static readonly PluginAck s_ack = new() { Id = Guid.NewGuid(), Channel = "chat", AccountId = "Main", Ok = true };
    private static readonly PluginInbound s_message = new()
    {
        Channel = "chat",
        AccountId = "Main",
        SessionKey = "chat:ann",
        Route = "ann",
        SenderId = "ann",
        Text = "hello",
    };

    [Fact]
    public async Task Calls_GoBothWaysWithTypedAnswers()
    {
        var pipes = new PipePair();
        var id = Guid.NewGuid();
        var (host, plugin) = pipes.Host(
            new FakeHost { OnAccept = (message, key, _) => Task.FromResult(new PluginAccepted(id, key == message.Text)) });
        var (other, toHost) = pipes.Plugin(new FakePlugin());
        await using (host)
        await using (other)
        {
            var offer = await plugin.InitializeAsync(Hello(), default);
            Assert.Equal(["chat"], offer.Channels);
            var started = await plugin.StartAsync(new PluginStart(), default);
            Assert.True(started.Accounts["chat"][0].Connected);
            Assert.Equal(new PluginAccepted(id, Duplicate: true), await toHost.AcceptAsync(s_message, "hello", 1000, null, default));
            Assert.Null(await toHost.GetRecordAsync("chat", "none", default));
            var pushed = await plugin.PushAsync(id, 1, 1, 2, Outbound(), default);
            Assert.Equal(id, pushed.Ack!.Id);
            Assert.Equal("chat:bob", (await plugin.ResolveTargetAsync("chat", "Main", "bob", default)).SessionKey);
        }
    }

    [Fact]
    public async Task Error_KeepsCodeAndRetry_AndNamesNoType()
    {
        var pipes = new PipePair();
        var (host, _) = pipes.Host(new FakeHost
        {
            OnAccept = (_, _, _) => throw BridgeException.Busy("too many", TimeSpan.FromSeconds(3)),
            OnAck = _ => throw new InvalidOperationException("secret of the host"),
        });
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await raw.SendAsync(Accept(1));
        var busy = (await raw.ReadAsync())["error"]!;
        Assert.Equal(-32000, busy["code"]!.GetValue<int>());
        Assert.Equal("BUSY", busy["data"]!["code"]!.GetValue<string>());
        Assert.True(busy["data"]!["retryable"]!.GetValue<bool>());
        Assert.Equal(3000, busy["data"]!["retryAfterMs"]!.GetValue<int>());

        await raw.SendAsync("""
            {"jsonrpc":"2.0","id":2,"method":"ack",
             "params":{"ack":{"id":"4b3f4a1e-3d35-4a3f-9a10-2f6b6a5b1c11","channel":"chat","accountId":"Main","ok":true}}}
            """);
        var fault = (await raw.ReadAsync()).ToJsonString();
        Assert.Contains("INTERNAL", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnknownMethodAndWrongParameters_HaveTheirOwnNumbers()
    {
        var pipes = new PipePair();
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await raw.SendAsync("""{"jsonrpc":"2.0","id":"a","method":"nothing","params":{}}""");
        var unknown = await raw.ReadAsync();
        Assert.Equal(-32601, unknown["error"]!["code"]!.GetValue<int>());
        Assert.Equal("NOT_FOUND", unknown["error"]!["data"]!["code"]!.GetValue<string>());
        foreach (var wrong in (string[])["{\"message\":17}", "{}", "{\"key\":\"k\"}"])
        {
            await raw.SendAsync($$"""{"jsonrpc":"2.0","id":"b","method":"accept","params":{{wrong}}}""");
            var answer = await raw.ReadAsync();
            Assert.Equal(-32602, answer["error"]!["code"]!.GetValue<int>());
            Assert.Equal("INVALID_REQUEST", answer["error"]!["data"]!["code"]!.GetValue<string>());
            Assert.DoesNotContain("System.", answer.ToJsonString(), StringComparison.Ordinal);
            Assert.DoesNotContain("ChannelBridge", answer.ToJsonString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"code":-32602,"message":"x"}""", "INVALID_REQUEST", false)]
    [InlineData("""{"code":-32601,"message":"x"}""", "NOT_FOUND", false)]
    [InlineData("""{"code":-32000,"message":"x","data":{"code":"RATE_LIMITED","retryable":true,"retryAfterMs":5}}""", "RATE_LIMITED", true)]
    [InlineData("""{"code":-32000,"message":"x","data":"a word"}""", "INTERNAL", false)]
    [InlineData("""{"code":5,"message":"x","data":{"type":"ValueError","stack":["a"]}}""", "INTERNAL", false)]
    public async Task ErrorOfAPlugin_BecomesOurs_AndTheConnectionGoesOn(string error, string code, bool retryable)
    {
        var pipes = new PipePair();
        var (host, plugin) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        for (var round = 0; round < 2; round++)
        {
            var call = plugin.CallMethodAsync("chat.x", JsonSerializer.SerializeToElement(new { }), s_caller, default).TranslateAsync();
            var request = await raw.ReadAsync();
            await raw.SendAsync($$"""{"jsonrpc":"2.0","id":{{request["id"]!.ToJsonString()}},"error":{{error}}}""");
            var thrown = await Assert.ThrowsAsync<BridgeException>(() => call);
            Assert.Equal(code, thrown.Code);
            Assert.Equal(retryable, thrown.Retryable);
        }
    }

    [Fact]
    public async Task Cancel_ReachesTheOtherEnd_AndIsAnswered32800()
    {
        var pipes = new PipePair();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (host, _) = pipes.Host(new FakeHost
        {
            OnAccept = async (_, _, token) =>
            {
                started.SetResult();
                await Task.Delay(Timeout.Infinite, token);
                return null!;
            },
        });
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await raw.SendAsync(Accept(7));
        await started.Task;
        await raw.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7}}""");
        var answer = await raw.ReadAsync();
        Assert.Equal(-32800, answer["error"]!["code"]!.GetValue<int>());
        Assert.Equal("CANCELLED", answer["error"]!["data"]!["code"]!.GetValue<string>());
    }

    [Fact]
    public async Task MoreOpenCallsThanTheBound_AreBusy_WhileAnswersAndCancelsAreRead()
    {
        var pipes = new PipePair();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (host, plugin) = pipes.Host(
            new FakeHost
            {
                OnAccept = async (_, _, token) =>
                {
                    await gate.Task.WaitAsync(token);
                    return new PluginAccepted(Guid.Empty, Duplicate: false);
                },
            },
            new PluginLimits { MaxOpenRequests = 4 });
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        for (var id = 1; id <= 5; id++) await raw.SendAsync(Accept(id));
        var busy = await raw.ReadAsync();
        Assert.Equal(5, busy["id"]!.GetValue<int>());
        Assert.Equal("BUSY", busy["error"]!["data"]!["code"]!.GetValue<string>());

        // An answer to the host is taken although four calls are open, and so is a cancel.
        var health = plugin.CheckHealthAsync(default);
        var request = await raw.ReadAsync();
        await raw.SendAsync($$$"""{"jsonrpc":"2.0","id":{{{request["id"]!.ToJsonString()}}},"result":{"ok":true}}""");
        Assert.True((await health).Ok);
        await raw.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}""");
        Assert.Equal(2, (await raw.ReadAsync())["id"]!.GetValue<int>());
        gate.SetResult();
        var left = new List<int>();
        for (var i = 0; i < 3; i++) left.Add((await raw.ReadAsync())["id"]!.GetValue<int>());
        Assert.Equal([1, 3, 4], left.Order());
        await raw.SendAsync(Accept(6));
        Assert.NotNull((await raw.ReadAsync())["result"]);
        Assert.Equal(1, host.Traffic.Refused);
    }

    // A channel that acks without waiting for the acks' answers had one refused when the disk was slow, and its message came again after the ack time-out.
    [Fact]
    public async Task MoreCallsOfThePluginThanTheHostTakes_WaitForTheirTurn_AndNoneIsRefused()
    {
        var pipes = new PipePair();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var limits = new PluginLimits { MaxOpenRequests = 4 };
        var (host, _) = pipes.Host(
            new FakeHost
            {
                OnAck = async _ =>
                {
                    await gate.Task;
                    return "acked";
                },
            },
            limits);
        var (plugin, toHost) = pipes.Plugin(new FakePlugin(), limits);
        await using var _1 = host;
        await using var _2 = plugin;
        var acks = Enumerable.Range(0, 100).Select(_ => toHost.AckAsync(s_ack, null, default)).ToList();
        using var stop = new CancellationTokenSource();
        var stopped = toHost.AckAsync(s_ack, null, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopped);
        gate.SetResult();
        Assert.All(await Task.WhenAll(acks), answer => Assert.Equal("acked", answer));
        Assert.Equal(0, host.Traffic.Refused);
    }

    [Fact]
    public async Task CallsThatWaitForTheirTurn_EndWithTheConnection()
    {
        var pipes = new PipePair();
        var limits = new PluginLimits { MaxOpenRequests = 1 };
        var (host, _) = pipes.Host(new FakeHost { OnAck = _ => new TaskCompletionSource<string>().Task }, limits);
        var (plugin, toHost) = pipes.Plugin(new FakePlugin(), limits);
        await using var _1 = host;
        var calls = Enumerable.Range(0, 3).Select(_ => toHost.AckAsync(s_ack, null, default)).ToList();
        await plugin.DisposeAsync();
        foreach (var call in calls) await Assert.ThrowsAnyAsync<Exception>(() => call.WaitAsync(TimeSpan.FromMinutes(1)));
    }

    // More pushes at once than a process takes calls were refused, and each counted as a failed attempt.
    [Fact]
    public async Task MorePushesThanAProcessTakes_WaitForTheirTurn_AndTheHostIsStillHeard()
    {
        var pipes = new PipePair();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (host, plugin) = pipes.Host(new FakeHost());
        var (other, _) = pipes.Plugin(new FakePlugin { OnPush = () => gate.Task });
        await using var _1 = host;
        await using var _2 = other;
        var link = new PluginLink("chat");
        link.Set(plugin, host.Streams);
        var target = new PluginPushTarget(
            new PluginChannel(new ManifestChannel { Id = "chat" }, link, null!, [], []), link.Current!, "chat", null!, TimeProvider.System, _ => { }, text => text);
        var pushes = Enumerable.Range(1, 1000)
            .Select(seq => target.PushAsync(new PushItem(Guid.NewGuid(), seq, s_outbound, 1, 1), default).AsTask()).ToList();
        Assert.True((await plugin.CheckHealthAsync(default)).Ok);
        gate.SetResult();
        Assert.All(await Task.WhenAll(pushes), outcome => Assert.Equal(PushOutcome.Flushed, outcome));
        Assert.Equal(0, other.Traffic.Refused);
    }

    // The same fault for a plugin in another language, which sends an ack without waiting for the answer to the one before.
    [Fact]
    public async Task AcksThatWaitForTheDisk_HoldPushesBack_BeforeAnAckIsRefused()
    {
        var disk = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var outbox = new SlowOutbox(disk.Task);
        var pipes = new PipePair();
        var link = new PluginLink("chat");
        var channel = new PluginChannel(new ManifestChannel { Id = "chat" }, link, outbox, [], []);
        var desk = new PluginDesk(
            null!, new Dictionary<string, PluginChannel> { ["chat"] = channel }, link, null!, null!, outbox, null!, null!, null!, text => text, TimeProvider.System,
            null!, null, null);
        await desk.ReportAccountsAsync("chat", [new PluginAccount { AccountId = "Main", Connected = true }], default);
        var (host, plugin) = pipes.Host(desk);
        await using var _1 = host;
        link.Set(plugin, host.Streams);
        var target = new PluginPushTarget(channel, link.Current!, "chat", outbox, TimeProvider.System, _ => { }, text => text);
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);

        // One conversation: the next push is made when the ack of the last one has come, not when it is on the disk.
        var (acks, pushes) = (0, 0);
        var pushing = Task.Run(async () =>
        {
            for (var seq = 1; seq <= 300; seq++)
            {
                if (seq == 129) Assert.Equal(128, link.Current!.Places.Taken);
                var push = target.PushAsync(new PushItem(Guid.NewGuid(), seq, s_outbound, 1, 1), default);
                if (seq == 129) disk.SetResult();
                await push;
                await outbox.HeardAsync(seq);
            }
        });
        while (acks < 300)
        {
            var message = await raw.ReadAsync();
            if ((string?)message["method"] != "push")
            {
                Assert.Null(message["error"]);
                acks++;
                continue;
            }

            await raw.SendAsync($$$"""{"jsonrpc":"2.0","id":{{{message["id"]!.ToJsonString()}}},"result":{"outcome":"flushed"}}""");
            await raw.SendAsync(new JsonObject
            {
                ["jsonrpc"] = "2.0",
                ["id"] = 10_000 + pushes,
                ["method"] = "ack",
                ["params"] = new JsonObject
                {
                    ["ack"] = new JsonObject { ["id"] = message["params"]!["id"]!.DeepClone(), ["channel"] = "chat", ["accountId"] = "Main", ["ok"] = true },
                },
            }.ToJsonString());
            pushes++;
        }

        await pushing;
        Assert.Equal((300, 0), (pushes, host.Traffic.Refused));
    }

    [Fact]
    public async Task CallsWithoutReading_EndTheConnectionInsideItsBound()
    {
        var pipes = new PipePair(capacity: 4096);
        var (host, _) = pipes.Host(new FakeHost(), new PluginLimits { MaxOpenRequests = 16, MaxUnreadBytes = 64 * 1024 });
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        var flood = Task.Run(async () =>
        {
            for (var id = 1; id <= 100_000 && !host.Ended.IsCompleted; id++) await raw.SendAsync(Accept(id))
                .WaitAsync(TimeSpan.FromMinutes(1));
        });
        var fault = await host.Ended.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(ErrorCodes.Busy, Assert.IsType<BridgeException>(fault).Code);
        await host.DisposeAsync();
        await flood;
    }

    [Fact]
    public async Task SecondAnswersAndNotifications_AreCountedAndDropped()
    {
        var pipes = new PipePair();
        var (host, plugin) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        var health = plugin.CheckHealthAsync(default);
        var id = (await raw.ReadAsync())["id"]!.ToJsonString();
        for (var i = 0; i < 3; i++) await raw.SendAsync($$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{"ok":true}}""");
        await raw.SendAsync("""{"jsonrpc":"2.0","id":999,"error":{"code":1,"message":"no"}}""");
        await raw.SendAsync("""{"jsonrpc":"2.0","method":"log","params":{"level":"error","text":"hi"}}""");
        await health;
        await raw.SendAsync(Accept(1));
        await raw.ReadAsync();
        Assert.Equal(3, host.Traffic.Strays);
        Assert.Equal(1, host.Traffic.Dropped);
    }

    [Theory]
    [InlineData("hello, this is a log line and no message\n\n")]
    [InlineData("Content-Length: 2000000\r\n\r\n")]
    [InlineData("Content-Length: -1\r\n\r\n")]
    [InlineData("Content-Length: 5\r\n\r\n{\"a\":")]
    [InlineData("Content-Length: 3\r\n\r\n[1]")]
    [InlineData("Content-Length: 3\r\nContent-Type: application/octet-stream\r\n\r\nabc")]
    public async Task Garbage_EndsTheConnectionWithAReason(string garbage)
    {
        var pipes = new PipePair();
        var (host, plugin) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var call = plugin.CheckHealthAsync(default).TranslateAsync();
        await new RawEnd(pipes.PluginInput, pipes.PluginOutput).SendBytesAsync(Encoding.UTF8.GetBytes(garbage));
        Assert.NotNull(await host.Ended.WaitAsync(TimeSpan.FromMinutes(1)));
        var gone = await Assert.ThrowsAsync<BridgeException>(() => call);
        Assert.Equal(ErrorCodes.Unavailable, gone.Code);
        Assert.True(gone.Retryable);
    }

    [Fact]
    public async Task AGigabyteWithoutANewline_EndsTheConnectionAfterAKilobyte()
    {
        var pipes = new PipePair();
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await raw.SendBytesAsync(new byte[2048]);
        var fault = await host.Ended.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.IsType<PluginProtocolException>(fault);
    }

    [Fact]
    public async Task MessageThatIsTooLarge_IsRefusedAtTheSender_AndTheConnectionGoesOn()
    {
        var pipes = new PipePair();
        var (host, plugin) = pipes.Host(new FakeHost());
        var large = JsonSerializer.SerializeToElement(new string('x', PluginProtocol.MaxMessageBytes));
        var (other, _) = pipes.Plugin(
            new FakePlugin { OnMethod = (name, parameters, _) => Task.FromResult(name == "large" ? large : parameters) });
        await using (host)
        await using (other)
        {
            var small = JsonSerializer.SerializeToElement(1);
            var answer = await Assert.ThrowsAsync<BridgeException>(
                () => plugin.CallMethodAsync("large", small, s_caller, default).TranslateAsync());
            Assert.Equal(ErrorCodes.PayloadTooLarge, answer.Code);
            var call = await Assert.ThrowsAsync<BridgeException>(
                () => plugin.CallMethodAsync("x", large, s_caller, default).TranslateAsync());
            Assert.Equal(ErrorCodes.PayloadTooLarge, call.Code);
            Assert.Equal(1, (await plugin.CallMethodAsync("x", small, s_caller, default)).GetInt32());
        }
    }

    [Fact]
    public async Task UnknownMembers_AreSkipped()
    {
        var pipes = new PipePair();
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await raw.SendAsync("""{"jsonrpc":"2.0","id":1,"method":"log","params":{"level":"debug","text":"x","later":{"a":[1]}}}""");
        Assert.Null((await raw.ReadAsync())["error"]);
    }

    /// <summary>Takes acks, and records none before its disk does.</summary>
    private sealed class SlowOutbox(Task disk) : IOutbox
    {
        private readonly SemaphoreSlim _heard = new(0);

        public async Task HeardAsync(long seq) => Assert.True(await _heard.WaitAsync(TimeSpan.FromMinutes(1)), $"the ack of {seq}");

        public async ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            _heard.Release();
            await disk;
            return AckResult.Acked;
        }

        public ValueTask<OutboxReceipt> SendAsync(
            OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public void Attach(string channel, string accountId, IPushTarget target) => throw new NotSupportedException();

        public void Detach(string channel, string accountId, IPushTarget target) => throw new NotSupportedException();

        public Backlog GetBacklog(string channel, string accountId) => default;
    }

    internal static PluginHello Hello() => new()
    {
        Protocols = [1],
        Plugin = "chat",
        Version = "1.0.0",
        Host = "test",
        DataFolder = "/tmp",
        MaxOpenRequests = 256,
    };

    internal static PluginOutbound Outbound() =>
        new() { Channel = "chat", AccountId = "Main", SessionKey = "chat:ann", Route = "ann", Text = "hi" };

    private static string Accept(int id) => new JsonObject
    {
        ["jsonrpc"] = "2.0",
        ["id"] = id,
        ["method"] = "accept",
        ["params"] = new JsonObject
        {
            ["message"] = new JsonObject
            {
                ["channel"] = "chat",
                ["accountId"] = "Main",
                ["sessionKey"] = "chat:ann",
                ["route"] = "ann",
                ["senderId"] = "ann",
                ["text"] = "hello",
            },
            ["key"] = $"k{id}",
            ["windowMs"] = 1000,
        },
    }.ToJsonString();
}
