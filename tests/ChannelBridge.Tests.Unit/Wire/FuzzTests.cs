using System.Net.WebSockets;
using System.Text;
using Xunit.Abstractions;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>
/// Damaged messages on every door, seeded. <c>CHANNELBRIDGE_FUZZ_SECONDS</c> makes it run longer, <c>CHANNELBRIDGE_FUZZ_SEED</c> repeats a run. What
/// lives in memory afterwards is what lived at the beginning; a long run tells it every minute.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    // Pools that have filled meanwhile; a leak of one message a round would be more within a minute.
    private const int LongRun = 60;
    private const long GrowthAllowed = 24L * 1024 * 1024;

    private static readonly string[] Seeds =
    [
        """{"type":"req","id":"a","method":"test.echo","params":{"text":"x"}}""",
        """{"type":"req","id":"b","method":"test.fail","params":{"code":"busy","later":true}}""",
        """{"type":"req","id":"c","method":"rpc.discover","params":{}}""",
        """{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"x"}}""",
        """[{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}]""",
        """{"jsonrpc":"2.0","id":3,"result":{"a":[1,2,3]}}""",
        """{"jsonrpc":"2.0","id":"p","method":"test.push","params":{"count":3,"size":100}}""",
    ];

    [Fact]
    public async Task Doors_DamagedMessages_ServeOn()
    {
        var seconds = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_FUZZ_SECONDS"), out var wanted) ? wanted : 3;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_FUZZ_SEED"), out var given) ? given : 7;
        var random = new Random(seed);
        await using var host = await WireHost.StartAsync(limits => limits.MaxPayloadBytes = 100_000);
        var until = DateTime.UtcNow + TimeSpan.FromSeconds(seconds);
        var rounds = 0;
        var start = DateTime.UtcNow;
        var next = start + TimeSpan.FromSeconds(Math.Min(10, seconds / 3.0));
        long? baseline = null;
        while (DateTime.UtcNow < until)
        {
            rounds++;
            // What the test's own methods have noted down is no part of the host.
            host.Methods.Connections.Clear();
            host.Methods.Traces.Clear();
            if (DateTime.UtcNow >= next)
            {
                baseline ??= LiveBytes();
                next = DateTime.UtcNow + TimeSpan.FromMinutes(1);
                Tell();
            }

            switch (random.Next(3))
            {
                case 0:
                    await AttackWebSocketAsync(await host.ConnectAsync(), random);
                    break;
                case 1:
                    await AttackWebSocketAsync(await host.RpcAsync(random.Next(2) == 0 ? WireHost.Token : null), random);
                    break;
                default:
                    await AttackSocketAsync(await host.LocalAsync(), random);
                    break;
            }
        }

        Assert.True(rounds > 0);
        await using var client = await host.ConnectAsync();
        Assert.True((bool)(await client.CallAsync("after", "test.echo", """{"text":"x"}"""))["ok"]!, $"seed {seed}");
        await using var local = await host.LocalAsync();
        Assert.NotNull((await local.RpcAsync(1, "ping"))["result"]);
        await client.DisposeAsync();
        await local.DisposeAsync();
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        while (host.Doors.Connections > 0) await Task.Delay(20, timeout.Token);
        Tell();

        // A short run shares the process with whatever other tests run beside it, so what lives then says nothing; a long one is run by itself (.ci/soak).
        if (seconds >= LongRun) Assert.InRange(LiveBytes() - (baseline ?? 0), long.MinValue, GrowthAllowed);

        void Tell() => output.WriteLine(
            $"fuzz: seed {seed}, {(DateTime.UtcNow - start).TotalSeconds:0} s, {rounds} connections, {LiveBytes() / 1048576.0:0.0} MiB live, {Environment.WorkingSet / 1048576.0:0} MiB resident");
    }

    private static long LiveBytes() => GC.GetTotalMemory(forceFullCollection: true);

    private static byte[] Message(Random random)
    {
        var bytes = Encoding.UTF8.GetBytes(Seeds[random.Next(Seeds.Length)]);
        for (var changes = random.Next(0, 4); changes > 0; changes--) bytes = ProtocolTests.Damage(bytes, random);
        return random.Next(200) == 0 ? [.. bytes, .. new byte[150_000]] : bytes;
    }

    private static async Task AttackWebSocketAsync(WireClient client, Random random)
    {
        await using (client)
        {
            var reading = DrainAsync(client.Socket);
            try
            {
                for (var i = 0; i < 50; i++)
                {
                    var type = random.Next(50) == 0 ? WebSocketMessageType.Binary : WebSocketMessageType.Text;
                    var message = Message(random);
                    if (random.Next(10) == 0 && message.Length > 2)
                    {
                        using var timeout = new CancellationTokenSource(WireHost.Timeout);
                        await client.Socket.SendAsync(message.AsMemory(0, message.Length / 2), type, endOfMessage: false, timeout.Token);
                        message = message[(message.Length / 2)..];
                    }

                    await client.SendAsync(message, type);
                }

                if (random.Next(2) == 0) await client.Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", default);
            }
            catch (Exception fault) when (fault is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
            {
                // Bytes that aren't UTF-8 end a WebSocket.
            }

            client.Socket.Abort();
            await reading;
        }
    }

    private static async Task AttackSocketAsync(SocketClient client, Random random)
    {
        await using (client)
        {
            var reading = Task.Run(async () =>
            {
                try
                {
                    var buffer = new byte[65536];
                    while (await client.Socket.ReceiveAsync(buffer) > 0) { }
                }
                catch (Exception fault) when (fault is System.Net.Sockets.SocketException or ObjectDisposedException)
                {
                }
            });
            try
            {
                for (var i = 0; i < 50; i++)
                {
                    byte[] header = random.Next(20) == 0 ? ProtocolTests.Damage("Content-Length: 50\r\n\r\n"u8.ToArray(), random) : [];
                    var message = Message(random);
                    await client.SendRawAsync([.. header, .. Encoding.ASCII.GetBytes($"Content-Length: {message.Length}\r\n\r\n"), .. message]);
                }
            }
            catch (System.Net.Sockets.SocketException)
            {
                // A stream that breaks its framing is closed.
            }

            client.Socket.Dispose();
            await reading;
        }
    }

    private static async Task DrainAsync(ClientWebSocket socket)
    {
        var buffer = new byte[65536];
        try
        {
            while ((await socket.ReceiveAsync(buffer.AsMemory(), default)).MessageType != WebSocketMessageType.Close) { }
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }
}
