using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Bench;

/// <summary>
/// One WebSocket connection that keeps a number of requests in flight. It does as little as it can, and the same for floor and subject: writes a frame,
/// looks for <c>"type":"res"</c> and the id in what comes, and acks pushes if asked to.
/// </summary>
internal sealed class BenchClient : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _receive = new byte[256 * 1024];
    // Begins anew in each client, but never where another has been: the host knows message ids again.
    private long _next = Stopwatch.GetTimestamp();

    // A paced load ends between two messages, with a receive under way.
    private Task<int>? _pending;

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

            if (Field(text, "\"messageId\":\""u8, out var id)) await AckAsync(id);
        }
    }

    /// <summary>
    /// Says something in one conversation after the other with this many unanswered at a time, acks each answer, and gives the times from inbound to
    /// push in microseconds, and how many answers came in a second.
    /// </summary>
    /// <param name="inFlight">Unanswered conversations; at most one message each.</param>
    /// <param name="lanes">How many conversations there are.</param>
    /// <param name="duration">How long new messages are sent.</param>
    /// <param name="frame">A request by its number and its conversation's.</param>
    /// <param name="stuck">A conversation that is written to beside the others and whose answers are never acked, or -1.</param>
    /// <param name="most">How many messages are sent at most.</param>
    public async Task<(List<double> Latencies, double Rate)> ConverseAsync(
        int inFlight, int lanes, TimeSpan duration, Func<long, int, string> frame, int stuck = -1, long most = long.MaxValue)
    {
        var latencies = new List<double>(1 << 20);
        var sent = new Dictionary<string, long>(inFlight);
        var clock = Stopwatch.StartNew();
        var lane = 0;
        while (sent.Count < inFlight) await NextAsync();
        while (sent.Count > 0)
        {
            var length = await ReceiveAsync();
            var text = _receive.AsMemory(0, length);
            if (!Field(text.Span, "\"messageId\":\""u8, out var id) || !Field(text.Span, "\"userId\":\""u8, out var user)) continue;
            if (!sent.Remove(user, out var at)) continue;
            latencies.Add(Stopwatch.GetElapsedTime(at).TotalMicroseconds);
            await AckAsync(id);
            if (clock.Elapsed < duration && latencies.Count + sent.Count < most) await NextAsync();
        }

        return (latencies, latencies.Count / clock.Elapsed.TotalSeconds);

        async ValueTask NextAsync()
        {
            do lane = (lane + 1) % lanes;
            while (lane == stuck || sent.ContainsKey($"u{lane}"));
            sent[$"u{lane}"] = Stopwatch.GetTimestamp();
            await SendAsync(frame(++_next, lane));
            if (stuck >= 0 && _next % 10 == 0) await SendAsync(frame(++_next, stuck));
        }
    }

    /// <summary>Keeps this many sends in flight and acks each push meanwhile; gives how many pushes were acked in a second.</summary>
    public async Task<double> PublishAsync(int inFlight, TimeSpan duration, Func<long, string> frame)
    {
        var clock = Stopwatch.StartNew();
        long open = 0, acked = 0;
        for (; open < inFlight; open++) await SendAsync(frame(++_next));
        while (open > 0)
        {
            var length = await ReceiveAsync();
            var text = _receive.AsMemory(0, length);
            if (!Response(text.Span, out var response))
            {
                if (Field(text.Span, "\"messageId\":\""u8, out var id)) await AckAsync(id);
                continue;
            }

            if (response[0] == 'a')
            {
                if (clock.Elapsed < duration) acked++;
                continue;
            }

            if (text.Span.IndexOf("\"ok\":true"u8) < 0) throw new InvalidOperationException(Encoding.UTF8.GetString(text.Span));
            open--;
            if (clock.Elapsed >= duration) continue;
            open++;
            await SendAsync(frame(++_next));
        }

        return acked / duration.TotalSeconds;
    }

    /// <summary>Says something so many times a second, acks each answer, and gives the times from inbound to push in microseconds.</summary>
    public async Task<List<double>> PacedAsync(double rate, int lanes, TimeSpan duration, Func<long, int, string> frame)
    {
        var latencies = new List<double>((int)(rate * duration.TotalSeconds) + 1);
        var sent = new Dictionary<string, Queue<long>>();
        var clock = Stopwatch.StartNew();
        long said = 0;
        var answered = 0;
        var receiving = _pending ?? ReceiveAsync();
        _pending = null;
        while (clock.Elapsed < duration || answered < said)
        {
            var due = (long)(rate * Math.Min(clock.Elapsed.TotalSeconds, duration.TotalSeconds));
            for (; said < due; said++)
            {
                var lane = (int)(said % lanes);
                if (!sent.TryGetValue($"u{lane}", out var times)) sent[$"u{lane}"] = times = [];
                times.Enqueue(Stopwatch.GetTimestamp());
                await SendAsync(frame(++_next, lane));
            }

            // Whatever comes first: something to read, or the next message's time.
            if (!receiving.IsCompleted && await Task.WhenAny(receiving, Task.Delay(1)) != receiving) continue;
            var length = await receiving;
            var found = Field(_receive.AsSpan(0, length), "\"messageId\":\""u8, out var id) & Field(_receive.AsSpan(0, length), "\"userId\":\""u8, out var user);
            receiving = ReceiveAsync();
            if (!found || !sent.TryGetValue(user, out var waiting) || !waiting.TryDequeue(out var at)) continue;
            latencies.Add(Stopwatch.GetElapsedTime(at).TotalMicroseconds);
            answered++;
            await AckAsync(id);
        }

        _pending = receiving;
        return latencies;
    }

    private Task AckAsync(string id) => SendAsync(
        $$$$"""{"type":"req","id":"a{{{{++_next}}}}","method":"bncr.ack","params":{"accountId":"Primary","clientId":"bench","messageId":"{{{{id}}}}","ok":true}}""");

    private static bool Field(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name, out string value)
    {
        var start = text.IndexOf(name);
        value = start < 0 ? "" : Encoding.UTF8.GetString(text[(start + name.Length)..][..text[(start + name.Length)..].IndexOf((byte)'"')]);
        return start >= 0;
    }

    public Task SendAsync(string text) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    /// <summary>A single call, and what it is answered.</summary>
    public async Task<JsonObject> CallAsync(string method, string parameters)
    {
        var id = $"c{++_next}";
        await SendAsync($$"""{"type":"req","id":"{{id}}","method":"{{method}}","params":{{parameters}}}""");
        while (true)
        {
            var length = await ReceiveAsync();
            if (!Response(_receive.AsSpan(0, length), out var answered) || answered != id) continue;
            var answer = JsonNode.Parse(_receive.AsSpan(0, length))!;
            return (bool)answer["ok"]! ? answer["payload"]!.AsObject() : throw new InvalidOperationException($"{method}: {answer.ToJsonString()}");
        }
    }

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
