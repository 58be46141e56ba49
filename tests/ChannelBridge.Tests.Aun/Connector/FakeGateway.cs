using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>A gateway as the protocol's text describes it, in memory. It lies and breaks on command.</summary>
internal sealed class FakeGateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<WebSocket, string?> _open = new();
    private readonly ConcurrentDictionary<string, byte[]> _keys = new();
    private readonly ConcurrentDictionary<string, string> _nonces = new();
    private readonly ConcurrentDictionary<string, string> _access = new();
    private readonly ConcurrentDictionary<string, string> _refresh = new();
    private readonly ECDsa _authKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly Lock _gate = new();
    private int _count;

    private FakeGateway(WebApplication app) => _app = app;

    public FakePki Pki { get; } = new();

    /// <summary>Certificates by AID.</summary>
    public ConcurrentDictionary<string, string> Certificates { get; } = new();

    /// <summary>Each device's prekey by AID.</summary>
    public ConcurrentDictionary<string, List<JsonObject>> Prekeys { get; } = new();

    /// <summary>Logs by AID: what pulls read.</summary>
    public ConcurrentDictionary<string, List<JsonObject>> Logs { get; } = new();

    /// <summary>Every call, in order.</summary>
    public ConcurrentQueue<(string Method, JsonObject Params)> Calls { get; } = new();

    /// <summary>Answers a call in place of the gateway: a result, an <see cref="GatewayError"/>, or null to go on.</summary>
    public Func<string, JsonObject, JsonNode?>? Answer { get; set; }

    /// <summary>What <c>server_ack_seq</c> says; null: what was acked.</summary>
    public long? ServerAckSeq { get; set; }

    /// <summary>The chain that is shown.</summary>
    public string? ChainPem { get; set; }

    /// <summary>The gateway's own certificate.</summary>
    public string? AuthCert { get; set; }

    /// <summary>The key that signs the client's nonce; the gateway's own by default.</summary>
    public ECDsa? NonceKey { get; set; }

    /// <summary>How long tokens hold, in seconds.</summary>
    public int ExpiresIn { get; set; } = 3600;

    /// <summary>The list of what was revoked; null: there is none.</summary>
    public string? CrlPem { get; set; }

    /// <summary>The status of <c>/health</c>.</summary>
    public int Health { get; set; } = 200;

    public long Acked { get; private set; }

    public string Url { get; private set; } = "";

    public IEnumerable<string> Methods => Calls.Select(call => call.Method);

    public static async Task<FakeGateway> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.UseWebSockets();
        var gateway = new FakeGateway(app);
        app.Map("/aun", gateway.ServeAsync);
        app.MapFallback("{*path}", gateway.RequestAsync);
        await app.StartAsync();
        gateway.Url = app.Urls.First().Replace("http://", "ws://", StringComparison.Ordinal) + "/aun";
        return gateway;
    }

    /// <summary>Puts a message into an AID's log, and pushes it where <paramref name="push"/> says so.</summary>
    public async Task<JsonObject> AddAsync(string to, JsonNode payload, string from = "alice.example.org", string? id = null, long? seq = null, bool push = true)
    {
        JsonObject message;
        lock (_gate)
        {
            var log = Logs.GetOrAdd(to, _ => []);
            message = new JsonObject
            {
                ["message_id"] = id ?? Guid.NewGuid().ToString(),
                ["from"] = from,
                ["to"] = to,
                ["seq"] = seq ?? (log.Count == 0 ? 1 : (long)log[^1]["seq"]! + 1),
                ["timestamp"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
                ["payload"] = payload.DeepClone(),
            };
            log.Add(message);
        }

        if (push) await PushAsync(to, message);
        return message;
    }

    public async Task PushAsync(string to, JsonObject message)
    {
        foreach (var socket in _open.Where(one => one.Value == to).Select(one => one.Key))
            await SendAsync(socket, new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "event/message.received", ["params"] = message.DeepClone() });
    }

    public async Task EventAsync(string to, string name, JsonObject parameters)
    {
        foreach (var socket in _open.Where(one => one.Value == to).Select(one => one.Key))
            await SendAsync(socket, new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "event/" + name, ["params"] = parameters.DeepClone() });
    }

    public bool IsConnected(string aid) => _open.Values.Contains(aid);

    /// <summary>Closes an AID's connections; without a code they break.</summary>
    public async Task CloseAsync(string aid, int? code = null)
    {
        foreach (var socket in _open.Where(one => one.Value == aid).Select(one => one.Key).ToList())
        {
            if (code is { } given) await socket.CloseOutputAsync((WebSocketCloseStatus)given, "", CancellationToken.None);
            else socket.Abort();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var socket in _open.Keys) socket.Abort();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
        Pki.Dispose();
        _authKey.Dispose();
        _stop.Dispose();
    }

    private async Task RequestAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == "/health")
        {
            context.Response.StatusCode = Health;
        }
        else if (path == "/pki/chain")
        {
            await context.Response.WriteAsync(ChainPem ?? Pki.ChainPem);
        }
        else if (path == "/pki/crl.json" && CrlPem is { } list)
        {
            await context.Response.WriteAsync(new JsonObject { ["crl_pem"] = list }.ToJsonString());
        }
        else if (path.StartsWith("/pki/cert/", StringComparison.Ordinal) && Certificates.TryGetValue(path["/pki/cert/".Length..], out var pem))
        {
            await context.Response.WriteAsync(pem);
        }
        else
        {
            context.Response.StatusCode = 404;
        }
    }

    private async Task ServeAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        _open[socket] = null;
        try
        {
            await SendAsync(socket, new JsonObject
            {
                ["jsonrpc"] = "2.0",
                ["method"] = "challenge",
                ["params"] = new JsonObject { ["nonce"] = Guid.NewGuid().ToString("N"), ["protocol"] = new JsonObject { ["min"] = "1.0", ["max"] = "1.0" } },
            });
            var buffer = new byte[2 << 20];
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length), _stop.Token);
                    if (part.MessageType == WebSocketMessageType.Close)
                    {
                        if (socket.State == WebSocketState.CloseReceived) await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", _stop.Token);
                        return;
                    }

                    length += part.Count;
                }
                while (!part.EndOfMessage);
                var request = JsonNode.Parse(buffer.AsSpan(0, length))!.AsObject();
                var (method, parameters) = ((string)request["method"]!, request["params"]!.AsObject());
                Calls.Enqueue((method, parameters));
                var answer = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = request["id"]!.DeepClone() };
                try
                {
                    answer["result"] = Answer?.Invoke(method, parameters) ?? Handle(socket, method, parameters);
                }
                catch (GatewayError error)
                {
                    answer["error"] = new JsonObject { ["code"] = error.Code, ["message"] = error.Message };
                }

                await SendAsync(socket, answer);
            }
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or IOException)
        {
            // It has ended.
        }
        finally
        {
            _open.TryRemove(socket, out _);
        }
    }

    private JsonObject Handle(WebSocket socket, string method, JsonObject parameters)
    {
        string Text(string name) => (string)parameters[name]!;
        switch (method)
        {
            case "auth.create_aid":
                if (Certificates.ContainsKey(Text("aid"))) throw new GatewayError(-32603, $"{Text("aid")} already exists");
                Register(Text("aid"), Convert.FromBase64String(Text("public_key")));
                return new JsonObject { ["aid"] = Text("aid"), ["cert"] = Certificates[Text("aid")], ["ca_cert"] = Pki.ChainPem, ["curve"] = "P-256" };
            case "auth.aid_login1":
                var request = Guid.NewGuid().ToString();
                var nonce = _nonces[request] = Guid.NewGuid().ToString("N");
                var signature = (NonceKey ?? _authKey).SignData(
                    Encoding.UTF8.GetBytes(Text("client_nonce")), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
                return new JsonObject
                {
                    ["request_id"] = request,
                    ["nonce"] = nonce,
                    ["auth_cert"] = AuthCert ?? Pki.Issue("auth.example.org", _authKey.ExportSubjectPublicKeyInfo()),
                    ["client_nonce_signature"] = Convert.ToBase64String(signature),
                };
            case "auth.aid_login2":
                using (var key = ECDsa.Create())
                {
                    key.ImportSubjectPublicKeyInfo(_keys[Text("aid")], out _);
                    if (!_nonces.TryRemove(Text("request_id"), out var asked) || asked != Text("nonce") || !key.VerifyData(
                        Encoding.UTF8.GetBytes($"{asked}:{Text("client_time")}"), Convert.FromBase64String(Text("signature")), HashAlgorithmName.SHA256,
                        DSASignatureFormat.Rfc3279DerSequence))
                        throw new GatewayError(4010, "wrong signature");
                }

                return Tokens(Text("aid"));
            case "auth.refresh_token":
                return _refresh.TryRemove(Text("refresh_token"), out var whose) ? Tokens(whose)
                    : new JsonObject { ["success"] = false, ["error"] = "unknown", ["relogin_required"] = true };
            case "auth.connect":
                if (!_access.TryGetValue((string)parameters["auth"]!["token"]!, out var aid)) throw new GatewayError(4001, "bad token");
                _open[socket] = aid;
                return new JsonObject { ["status"] = "ok", ["identity"] = new JsonObject { ["aid"] = aid }, ["connection"] = new JsonObject() };
            case "meta.ping":
                return new JsonObject { ["pong"] = true };
            case "message.e2ee.put_prekey":
                Prekeys[_open[socket]!] = [parameters.DeepClone().AsObject()];
                return new JsonObject { ["success"] = true };
            case "message.e2ee.get_prekey":
                return Prekeys.TryGetValue(Text("aid"), out var keys)
                    ? new JsonObject { ["found"] = true, ["device_prekeys"] = new JsonArray([.. keys.Select(one => one.DeepClone())]) }
                    : new JsonObject { ["found"] = false };
            case "message.pull":
                lock (_gate)
                {
                    var log = Logs.GetOrAdd(_open[socket]!, _ => []);
                    var page = log.Where(one => (long)one["seq"]! > (long)parameters["after_seq"]!).Take((int)parameters["limit"]!).ToList();
                    return new JsonObject
                    {
                        ["messages"] = new JsonArray([.. page.Select(one => one.DeepClone())]),
                        ["count"] = page.Count,
                        ["latest_seq"] = log.Count == 0 ? 0 : (long)log[^1]["seq"]!,
                        ["server_ack_seq"] = ServerAckSeq ?? Acked,
                    };
                }

            case "message.ack":
                Acked = Math.Max(Acked, (long)parameters["seq"]!);
                return new JsonObject { ["success"] = true, ["ack_seq"] = Acked };
            case "message.send":
                return new JsonObject { ["message_id"] = Text("message_id"), ["seq"] = Interlocked.Increment(ref _count), ["status"] = "sent" };
            default:
                throw new GatewayError(-32601, "unknown method");
        }
    }

    private JsonObject Tokens(string aid)
    {
        var (access, refresh) = (Guid.NewGuid().ToString("N"), Guid.NewGuid().ToString("N"));
        (_access[access], _refresh[refresh]) = (aid, aid);
        return new JsonObject { ["success"] = true, ["access_token"] = access, ["refresh_token"] = refresh, ["expires_in"] = ExpiresIn };
    }

    /// <summary>Forgets every access token.</summary>
    public void RevokeAccess() => _access.Clear();

    /// <summary>Registers an identity that another program is.</summary>
    public void Register(string aid, byte[] spki) => Certificates[aid] = Pki.Issue(aid, _keys[aid] = spki);

    private async Task SendAsync(WebSocket socket, JsonObject message)
    {
        // One message after the other, whoever sends.
        var semaphore = _sending.GetValue(socket, static _ => new SemaphoreSlim(1));
        await semaphore.WaitAsync();
        try
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(message.ToJsonString()), WebSocketMessageType.Text, true, _stop.Token);
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It has ended.
        }
        finally
        {
            semaphore.Release();
        }
    }

    private readonly System.Runtime.CompilerServices.ConditionalWeakTable<WebSocket, SemaphoreSlim> _sending = [];
}

/// <summary>An error of a gateway.</summary>
internal sealed class GatewayError(int code, string message) : Exception(message)
{
    public int Code => code;
}
