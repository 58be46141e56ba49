using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>
/// One WebSocket connection that keeps a number of requests in flight. It does as little as it can, and the same for floor and subject: writes a frame,
/// looks for <c>"type":"res"</c> and the id in what comes, and acks pushes if asked to.
/// </summary>
internal sealed class BenchClient : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _receive = new byte[256 * 1024];
    private long _next;

    public static async Task<BenchClient> ConnectAsync(Subject subject, bool bridge)
    {
        var client = new BenchClient();
        await client._socket.ConnectAsync(subject.Url, CancellationToken.None);
        if (subject.Data is null) return client;
        await client.ReceiveAsync();
        await client.SendAsync(
            $$$$"""{"type":"req","id":"connect","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"gateway-client","version":"1","platform":"linux","mode":"backend"},"role":"operator","scopes":["operator.read","operator.write"],"auth":{"token":"{{{{subject.Token}}}}"}}}""");
        await client.UntilAsync("\"connect\"");
        if (!bridge) return client;
        await client.SendAsync("""{"type":"req","id":"bridge","method":"bncr.connect","params":{"accountId":"Primary","clientId":"bench","ack":true}}""");
        await client.UntilAsync("\"bridge\"");
        return client;
    }

    /// <summary>Sends requests for a time with this many in flight; gives how many were answered, and their latencies in microseconds.</summary>
    public async Task<(long Count, List<double> Latencies)> LoadAsync(int inFlight, TimeSpan duration, Func<long, string> frame, long most = long.MaxValue)
    {
        var latencies = new List<double>(1 << 20);
        var sent = new Dictionary<string, long>(inFlight);
        var clock = Stopwatch.StartNew();
        long answered = 0;
        while (sent.Count < inFlight) await NextAsync();
        while (sent.Count > 0)
        {
            var length = await ReceiveAsync();
            if (!Response(_receive.AsSpan(0, length), out var id) || !sent.Remove(id, out var at)) continue;
            if (_receive.AsSpan(0, length).IndexOf("\"ok\":true"u8) < 0) throw new InvalidOperationException(Encoding.UTF8.GetString(_receive, 0, length));
            answered++;
            latencies.Add(Stopwatch.GetElapsedTime(at).TotalMicroseconds);
            if (clock.Elapsed < duration && answered + sent.Count < most) await NextAsync();
        }

        return (answered, latencies);

        async ValueTask NextAsync()
        {
            var number = ++_next;
            sent[$"r{number}"] = Stopwatch.GetTimestamp();
            await SendAsync(frame(number));
        }
    }

    /// <summary>Receives pushes and acks each until this many have been acked.</summary>
    public async Task DrainAsync(long count)
    {
        long acked = 0;
        while (acked < count)
        {
            var length = await ReceiveAsync();
            var text = _receive.AsSpan(0, length);
            if (Response(text, out _))
            {
                acked++;
                continue;
            }

            var start = text.IndexOf("\"messageId\":\""u8);
            if (start < 0) continue;
            start += "\"messageId\":\"".Length;
            var id = Encoding.UTF8.GetString(text.Slice(start, text[start..].IndexOf((byte)'"')));
            await SendAsync($$$$"""{"type":"req","id":"a{{{{++_next}}}}","method":"bncr.ack","params":{"accountId":"Primary","clientId":"bench","messageId":"{{{{id}}}}","ok":true}}""");
        }
    }

    public Task SendAsync(string text) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (_socket.State == WebSocketState.Open) await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        _socket.Dispose();
    }

    private async Task UntilAsync(string text)
    {
        while (true)
        {
            var length = await ReceiveAsync();
            var frame = Encoding.UTF8.GetString(_receive, 0, length);
            if (!frame.Contains($"\"id\":{text}", StringComparison.Ordinal)) continue;
            if (!frame.Contains("\"ok\":true", StringComparison.Ordinal)) throw new InvalidOperationException(frame);
            return;
        }
    }

    private async Task<int> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            var part = await _socket.ReceiveAsync(_receive.AsMemory(length), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"closed: {_socket.CloseStatusDescription}");
            length += part.Count;
            if (part.EndOfMessage) return length;
        }
    }

    private static bool Response(ReadOnlySpan<byte> frame, out string id)
    {
        id = "";
        if (!frame.StartsWith("{\"type\":\"res\",\"id\":\""u8)) return false;
        var rest = frame["{\"type\":\"res\",\"id\":\"".Length..];
        id = Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)'"')]);
        return true;
    }
}
