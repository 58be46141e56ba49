using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>Ten thousand clients at once, and the storm when they all come back: the host serves on and its memory stays where it was.</summary>
public sealed class CrowdTests
{
    private const int Crowd = 10_000;

    // What a connection may cost in a debug build with its garbage; a release build has 15 KiB (docs/performance.md).
    private const long BytesPerConnection = 24 * 1024;

    [Fact]
    public async Task TenThousandConnections_AndAStorm_AreServedInSteadyMemory()
    {
        // A small youngest generation, so that the numbers are those of what lives.
        await using var host = await HostProcess.StartAsync(
            arguments: ["--log-level", "Warning"], environment: new Dictionary<string, string> { ["DOTNET_GCgen0size"] = "400000" });
        var token = host.Token;
        var crowd = new List<Socket>();
        try
        {
            crowd.AddRange(await ConnectAsync(host, token, 200));
            var before = MemoryOf(host);
            crowd.AddRange(await ConnectAsync(host, token, Crowd));
            var full = MemoryOf(host);
            Assert.InRange((full - before) / Crowd, 0, BytesPerConnection);

            // Old and new connections are served.
            foreach (var index in new[] { 0, 199, 200, Crowd / 2, Crowd + 199 })
            {
                await SendAsync(crowd[index], """{"type":"req","id":"p","method":"ping","params":{}}""");
                await UntilAsync(crowd[index], "\"pong\":true");
            }

            // All gone at once, and all back at once while the host still clears up after them; again and again.
            for (var storm = 0; storm < 3; storm++)
            {
                foreach (var socket in crowd) socket.Close(0);
                crowd.Clear();
                crowd.AddRange(await ConnectAsync(host, token, Crowd));
            }

            // What lived twice for a moment is garbage afterwards; it doesn't become more with each storm.
            var afterStorms = MemoryOf(host);
            Assert.InRange(afterStorms, 0, before + (2 * (full - before)));
            await SendAsync(crowd[^1], """{"type":"req","id":"p","method":"ping","params":{}}""");
            await UntilAsync(crowd[^1], "\"pong\":true");
        }
        finally
        {
            foreach (var socket in crowd) socket.Close(0);
        }

        Assert.Equal(0, await host.StopAsync());
        Assert.DoesNotContain("fail:", host.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HalfMessages_OfManyClients_CostTheirShareOnly()
    {
        const long Memory = 64L * 1024 * 1024;
        const int Clients = 120;
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__MESSAGEMEMORY"] = "64MiB" });
        var sockets = new List<Socket>();
        try
        {
            sockets.AddRange(await ConnectAsync(host, host.Token, Clients));
            var before = MemoryOf(host);
            var piece = new byte[4 * 1024 * 1024];
            piece.AsSpan().Fill((byte)'x');
            // Each announces 25 MB and sends 4: 480 MB altogether, all of which the host takes from the network.
            await Parallel.ForEachAsync(sockets, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (socket, stop) =>
            {
                var header = new byte[14];
                header[0] = 0x81;
                header[1] = 0x80 | 127;
                BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(2), 25_000_000);
                await socket.SendAsync(header, stop);
                for (var sent = 0; sent < piece.Length;) sent += await socket.SendAsync(piece.AsMemory(sent), stop);
            });

            var newcomer = (await ConnectAsync(host, host.Token, 1))[0];
            sockets.Add(newcomer);
            await SendAsync(newcomer, """{"type":"req","id":"p","method":"ping","params":{}}""");
            await UntilAsync(newcomer, "\"pong\":true");
            // Twice the share: buffers that were outgrown are garbage for a while.
            Assert.InRange(MemoryOf(host) - before, 0, 3 * Memory);
        }
        finally
        {
            foreach (var socket in sockets) socket.Close(0);
        }
    }

    /// <summary>Opens authenticated connections, a few at the same time.</summary>
    private static async Task<List<Socket>> ConnectAsync(HostProcess host, string token, int count)
    {
        var opened = new List<Socket>();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = timeout.Token }, async (_, stop) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            lock (opened) opened.Add(socket);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, host.Url.Port), stop);
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"), stop);
            await UntilAsync(socket, "connect.challenge");
            await SendAsync(socket,
                """{"type":"req","id":"1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"gateway-client","version":"1","platform":"linux","mode":"backend"},"role":"operator","scopes":["operator.write"],"caps":[],"auth":{"token":"TOKEN"}}}""".Replace("TOKEN", token, StringComparison.Ordinal));
            await UntilAsync(socket, "\"ok\":true");
        });
        return opened;
    }

    private static async Task SendAsync(Socket socket, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        var frame = new byte[8 + body.Length];
        frame[0] = 0x81;
        frame[1] = 0x80 | 126;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)body.Length);
        // A mask of zeros masks nothing.
        body.CopyTo(frame.AsSpan(8));
        if (body.Length < 126)
        {
            frame[1] = (byte)(0x80 | body.Length);
            frame = [frame[0], frame[1], 0, 0, 0, 0, .. body];
        }

        await socket.SendAsync(frame);
    }

    private static async Task UntilAsync(Socket socket, string text)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var all = new StringBuilder();
        var buffer = new byte[8192];
        while (!all.ToString().Contains(text, StringComparison.Ordinal))
        {
            var count = await socket.ReceiveAsync(buffer, timeout.Token);
            Assert.True(count > 0, $"the connection was closed before \"{text}\" came: {all}");
            all.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }
    }

    /// <summary>The memory of a process that is its own, in bytes.</summary>
    private static long MemoryOf(HostProcess host) =>
        long.Parse(File.ReadLines($"/proc/{host.Id}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Split(':')[1]
            .Replace("kB", "", StringComparison.Ordinal).Trim()) * 1024;
}
