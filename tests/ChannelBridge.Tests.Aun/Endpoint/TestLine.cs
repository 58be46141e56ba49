using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>An error that was answered.</summary>
internal sealed class AnswerException(JsonObject error) : Exception((string?)error["message"])
{
    public int Code => (int)error["code"]!;

    public JsonNode? Details => error["data"];
}

/// <summary>One WebSocket of a client: calls by id, events in their order, and how it was closed.</summary>
internal sealed class TestLine : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly Dictionary<string, TaskCompletionSource<JsonObject>> _calls = [];
    private readonly Channel<JsonObject> _events = Channel.CreateUnbounded<JsonObject>();
    private readonly TaskCompletionSource<int> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _sending = new(1);
    private int _next;

    private TestLine()
    {
    }

    /// <summary>The challenge's parameters.</summary>
    public JsonObject Challenge { get; private set; } = [];

    public string Nonce => (string)Challenge["nonce"]!;

    /// <summary>The code with which the other side closed.</summary>
    public Task<int> Closed => _closed.Task.WaitAsync(Wait.Limit);

    public static async Task<TestLine> OpenAsync(Uri url)
    {
        var line = new TestLine();
        await line._socket.ConnectAsync(url, CancellationToken.None);
        _ = line.ReadAsync();
        var challenge = await line.FrameAsync();
        Assert.Equal("challenge", (string?)challenge["method"]);
        Assert.False(challenge.ContainsKey("id"));
        line.Challenge = challenge["params"]!.AsObject();
        return line;
    }

    public async Task<JsonObject> CallAsync(string method, JsonObject parameters) => await (await BeginAsync(method, parameters));

    /// <summary>Sends a call; what it gives is its answer.</summary>
    public async Task<Task<JsonObject>> BeginAsync(string method, JsonObject parameters)
    {
        var id = $"rpc-{Interlocked.Increment(ref _next)}";
        var waiting = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_calls) _calls[id] = waiting;
        await SayAsync(new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id, ["method"] = method, ["params"] = parameters }.ToJsonString());
        if (_closed.Task.IsCompleted) waiting.TrySetException(new IOException("closed"));
        return AnswerAsync(waiting.Task);
    }

    public async Task SayAsync(string text)
    {
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>The error of a call.</summary>
    public async Task<AnswerException> RefusedAsync(string method, JsonObject parameters) => await Assert.ThrowsAsync<AnswerException>(() => CallAsync(method, parameters));

    /// <summary>The next frame that answers no call.</summary>
    public async Task<JsonObject> FrameAsync() => await _events.Reader.ReadAsync().AsTask().WaitAsync(Wait.Limit);

    /// <summary>The next event of a name.</summary>
    public async Task<JsonObject> EventAsync(string name)
    {
        while (true)
        {
            var frame = await FrameAsync();
            if ((string?)frame["method"] == "event/" + name) return frame["params"]!.AsObject();
        }
    }

    /// <summary>What was told so far and not asked for.</summary>
    public IReadOnlyList<JsonObject> Told()
    {
        var all = new List<JsonObject>();
        while (_events.Reader.TryRead(out var frame)) all.Add(frame);
        return all;
    }

    public async Task CloseAsync()
    {
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // It was closed by the other side.
        }

        await _closed.Task.WaitAsync(Wait.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        if (_socket.State == WebSocketState.Open) await CloseAsync();
        _socket.Dispose();
        _sending.Dispose();
    }

    private static async Task<JsonObject> AnswerAsync(Task<JsonObject> waiting)
    {
        var frame = await waiting.WaitAsync(Wait.Limit);
        return frame["error"] is JsonObject error ? throw new AnswerException(error) : frame["result"]!.AsObject();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        using var whole = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                whole.Write(buffer, 0, part.Count);
                if (!part.EndOfMessage) continue;
                var frame = JsonNode.Parse(whole.GetBuffer().AsSpan(0, (int)whole.Length))!.AsObject();
                whole.SetLength(0);
                TaskCompletionSource<JsonObject>? waiting = null;
                if (frame["id"] is JsonValue id && id.TryGetValue<string>(out var text))
                {
                    lock (_calls) _calls.Remove(text, out waiting);
                }

                if (waiting is null) _events.Writer.TryWrite(frame);
                else waiting.TrySetResult(frame);
            }

            if (_socket.State == WebSocketState.CloseReceived) await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Broken; the code says so.
        }

        _closed.TrySetResult((int?)_socket.CloseStatus ?? 1006);
        lock (_calls)
        {
            foreach (var waiting in _calls.Values) waiting.TrySetException(new IOException("closed"));
            _calls.Clear();
        }

        _events.Writer.TryComplete();
    }
}
