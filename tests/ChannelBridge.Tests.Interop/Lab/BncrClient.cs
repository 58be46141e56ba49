using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// A bridge as it would be written against the gateway's protocol alone: one WebSocket, the connect handshake, requests, and the channel's push events.
/// It shares no code with the product.
/// </summary>
public sealed class BncrClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonObject>> _open = new();
    private readonly Channel<JsonObject> _pushes = Channel.CreateUnbounded<JsonObject>();
    private readonly HashSet<string> _seen = [];
    private readonly ConcurrentDictionary<string, Task> _acked = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly TaskCompletionSource _challenged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private int _lastId;

    /// <summary>What <c>bncr.connect</c> answered.</summary>
    public JsonObject Connected { get; private set; } = [];

    /// <summary>Acknowledge pushes as they come.</summary>
    public bool Acks { get; init; } = true;

    public string ClientId { get; init; } = "interop-bridge";

    /// <summary>Files that came, by their transfer's id; each is confirmed as an old client does it.</summary>
    public ConcurrentDictionary<string, SortedDictionary<int, byte[]>> Files { get; } = new();

    /// <summary>Texts that were shown while they grew, in the order of their arrival.</summary>
    public ConcurrentQueue<JsonObject> Partials { get; } = new();

    public string Account { get; init; } = "Primary";

    /// <summary>Events of responses that came.</summary>
    public ConcurrentQueue<JsonNode> ResponseEvents { get; } = new();

    /// <summary>Connects with exactly the two scopes that a bridge should hold, and as a bncr client.</summary>
    public static async Task<BncrClient> ConnectAsync(Uri url, string token, string account = "Primary", bool acks = true)
    {
        var client = new BncrClient { Account = account, Acks = acks, ClientId = $"bridge-{account}" };
        await client.OpenAsync(url, token);
        // A gateway may be ready before its link to the host is; on a crowded machine it says "try again shortly".
        var answer = await InteropLab.EventuallyAsync(
            () => client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = client.ClientId }),
            static answer => (string?)answer["error"]?["code"] is not "UNAVAILABLE");
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        client.Connected = answer["payload"]!.AsObject();
        return client;
    }

    /// <summary>Connects as an operator: no bncr client.</summary>
    public static async Task<BncrClient> OperatorAsync(Uri url, string token)
    {
        var client = new BncrClient();
        await client.OpenAsync(url, token);
        return client;
    }

    /// <summary>A request and its whole answer.</summary>
    public async Task<JsonObject> CallAsync(string method, JsonObject parameters)
    {
        var id = $"{Interlocked.Increment(ref _lastId)}";
        var answer = _open[id] = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        var frame = new JsonObject { ["type"] = "req", ["id"] = id, ["method"] = method, ["params"] = parameters };
        await _writing.WaitAsync();
        try
        {
            await _socket.SendAsync(Encoding.UTF8.GetBytes(frame.ToJsonString()), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        }
        finally
        {
            _writing.Release();
        }

        return await answer.Task.WaitAsync(Patience);
    }

    /// <summary>Says something as a user of the bridge; gives the answer's frame.</summary>
    public Task<JsonObject> SayAsync(string user, string text, string messageId, string group = "0") => CallAsync("bncr.inbound", new JsonObject
    {
        ["accountId"] = Account,
        ["clientId"] = ClientId,
        ["platform"] = "interop",
        ["groupId"] = group,
        ["userId"] = user,
        ["type"] = "text",
        ["msg"] = text,
        ["msgId"] = messageId,
    });

    /// <summary>Says something and expects it to be accepted.</summary>
    public async Task<JsonObject> AcceptedAsync(string user, string text, string messageId, string group = "0")
    {
        var answer = await SayAsync(user, text, messageId, group);
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        Assert.True((bool)answer["payload"]!["accepted"]!, answer.ToJsonString());
        return answer["payload"]!.AsObject();
    }

    /// <summary>The next push for a user; those for others are dropped, and so are repetitions under the same idempotency key, as a bridge must.</summary>
    public async Task<JsonObject> PushAsync(string user)
    {
        using var timeout = new CancellationTokenSource(Patience);
        try
        {
            await foreach (var push in _pushes.Reader.ReadAllAsync(timeout.Token))
            {
                if ((string?)push["message"]?["userId"] != user || !_seen.Add((string)push["idempotencyKey"]!)) continue;
                // A test that closes the bridge now must not leave an ack on the way: the message would come again.
                if (_acked.TryRemove((string)push["messageId"]!, out var ack)) await ack.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return push;
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"no push for {user} within {Patience.TotalSeconds} s");
        }

        throw new InvalidOperationException("the connection ended while a push was awaited");
    }

    /// <summary>True when a push for a user is there already.</summary>
    public bool HasPush(string user)
    {
        while (_pushes.Reader.TryPeek(out var push))
        {
            if ((string?)push["message"]?["userId"] == user && !_seen.Contains((string)push["idempotencyKey"]!)) return true;
            _pushes.Reader.TryRead(out _);
        }

        return false;
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        await _reading;
        _socket.Dispose();
        _writing.Dispose();
    }

    private async Task OpenAsync(Uri url, string token)
    {
        using var timeout = new CancellationTokenSource(Patience);
        await _socket.ConnectAsync(url, timeout.Token);
        _reading = ReadAsync();
        await _challenged.Task.WaitAsync(timeout.Token);
        var hello = await CallAsync("connect", new JsonObject
        {
            ["minProtocol"] = 4,
            ["maxProtocol"] = 4,
            ["client"] = new JsonObject { ["id"] = "gateway-client", ["version"] = "1.0.0", ["platform"] = "linux", ["mode"] = "backend" },
            ["role"] = "operator",
            ["scopes"] = new JsonArray("operator.read", "operator.write"),
            ["caps"] = new JsonArray(),
            ["auth"] = new JsonObject { ["token"] = token },
        });
        Assert.True((bool)hello["ok"]!, hello.ToJsonString());
    }

    private async Task ReadAsync()
    {
        var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveAsync(buffer, CancellationToken.None);
                if (received.MessageType == WebSocketMessageType.Close) break;
                message.Write(buffer, 0, received.Count);
                if (!received.EndOfMessage) continue;
                On(JsonNode.Parse(message.ToArray())!.AsObject());
                message.SetLength(0);
            }
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The end of the connection, however it comes.
        }

        _pushes.Writer.TryComplete();
        foreach (var open in _open.Values) open.TrySetException(new InvalidOperationException("the connection ended before the answer came"));
    }

    private void OnFile(string stage, JsonObject payload)
    {
        var id = (string)payload["transferId"]!;
        var parts = Files.GetOrAdd(id, _ => []);
        var ack = new JsonObject { ["accountId"] = Account, ["clientId"] = ClientId, ["transferId"] = id, ["stage"] = stage };
        if (stage == "chunk")
        {
            parts[(int)payload["chunkIndex"]!] = Convert.FromBase64String((string)payload["base64"]!);
            ack["chunkIndex"] = (int)payload["chunkIndex"]!;
        }

        if (stage == "complete") ack["path"] = "/client/" + id;
        if (stage != "abort") _ = CallAsync("bncr.file.ack", ack);
    }

    private void On(JsonObject frame)
    {
        switch ((string?)frame["type"], (string?)frame["event"])
        {
            case ("event", "connect.challenge"):
                _challenged.TrySetResult();
                break;
            case ("event", "plugin.responses.event"):
                ResponseEvents.Enqueue(frame["payload"]!);
                break;
            case ("event", { } name) when name.Contains("bncr.file.", StringComparison.Ordinal):
                OnFile(name[(name.LastIndexOf('.') + 1)..], frame["payload"]!.AsObject());
                break;
            case ("event", "plugin.bncr.partial" or "bncr.partial"):
                Partials.Enqueue(frame["payload"]!.DeepClone().AsObject());
                break;
            case ("event", "plugin.bncr.push" or "bncr.push"):
                var push = frame["payload"]!.DeepClone().AsObject();
                var id = (string)push["messageId"]!;
                if (Acks) _acked[id] = CallAsync("bncr.ack", new JsonObject { ["accountId"] = Account, ["clientId"] = ClientId, ["messageId"] = id });
                _pushes.Writer.TryWrite(push);
                break;
            case ("res", _) when _open.TryRemove((string)frame["id"]!, out var open):
                open.TrySetResult(frame);
                break;
        }
    }
}
