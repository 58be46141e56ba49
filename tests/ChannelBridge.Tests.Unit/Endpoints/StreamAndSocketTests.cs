using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Tests.Unit.Wire;
using Microsoft.Extensions.DependencyInjection;
using static ChannelBridge.Tests.Unit.Endpoints.HttpEndpointTests;

namespace ChannelBridge.Tests.Unit.Endpoints;

/// <summary>Event streams and WebSockets of a channel on a real listener.</summary>
public sealed class StreamAndSocketTests
{
    [Fact]
    public async Task Events_arrive_as_they_are_written()
    {
        await using var lab = await LabAsync(new TestSource().Get("/events", async (exchange, _) =>
        {
            var events = await exchange.BeginEventsAsync();
            await events.WriteAsync(new ServerEvent("one"u8.ToArray()));
            await events.WriteAsync(new ServerEvent("two\r\nlines\n"u8.ToArray(), "name", "7"));
        }));
        using var answer = await lab.Client.GetAsync("/events");
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("data: one\n\nid: 7\nevent: name\ndata: two\ndata: lines\ndata: \n\n", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Events_that_wait_are_one_write()
    {
        await using var lab = await LabAsync(new TestSource().Get("/events", async (exchange, _) =>
        {
            var events = await exchange.BeginEventsAsync();
            Assert.True(await events.WriteAllAsync(new ServerEvent[] { new("one"u8.ToArray()), new("two"u8.ToArray(), "name", "7"), new("three"u8.ToArray()) }));
            Assert.True(await events.WriteAllAsync(default));
            await Assert.ThrowsAsync<ArgumentException>(async () => await events.WriteAllAsync(new ServerEvent[] { new("four"u8.ToArray()), new(default, "two\nlines") }));
        }));
        using var socket = await lab.ConnectAsync();
        await socket.SendAsync("GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray());
        var answer = await AllAsync(socket);
        // One piece of the body for all of them, and nothing of those that were refused.
        const string Whole = "data: one\n\nid: 7\nevent: name\ndata: two\n\ndata: three\n\n";
        Assert.EndsWith($"\r\n\r\n{Whole.Length:x}\r\n{Whole}\r\n0\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_writer_that_knows_no_better_writes_one_by_one_until_nobody_reads()
    {
        var writer = new ThreeOnly();
        Assert.True(await ((IEventWriter)writer).WriteAllAsync(new ServerEvent[2]));
        Assert.False(await ((IEventWriter)writer).WriteAllAsync(new ServerEvent[3]));
        Assert.Equal(4, writer.Asked);
    }

    [Fact]
    public async Task An_idle_stream_gets_comments()
    {
        var open = new TaskCompletionSource();
        await using var lab = await LabAsync(new TestSource().Get("/events", async (exchange, token) =>
        {
            await exchange.BeginEventsAsync(new EventStreamStart { Heartbeat = TimeSpan.FromMilliseconds(50) });
            await open.Task.WaitAsync(token);
        }));
        using var answer = await lab.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal(": ping", await reader.ReadLineAsync());
        open.SetResult();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_that_does_not_read_is_cut_off_and_holds_nobody_up(bool together)
    {
        var result = new TaskCompletionSource<int>();
        await using var lab = await LabAsync(
            new TestSource().Text("/other", "here").Get("/events", async (exchange, _) =>
            {
                var events = await exchange.BeginEventsAsync();
                var written = 0;
                var data = new byte[64 * 1024];
                Array.Fill(data, (byte)'x');
                var many = Enumerable.Repeat(new ServerEvent(data), 1000).ToArray();
                if (together) Assert.False(await events.WriteAllAsync(many));
                else while (await events.WriteAsync(new ServerEvent(data))) written++;
                Assert.True(events.Closed.IsCancellationRequested);
                result.SetResult(written);
            }),
            limits => limits.SlowConsumerTimeout = TimeSpan.FromMilliseconds(300));
        using var socket = await lab.ConnectAsync();
        await socket.SendAsync("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        var written = await result.Task.WaitAsync(WireHost.Timeout);
        // The network's own buffers, and no more.
        if (!together) Assert.InRange(written, 1, 500);
        Assert.Equal("here", await lab.Client.GetStringAsync("/other"));
        // The handler is at its end; its place is given back right behind it.
        await Wait.UntilAsync(() => lab.Host.Services.GetRequiredService<EndpointRuntime>().Connections.Count == 0);
    }

    [Fact]
    public async Task A_thousand_streams_are_served_at_once()
    {
        const int Count = 1000;
        var writers = new System.Collections.Concurrent.ConcurrentBag<IEventWriter>();
        var all = new TaskCompletionSource();
        await using var lab = await LabAsync(new TestSource().Get("/events", async (exchange, token) =>
        {
            writers.Add(await exchange.BeginEventsAsync());
            if (writers.Count == Count) all.TrySetResult();
            await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => { }, TaskScheduler.Default);
        }));
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var sockets = new List<Socket>();
        for (var i = 0; i < Count; i++)
        {
            var socket = await lab.ConnectAsync();
            sockets.Add(socket);
            await socket.SendAsync("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        }

        await all.Task.WaitAsync(WireHost.Timeout);
        for (var round = 0; round < 20; round++) Assert.All(await Task.WhenAll(writers.Select(writer => writer.WriteAsync(new ServerEvent(new byte[1000])).AsTask())), Assert.True);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 120L * 1024 * 1024);
        Assert.Equal(Count, lab.Host.Services.GetRequiredService<EndpointRuntime>().Connections.Count);
        foreach (var socket in sockets) socket.Dispose();
    }

    [Fact]
    public async Task Streams_beyond_the_bound_on_connections_are_refused()
    {
        await using var lab = await LabAsync(
            new TestSource().Get("/events", async (exchange, token) =>
            {
                await exchange.BeginEventsAsync();
                await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => { }, TaskScheduler.Default);
            }),
            limits => limits.MaxConnections = 1);
        using var first = await lab.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        using var second = await lab.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal((200, 503), ((int)first.StatusCode, (int)second.StatusCode));
    }

    [Fact]
    public async Task The_stop_of_the_host_ends_streams_and_sockets()
    {
        var ended = new TaskCompletionSource();
        var lab = await LabAsync(new TestSource()
            .Get("/events", async (exchange, token) =>
            {
                await exchange.BeginEventsAsync();
                await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => ended.SetResult(), TaskScheduler.Default);
            })
            .Add(Echo("/echo")));
        using var stream = await lab.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        using var socket = await lab.Host.OpenAsync("/echo");
        await lab.Host.Doors.CloseAsync();
        await ended.Task.WaitAsync(WireHost.Timeout);
        var result = await socket.ReceiveAsync(new byte[100], CancellationToken.None);
        Assert.Equal(WebSocketMessageType.Close, result.MessageType);
        Assert.Equal(1012, (int)socket.CloseStatus!);
        await lab.DisposeAsync();
    }

    [Fact]
    public async Task A_revoked_token_ends_its_streams_and_sockets_at_once()
    {
        using var revoked = new CancellationTokenSource();
        var ended = new TaskCompletionSource();
        var access = EndpointAccess.ByChannel((_, _) => ValueTask.FromResult(AccessVerdict.Allow(new Caller("t", Scopes.Peer, Door.Listener) { Revoked = revoked.Token })));
        await using var lab = await LabAsync(new TestSource()
            .Get("/events", async (exchange, token) =>
            {
                var events = await exchange.BeginEventsAsync();
                await Task.Delay(Timeout.Infinite, token).ContinueWith(_ => { }, TaskScheduler.Default);
                Assert.False(await events.WriteAsync(new ServerEvent("late"u8.ToArray())));
                ended.SetResult();
            }, access)
            .Add(Echo("/echo") with { Access = access }));
        using var stream = await lab.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        using var socket = await lab.Host.OpenAsync("/echo");
        await revoked.CancelAsync();
        await ended.Task.WaitAsync(WireHost.Timeout);
        await socket.ReceiveAsync(new byte[100], CancellationToken.None);
        Assert.Equal("access revoked", socket.CloseStatusDescription);
        using var again = await lab.Client.GetAsync("/events");
        Assert.Equal(401, (int)again.StatusCode);
    }

    [Fact]
    public async Task A_socket_carries_text_and_bytes_both_ways_and_says_how_it_ended()
    {
        var end = new TaskCompletionSource<SocketEnd?>();
        await using var lab = await LabAsync(new TestSource().Add(Echo("/echo/{id}") with
        {
            Subprotocols = ["b", "a"],
            NeedsSubprotocol = true,
            Handler = async (peer, _) =>
            {
                await peer.SendAsync(Encoding.UTF8.GetBytes($"{peer.Subprotocol} {peer.Request.PathValue("id")} {peer.Request.Header("User-Agent")}"));
                while (await peer.ReceiveAsync() is { } message) await peer.SendAsync(message.Content, message.IsBinary);
                end.SetResult(peer.End);
            },
        }));
        await Assert.ThrowsAsync<WebSocketException>(() => lab.Host.OpenAsync("/echo/7"));
        using var socket = await lab.Host.OpenAsync("/echo/7", "a");
        Assert.Equal("a", socket.SubProtocol);
        Assert.Equal("a 7 ", (await NextAsync(socket)).Text);
        await socket.SendAsync("hö"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
        Assert.Equal(("hö", WebSocketMessageType.Text), await NextAsync(socket));
        await socket.SendAsync(new byte[] { 65, 66 }, WebSocketMessageType.Binary, true, CancellationToken.None);
        Assert.Equal(("AB", WebSocketMessageType.Binary), await NextAsync(socket));
        await socket.CloseAsync((WebSocketCloseStatus)4001, "enough", CancellationToken.None);
        Assert.Equal(new SocketEnd(4001, "enough", true), await end.Task.WaitAsync(WireHost.Timeout));
    }

    [Fact]
    public async Task The_request_of_a_socket_is_there_for_as_long_as_it_lasts()
    {
        await using var lab = await LabAsync(new TestSource().Add(Echo("/s") with
        {
            Handler = async (peer, _) =>
            {
                while (await peer.ReceiveAsync() is not null)
                {
                    var request = peer.Request;
                    var query = string.Join(';', request.Query.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}={string.Join(',', pair.Value)}"));
                    Assert.Equal(request.Headers.Count, request.Headers.Keys.Distinct(StringComparer.OrdinalIgnoreCase).Count());
                    Assert.Equal(request.Headers.Values, request.Headers.Keys.Select(name => request.Headers[name.ToUpperInvariant()]));
                    await peer.SendAsync(Encoding.UTF8.GetBytes(
                        $"{query} {request.QueryValue("a")} {request.QueryValue("c") ?? "-"} {request.Query.Count} {request.Header("UPGRADE")} {request.Header("x") ?? "-"}"));
                }
            },
        }));
        using var socket = await lab.Host.OpenAsync("/s?a=1&b=%20x&a=2&empty=");
        for (var round = 0; round < 2; round++)
        {
            await socket.SendAsync("?"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
            Assert.Equal("a=1,2;b= x;empty= 1 - 3 websocket -", (await NextAsync(socket)).Text);
        }
    }

    [Fact]
    public async Task Bounds_are_narrow_before_authentication_and_wide_after_it()
    {
        await using var lab = await LabAsync(new TestSource().Add(Echo("/s") with
        {
            MaxMessageBytesBefore = 100,
            MaxMessageBytes = 10_000,
            Handler = async (peer, _) =>
            {
                while (await peer.ReceiveAsync() is { } message)
                {
                    if (Encoding.UTF8.GetString(message.Content.Span) == "secret") peer.Authenticate(new Caller("p", Scopes.Peer, Door.Listener));
                    await peer.SendAsync(Encoding.UTF8.GetBytes(message.Content.Length.ToString()));
                }
            },
        }));
        using var known = await lab.Host.OpenAsync("/s");
        await known.SendAsync("secret"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
        Assert.Equal("6", (await NextAsync(known)).Text);
        await known.SendAsync(new byte[10_000], WebSocketMessageType.Binary, true, CancellationToken.None);
        Assert.Equal("10000", (await NextAsync(known)).Text);
        using var unknown = await lab.Host.OpenAsync("/s");
        await unknown.SendAsync(new byte[101], WebSocketMessageType.Binary, true, CancellationToken.None);
        await unknown.ReceiveAsync(new byte[10], CancellationToken.None);
        Assert.Equal(1009, (int)unknown.CloseStatus!);
    }

    [Fact]
    public async Task Who_does_not_authenticate_in_time_is_closed()
    {
        await using var lab = await LabAsync(new TestSource().Add(Echo("/s") with { AuthenticationTimeout = TimeSpan.FromMilliseconds(50) }));
        using var socket = await lab.Host.OpenAsync("/s");
        await socket.ReceiveAsync(new byte[10], CancellationToken.None);
        Assert.Equal("authentication timeout", socket.CloseStatusDescription);
    }

    [Fact]
    public async Task What_waits_for_a_socket_that_does_not_read_is_bounded()
    {
        var outcome = new TaskCompletionSource<PushOutcome>();
        await using var lab = await LabAsync(
            new TestSource().Add(Echo("/s") with
            {
                MaxQueuedBytes = 1 << 20,
                Handler = async (peer, token) =>
                {
                    while (true)
                    {
                        var sending = peer.SendAsync(new byte[200_000], true, token);
                        Assert.InRange(peer.QueuedBytes, 0, 1_300_000);
                        if (sending.IsCompleted && await sending is var result && result != PushOutcome.Flushed)
                        {
                            outcome.TrySetResult(result);
                            if (result == PushOutcome.Gone) return;
                            await Task.Delay(20, token);
                        }
                    }
                },
            }),
            limits => limits.SlowConsumerTimeout = TimeSpan.FromMilliseconds(200));
        using var socket = await lab.Host.OpenAsync("/s");
        Assert.Equal(PushOutcome.Full, await outcome.Task.WaitAsync(WireHost.Timeout));
    }

    private static SocketEndpoint Echo(string path) => new()
    {
        Path = path,
        Access = EndpointAccess.Anonymous,
        Handler = async (peer, _) =>
        {
            while (await peer.ReceiveAsync() is { } message) await peer.SendAsync(message.Content, message.IsBinary);
        },
    };

    private static async Task<(string Text, WebSocketMessageType Type)> NextAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        var result = await socket.ReceiveAsync(buffer, timeout.Token);
        return (Encoding.UTF8.GetString(buffer, 0, result.Count), result.MessageType);
    }

    private static async Task<string> AllAsync(Socket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[4096];
        int read;
        while ((read = await socket.ReceiveAsync(buffer).WaitAsync(WireHost.Timeout)) > 0) all.Write(buffer, 0, read);
        return Encoding.UTF8.GetString(all.ToArray());
    }

    private sealed class ThreeOnly : IEventWriter
    {
        public int Asked { get; private set; }

        public CancellationToken Closed => CancellationToken.None;

        public ValueTask<bool> WriteAsync(ServerEvent item, CancellationToken cancellationToken = default) => ValueTask.FromResult(++Asked <= 3);
    }
}
