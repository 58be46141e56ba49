using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Platform;

/// <summary>
/// The InstaClaw platform as far as a channel sees it: a broker (WebSocket), the registration, the task pool and the artifact upload (HTTP). It misbehaves on
/// command: refuses connections, never pongs, is slow, breaks connections in the middle, answers 500.
/// </summary>
public sealed class InstaClawPlatform : IAsyncDisposable
{
    /// <summary>How long anything may take before a test gives up.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;
    private readonly Channel<BrokerSide> _connections = Channel.CreateUnbounded<BrokerSide>();
    private readonly ConcurrentQueue<JsonObject> _frames = new();
    private readonly ConcurrentQueue<PlatformCall> _calls = new();
    private readonly ConcurrentBag<BrokerSide> _open = [];
    private readonly CancellationTokenSource _stop = new();
    private int _attempts;

    private InstaClawPlatform(WebApplication app) => _app = app;

    /// <summary>Where it listens.</summary>
    public Uri Root { get; private set; } = null!;

    /// <summary>The broker.</summary>
    public Uri WsUrl => new UriBuilder(Root) { Scheme = "ws", Path = "/ws/chat" }.Uri;

    /// <summary>False: ping frames stay unanswered.</summary>
    public bool Pong { get; set; } = true;

    /// <summary>True: connections are refused with 503.</summary>
    public bool Refuse { get; set; }

    /// <summary>True: connections are accepted by TCP and never answered.</summary>
    public bool Hang { get; set; }

    /// <summary>How long it waits after each message before it reads the next.</summary>
    public TimeSpan ReadDelay { get; set; }

    /// <summary>What HTTP calls are answered with instead of the right answer, by path; 0 or absent: the right answer.</summary>
    public ConcurrentDictionary<string, int> Fail { get; } = new();

    /// <summary>Attempts to connect so far, refused ones included.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Every message of every connection, in order of arrival.</summary>
    public IReadOnlyList<JsonObject> Frames => [.. _frames];

    /// <summary>Every HTTP call.</summary>
    public IReadOnlyList<PlatformCall> Calls => [.. _calls];

    /// <summary>Starts it on a free port.</summary>
    public static async Task<InstaClawPlatform> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var platform = new InstaClawPlatform(app);
        app.Map("/ws/chat", platform.ConnectAsync);
        app.MapFallback(platform.CallAsync);
        await app.StartAsync();
        platform.Root = new Uri(app.Urls.First());
        return platform;
    }

    /// <summary>The next connection that a channel opens.</summary>
    public async Task<BrokerSide> NextConnectionAsync()
    {
        using var timeout = new CancellationTokenSource(Timeout);
        return await _connections.Reader.ReadAsync(timeout.Token);
    }

    /// <summary>The events of a message over all connections, in order of arrival, duplicates included.</summary>
    public List<JsonObject> EventsOf(string messageId) =>
    [
        .. _frames.Where(frame => (string?)frame["headers"]?["message-id"] == messageId && (string?)frame["type"] == "MESSAGE")
            .Select(frame => JsonNode.Parse((string)frame["data"]!)!.AsObject()),
    ];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var connection in _open) connection.Abort();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }

    internal void Record(JsonObject frame) => _frames.Enqueue(frame);

    private async Task ConnectAsync(HttpContext context)
    {
        Interlocked.Increment(ref _attempts);
        if (Hang)
        {
            using var hanging = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, context.RequestAborted);
            await Task.Delay(System.Threading.Timeout.Infinite, hanging.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        var upgrade = context.Features.Get<IHttpUpgradeFeature>();
        if (Refuse || upgrade is not { IsUpgradableRequest: true })
        {
            context.Response.StatusCode = 503;
            return;
        }

        var key = context.Request.Headers.SecWebSocketKey.ToString();
#pragma warning disable CA5350 // The handshake of RFC 6455 is what it is.
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
        context.Response.Headers.Upgrade = "websocket";
        context.Response.Headers.Connection = "Upgrade";
        context.Response.Headers.SecWebSocketAccept = accept;
        var stream = await upgrade.UpgradeAsync();
        var side = new BrokerSide(stream, this, context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString()), context.Abort);
        _open.Add(side);
        _connections.Writer.TryWrite(side);
        await side.RunAsync();
    }

    private async Task CallAsync(HttpContext context)
    {
        var request = context.Request;
        var body = new MemoryStream();
        string? file = null, fileName = null;
        var fields = new Dictionary<string, string>();
        if (request.HasFormContentType)
        {
            var form = await request.ReadFormAsync();
            foreach (var (name, value) in form) fields[name] = value.ToString();
            if (form.Files.Count > 0)
            {
                await form.Files[0].CopyToAsync(body);
                (file, fileName) = (Convert.ToHexStringLower(SHA256.HashData(body.ToArray())), form.Files[0].FileName);
            }
        }
        else
        {
            await request.Body.CopyToAsync(body);
        }

        var path = request.Path.ToString();
        var json = file is null && body.Length > 0 ? JsonNode.Parse(body.ToArray()) as JsonObject : null;
        _calls.Enqueue(new PlatformCall(
            request.Method, path + request.QueryString, json, fields, file, fileName,
            request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString())));
        if (Fail.TryGetValue(path, out var status) && status != 0)
        {
            context.Response.StatusCode = status;
            await context.Response.WriteAsync("""{"message":"the platform is unwell"}""");
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(Answer(request.Method, path, json).ToJsonString());
    }

    private static JsonNode Answer(string method, string path, JsonObject? body) => (method, path) switch
    {
        ("POST", "/profiles/create") => new JsonObject
        {
            ["app_key"] = "key-1",
            ["app_secret"] = "secret-of-the-platform-1",
            ["claw_id"] = "claw-1",
            ["name"] = body?["name"]?.DeepClone(),
        },
        ("GET", "/tasks") => new JsonObject { ["tasks"] = new JsonArray(new JsonObject { ["task_id"] = "t1", ["title"] = "Translate a page" }) },
        ("POST", "/tasks/t1/grab") => new JsonObject { ["task_id"] = "t1", ["status"] = "grabbed" },
        ("POST", "/tasks/t1/deliverables") => new JsonObject { ["deliverable_id"] = "d1" },
        ("POST", "/artifact/upload-and-bind") => new JsonObject { ["artifact_id"] = "a1" },
        _ => new JsonObject { ["path"] = path },
    };
}

/// <summary>An HTTP call that the platform has seen.</summary>
public sealed record PlatformCall(
    string Method,
    string Path,
    JsonObject? Body,
    IReadOnlyDictionary<string, string> Fields,
    string? FileHash,
    string? FileName,
    IReadOnlyDictionary<string, string> Headers);
