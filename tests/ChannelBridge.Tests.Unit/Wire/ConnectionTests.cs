using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Endpoints;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>Order, back-pressure, slow readers, and the ends of connections.</summary>
public sealed class ConnectionTests
{
    [Fact]
    public async Task Requests_OfOneConnection_StartInOrderAndEndInAny()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        for (var i = 0; i < 100; i++) await client.RequestAsync($"r{i}", "test.hold", $$"""{"key":"k{{i}}"}""");
        await Wait.UntilAsync(() => host.Methods.Started.Count >= 100);

        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"k{i}"), host.Methods.Started);
        for (var i = 99; i >= 0; i--)
        {
            host.Methods.Release($"k{i}");
            Assert.Equal($"r{i}", (string?)(await client.ReceiveAsync())["id"]);
        }
    }

    [Fact]
    public async Task Requests_MoreThanTheBound_WaitUnreadUntilOneEnds()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MaxRequestsInFlight = 4);
        await using var client = await host.ConnectAsync();
        for (var i = 0; i < 6; i++) await client.RequestAsync($"r{i}", "test.hold", $$"""{"key":"k{{i}}"}""");
        await Wait.UntilAsync(() => host.Methods.Started.Count >= 4);
        await using var other = await host.ConnectAsync();
        await other.CallAsync("x", "ping");

        Assert.Equal(4, host.Methods.Started.Count);
        host.Methods.Release("k2");
        Assert.Equal("r2", (string?)(await client.ReceiveAsync())["id"]);
        await Wait.UntilAsync(() => host.Methods.Started.Count >= 5);
        Assert.Equal("k4", host.Methods.Started.Last());
        foreach (var key in new[] { "k0", "k1", "k3", "k4", "k5" }) host.Methods.Release(key);
        var rest = new List<string?>();
        for (var i = 0; i < 5; i++) rest.Add((string?)(await client.ReceiveAsync())["id"]);
        Assert.Equal(["r0", "r1", "r3", "r4", "r5"], rest.Order());
    }

    [Fact]
    public async Task Peer_WithItsTableFull_IsAnsweredBusyAndItsOwnAnswersGetThrough()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MaxPeerRequestsInFlight = 3);
        await using var client = await host.LocalAsync();
        // Three calls wait for answers that come over this very connection; a fourth request must not stop its reader.
        for (var i = 0; i < 3; i++)
            await client.SendAsync($$"""{"jsonrpc":"2.0","id":"q{{i}}","method":"test.call","params":{"text":"m{{i}}"} }""");
        var calls = new List<JsonNode>();
        for (var i = 0; i < 3; i++) calls.Add((await client.ReceiveAsync())!);
        await client.SendAsync("""{"jsonrpc":"2.0","id":"q3","method":"ping"}""");
        var busy = (await client.ReceiveAsync())!;
        Assert.Equal("q3", (string?)busy["id"]);
        Assert.Equal("BUSY", (string?)busy["error"]!["data"]!["code"]);
        Assert.True((bool)busy["error"]!["data"]!["retryable"]!);

        foreach (var call in calls) await client.SendAsync($$"""{"jsonrpc":"2.0","id":{{call["id"]!.ToJsonString()}},"result":true}""");
        for (var i = 0; i < 3; i++) Assert.Equal("true", (string?)(await client.ReceiveAsync())!["result"]!["text"]);
        Assert.NotNull((await client.RpcAsync(9, "ping"))["result"]);
    }

    [Fact]
    public async Task SlowReader_ManyPushes_AreRefusedAndThenItIsClosed()
    {
        await using var host = await WireHost.StartAsync(limits =>
        {
            limits.MaxBufferedBytes = 4 * 1024 * 1024;
            limits.SlowConsumerTimeout = TimeSpan.FromMilliseconds(100);
        });
        await using var slow = await host.ConnectAsync();
        await using var healthy = await host.ConnectAsync();
        await slow.CallAsync("c", "test.echo", """{"text":"x"}""");
        var connection = Assert.Single(host.Methods.Connections).Value;

        // It reads nothing from here on.
        var payload = new byte[64 * 1024];
        payload.AsSpan().Fill((byte)' ');
        "{}"u8.CopyTo(payload);
        var outcomes = new List<Task<PushOutcome>>();
        var deadline = DateTime.UtcNow + WireHost.Timeout;
        var full = 0;
        while (!connection.Closed.IsCancellationRequested && DateTime.UtcNow < deadline)
        {
            var push = connection.PushAsync("test.event", payload).AsTask();
            if (!push.IsCompleted) outcomes.Add(push);
            else if (await push == PushOutcome.Full) full++;
            if (full > 0) await Task.Delay(20);
        }

        Assert.True(full > 0, "nothing was refused");
        Assert.True(connection.Closed.IsCancellationRequested, "the slow reader is still connected");
        Assert.False(connection.ClosedByClient);
        Assert.Equal(PushOutcome.Gone, await connection.PushAsync("test.event", payload));
        foreach (var outcome in outcomes) Assert.Contains(await outcome.WaitAsync(WireHost.Timeout), new[] { PushOutcome.Flushed, PushOutcome.Gone });
        Assert.True((bool)(await healthy.CallAsync("h", "ping"))["ok"]!);
    }

    [Fact]
    public async Task Reader_ThatReadsNoAnswers_IsSlowedDownNotBuffered()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        var text = new string('x', 50_000);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        var sent = 0;
        try
        {
            // Each answer is 50 KB that nobody reads: sooner or later sending must stall.
            for (; sent < 20_000; sent++)
            {
                await client.Socket.SendAsync(
                    System.Text.Encoding.UTF8.GetBytes($$"""{"type":"req","id":"r{{sent}}","method":"test.echo","params":{"text":"{{text}}"} }"""),
                    System.Net.WebSockets.WebSocketMessageType.Text, true, stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stalled, as it should be.
        }

        Assert.True(sent < 20_000);
        var diagnostics = new EndpointDiagnostics(
            (ChannelBridge.Endpoints.Connections.EndpointRuntime)host.Services.GetService(
            typeof(ChannelBridge.Endpoints.Connections.EndpointRuntime))!);
        var buffered = (long)(await diagnostics.CollectAsync(default))["bufferedBytes"]!;
        Assert.True(buffered < 4 * 1024 * 1024, $"{buffered} bytes are buffered");
    }

    [Fact]
    public async Task Client_ClosesInOrder_ConnectionKnowsIt()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.CallAsync("c", "test.echo", """{"text":"x"}""");
        var connection = Assert.Single(host.Methods.Connections).Value;
        Assert.False(connection.Closed.IsCancellationRequested);

        await client.Socket.CloseAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, "bye", default);
        await WhenClosedAsync(connection);
        Assert.True(connection.ClosedByClient);
    }

    [Fact]
    public async Task Client_Vanishes_ConnectionEndsAndItsRequestsAreCancelled()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.CallAsync("c", "test.echo", """{"text":"x"}""");
        var connection = Assert.Single(host.Methods.Connections).Value;
        await client.RequestAsync("h", "test.hold", """{"key":"orphan"}""");
        await Wait.UntilAsync(() => !host.Methods.Started.IsEmpty);
        client.Socket.Abort();

        await WhenClosedAsync(connection);
        Assert.False(connection.ClosedByClient);
        await Wait.UntilAsync(() => !host.Methods.Cancelled.IsEmpty);
        Assert.Equal(PushOutcome.Gone, await connection.PushAsync("test.event", "{}"u8.ToArray()));
    }

    [Fact]
    public async Task Stop_RunningRequests_EndFirstThen1012()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await using var local = await host.LocalAsync();
        await local.RpcAsync(1, "ping");
        await client.RequestAsync("h", "test.hold", """{"key":"last"}""");
        await Wait.UntilAsync(() => !host.Methods.Started.IsEmpty);

        var closing = host.Doors.CloseAsync();
        var refused = await client.CallAsync("late", "test.echo", """{"text":"x"}""");
        Assert.Equal("UNAVAILABLE", (string?)refused["error"]!["code"]);
        Assert.True((bool)refused["error"]!["retryable"]!);
        host.Methods.Release("last");
        Assert.Equal("last", (string?)(await client.ReceiveAsync())["payload"]!["text"]);
        Assert.Equal("shutdown", (string?)(await client.ReceiveAsync())["event"]);
        Assert.Equal("1012 service restart", await client.ReceiveCloseAsync());
        await client.Socket.CloseOutputAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, "", default);
        Assert.Null(await local.ReceiveAsync());
        await closing.WaitAsync(WireHost.Timeout);
        Assert.False(File.Exists(host.SocketPath));
        await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(() => host.OpenAsync("/"));
    }

    private static async Task WhenClosedAsync(IClientConnection connection)
    {
        var closed = new TaskCompletionSource();
        await using (connection.Closed.Register(closed.SetResult)) await closed.Task.WaitAsync(WireHost.Timeout);
    }
}
