using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// A client of the OpenClaw dialect written from the protocol's description alone, so that a fault of our own client can't hide one of the host.
/// </summary>
public sealed class WireClient : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonObject>> _calls = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly TaskCompletionSource<JsonObject> _challenge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private int _nextId;

    /// <summary>Called for each event, on the reading loop: name and payload.</summary>
    public Action<string, JsonObject>? OnEvent { get; set; }

    /// <summary>Completes when the connection has ended, however.</summary>
    public Task Closed => _reading;

    /// <summary>Connects and authenticates; gives the payload of hello-ok.</summary>
    public async Task<JsonObject> ConnectAsync(Uri url, string token)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await _socket.ConnectAsync(url, timeout.Token);
        _reading = ReadAsync();
        await _challenge.Task.WaitAsync(timeout.Token);
        var response = await RequestAsync("connect", new JsonObject
        {
            ["minProtocol"] = 4,
            ["maxProtocol"] = 4,
            ["client"] = new JsonObject { ["id"] = "gateway-client", ["version"] = "1.0.0", ["platform"] = "linux", ["mode"] = "backend" },
            ["role"] = "operator",
            ["scopes"] = new JsonArray("operator.read", "operator.write"),
            ["auth"] = new JsonObject { ["token"] = token },
        });
        return Payload(response);
    }

    /// <summary>Calls a method; throws when the answer isn't ok.</summary>
    public async Task<JsonObject> CallAsync(string method, JsonObject parameters) => Payload(await RequestAsync(method, parameters));

    /// <summary>Calls a method; gives the whole response frame. Throws when the connection ends first.</summary>
    public async Task<JsonObject> RequestAsync(string method, JsonNode parameters)
    {
        var id = Interlocked.Increment(ref _nextId).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var answer = _calls[id] = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync(new JsonObject { ["type"] = "req", ["id"] = id, ["method"] = method, ["params"] = parameters });
        if (_reading.IsCompleted) answer.TrySetException(new WebSocketException("the connection has ended"));
        return await answer.Task.WaitAsync(HostProcess.Timeout);
    }

    /// <summary>Sends a frame as it is.</summary>
    public async Task SendAsync(JsonNode frame)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(frame);
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Breaks the connection without a close handshake.</summary>
    public void Abort() => _socket.Abort();

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        await _reading;
        _socket.Dispose();
    }

    private static JsonObject Payload(JsonObject response) => (bool?)response["ok"] == true
        ? response["payload"]!.AsObject()
        : throw new InvalidOperationException(response.ToJsonString());

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        var message = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer, CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                message.Write(buffer, 0, part.Count);
                if (!part.EndOfMessage) continue;
                Dispatch(JsonNode.Parse(message.GetBuffer().AsSpan(0, (int)message.Length))!.AsObject());
                message.SetLength(0);
            }
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException or OperationCanceledException or IOException)
        {
            // The host was killed, or the test broke the connection.
        }

        foreach (var call in _calls.Values) call.TrySetException(new WebSocketException("the connection has ended"));
        _challenge.TrySetException(new WebSocketException("the connection has ended"));
    }

    private void Dispatch(JsonObject frame)
    {
        switch ((string?)frame["type"])
        {
            case "res" when _calls.TryRemove((string)frame["id"]!, out var call):
                call.TrySetResult(frame);
                break;
            case "event" when (string?)frame["event"] == "connect.challenge":
                _challenge.TrySetResult(frame["payload"]!.AsObject());
                break;
            case "event":
                OnEvent?.Invoke((string)frame["event"]!, frame["payload"]!.AsObject());
                break;
        }
    }
}
