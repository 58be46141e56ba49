using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>A WebSocket client that sends what it is told and hands out what comes.</summary>
internal sealed class WireClient(ClientWebSocket socket) : IAsyncDisposable
{
    public ClientWebSocket Socket => socket;

    public JsonObject? Hello { get; private set; }

    /// <summary>Answers the challenge with a good <c>connect</c>.</summary>
    public async Task HandshakeAsync(string token, params string[] scopes)
    {
        var challenge = await ReceiveAsync();
        Assert.Equal("connect.challenge", (string?)challenge["event"]);
        await SendAsync(Connect(token, scopes).ToJsonString());
        var answer = await ReceiveAsync();
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        Hello = answer["payload"]!.AsObject();
    }

    /// <summary>A good <c>connect</c>, to be changed by the test.</summary>
    public static JsonObject Connect(string? token, params string[] scopes)
    {
        var parameters = new JsonObject
        {
            ["minProtocol"] = 3,
            ["maxProtocol"] = 4,
            ["client"] = new JsonObject { ["id"] = "gateway-client", ["version"] = "1.0", ["platform"] = "linux", ["mode"] = "backend" },
            ["role"] = "operator",
        };
        if (token is not null) parameters["auth"] = new JsonObject { ["token"] = token };
        if (scopes.Length > 0) parameters["scopes"] = new JsonArray([.. scopes.Select(scope => (JsonNode)scope)]);
        return new JsonObject { ["type"] = "req", ["id"] = "connect", ["method"] = "connect", ["params"] = parameters };
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(byte[] bytes, WebSocketMessageType type = WebSocketMessageType.Text)
    {
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        await socket.SendAsync(bytes, type, endOfMessage: true, timeout.Token);
    }

    /// <summary>Sends an OpenClaw request.</summary>
    public Task RequestAsync(string id, string method, string parameters = "{}") =>
        SendAsync($$"""{"type":"req","id":"{{id}}","method":"{{method}}","params":{{parameters}}}""");

    /// <summary>Sends an OpenClaw request and waits for its answer; events in between are skipped.</summary>
    public async Task<JsonObject> CallAsync(string id, string method, string parameters = "{}")
    {
        await RequestAsync(id, method, parameters);
        while (true)
        {
            var frame = await ReceiveAsync();
            if ((string?)frame["id"] == id) return frame;
        }
    }

    /// <summary>Sends a JSON-RPC request and waits for its answer.</summary>
    public async Task<JsonObject> RpcAsync(int id, string method, string parameters = "{}")
    {
        await SendAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"{{method}}","params":{{parameters}}}""");
        while (true)
        {
            var message = await ReceiveAsync();
            if (message["id"]?.ToJsonString() == id.ToString()) return message;
        }
    }

    /// <summary>The next message.</summary>
    public async Task<JsonObject> ReceiveAsync() => JsonNode.Parse(await ReceiveTextAsync())!.AsObject();

    /// <summary>The next message as text.</summary>
    public async Task<string> ReceiveTextAsync()
    {
        var (text, close) = await ReceiveAnyAsync();
        Assert.True(text is not null, $"the connection was closed: {close}");
        return text!;
    }

    /// <summary>The close code and reason, after whatever else still comes.</summary>
    public async Task<string> ReceiveCloseAsync()
    {
        while (true)
        {
            var (text, close) = await ReceiveAnyAsync();
            if (text is null) return close!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        socket.Abort();
        socket.Dispose();
        await Task.CompletedTask;
    }

    private async Task<(string? Text, string? Close)> ReceiveAnyAsync()
    {
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        var buffer = new byte[64 * 1024];
        using var whole = new MemoryStream();
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer.AsMemory(), timeout.Token);
            if (received.MessageType == WebSocketMessageType.Close) return (null, $"{(int)socket.CloseStatus!} {socket.CloseStatusDescription}");
            whole.Write(buffer, 0, received.Count);
            if (received.EndOfMessage) return (Encoding.UTF8.GetString(whole.ToArray()), null);
        }
    }
}
