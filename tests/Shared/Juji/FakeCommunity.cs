using System.Collections.Concurrent;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Juji;

/// <summary>
/// A Juji community as its published text describes it: registration with a new token each time, a WebSocket whose signature is looked at, answers by <c>u_id</c>.
/// It misbehaves on command.
/// </summary>
public sealed class FakeCommunity : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<CommunitySide> _connections = Channel.CreateUnbounded<CommunitySide>();
    private readonly ConcurrentQueue<(string Verb, string Path, JsonObject? Body)> _requests = new();
    private readonly ConcurrentBag<CommunitySide> _open = [];
    private readonly CancellationTokenSource _stop = new();
    private byte[] _publicKey = [];
    private int _tokens;
    private int _attempts;

    private FakeCommunity(WebApplication app) => _app = app;

    /// <summary>Where it is.</summary>
    public string BaseUrl { get; private set; } = "";

    /// <summary>How many of the next connections are refused with 4401, whatever they bring.</summary>
    public int Refusals { get; set; }

    /// <summary>False: pings stay unanswered.</summary>
    public bool Pongs { get; set; } = true;

    /// <summary>False: registrations have no <c>ws_token</c>.</summary>
    public bool GivesTokens { get; set; } = true;

    /// <summary>Answers HTTP requests but the registration; by default with <c>{"path":…}</c>.</summary>
    public Func<HttpContext, JsonObject?, Task>? Rest { get; set; }

    /// <summary>Attempts to connect.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Registrations.</summary>
    public int Registrations => Volatile.Read(ref _tokens);

    /// <summary>Whether the last signature was a good one, and not older than 300 s.</summary>
    public bool LastSignatureWasGood { get; private set; }

    /// <summary>Every HTTP request.</summary>
    public IReadOnlyList<(string Verb, string Path, JsonObject? Body)> Requests => [.. _requests];

    /// <summary>Starts one.</summary>
    public static async Task<FakeCommunity> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.UseWebSockets();
        var community = new FakeCommunity(app);
        app.Map("/ws", community.ConnectAsync);
        app.MapFallback(community.RequestAsync);
        await app.StartAsync();
        community.BaseUrl = app.Urls.First();
        return community;
    }

    /// <summary>The next connection that is let in.</summary>
    public async Task<CommunitySide> NextConnectionAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        return await _connections.Reader.ReadAsync(timeout.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var side in _open) side.Abort();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }

    private async Task RequestAsync(HttpContext context)
    {
        JsonObject? body = null;
        if (context.Request.ContentLength > 0) body = (await JsonNode.ParseAsync(context.Request.Body))!.AsObject();
        var path = context.Request.Path + context.Request.QueryString;
        _requests.Enqueue((context.Request.Method, path, body));
        if (context.Request.Path == "/agent/register")
        {
            _publicKey = Convert.FromHexString((string)body!["public_key"]!);
            var answer = new JsonObject { ["agent_id"] = 7, ["status"] = "online" };
            var token = $"token-{Interlocked.Increment(ref _tokens)}";
            if (GivesTokens) answer["ws_token"] = token;
            await context.Response.WriteAsJsonAsync(answer);
        }
        else if (Rest is { } rest)
        {
            await rest(context, body);
        }
        else
        {
            await context.Response.WriteAsJsonAsync(new JsonObject { ["path"] = path });
        }
    }

    private async Task ConnectAsync(HttpContext context)
    {
        Interlocked.Increment(ref _attempts);
        var query = context.Request.Query;
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        LastSignatureWasGood = IsGood(query);
        var isGood = LastSignatureWasGood && query["token"] == $"token-{Registrations}";
        if (Refusals > 0 || !isGood)
        {
            Refusals--;
            await socket.CloseAsync((WebSocketCloseStatus)4401, null, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        var side = new CommunitySide(socket, this, _stop.Token);
        _open.Add(side);
        await side.SendAsync(new JsonObject { ["type"] = "connected", ["agent_id"] = 7 });
        _connections.Writer.TryWrite(side);
        await side.RunAsync();
    }

    private bool IsGood(IQueryCollection query)
    {
        if (!long.TryParse(query["ts"], NumberStyles.None, CultureInfo.InvariantCulture, out var at)) return false;
        var payload = Encoding.UTF8.GetBytes($"juji-ws-v1|{query["agent_id"]}|{query["ts"]}");
        return Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - at) <= 300
            && IdentityVerifier.TryCreate(_publicKey, out var verifier) && verifier.Verify(payload, Convert.FromHexString(query["sig"].ToString()));
    }
}

/// <summary>The community's end of one connection.</summary>
public sealed class CommunitySide(WebSocket socket, FakeCommunity community, CancellationToken stop)
{
    private readonly Channel<JsonObject> _calls = Channel.CreateUnbounded<JsonObject>();
    private readonly SemaphoreSlim _sending = new(1);
    private int _pings;

    /// <summary>How often it was pinged.</summary>
    public int Pings => Volatile.Read(ref _pings);

    /// <summary>The next call.</summary>
    public async Task<JsonObject> NextCallAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        return await _calls.Reader.ReadAsync(timeout.Token);
    }

    /// <summary>Answers a call.</summary>
    public Task AnswerAsync(JsonObject call, JsonNode? content, string status = "success") => SendAsync(new JsonObject
    {
        ["agent_id"] = 7,
        ["u_id"] = (string)call["u_id"]!,
        ["content"] = content,
        ["status"] = status,
    });

    public Task SendAsync(JsonObject frame) => SendAsync(frame.ToJsonString());

    public async Task SendAsync(string frame)
    {
        await _sending.WaitAsync(stop);
        try
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, endOfMessage: true, stop);
        }
        finally
        {
            _sending.Release();
        }
    }

    public void Abort() => socket.Abort();

    internal async Task RunAsync()
    {
        var buffer = new byte[1 << 20];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length), stop);
                    length += part.Count;
                }
                while (!part.EndOfMessage);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, stop);
                    return;
                }

                var text = Encoding.UTF8.GetString(buffer, 0, length);
                if (text == "ping")
                {
                    Interlocked.Increment(ref _pings);
                    if (community.Pongs) await SendAsync("""{"type":"pong"}""");
                }
                else
                {
                    _calls.Writer.TryWrite(JsonNode.Parse(text)!.AsObject());
                }
            }
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or IOException)
        {
            // Gone.
        }
    }
}
