using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Channels.Juji;

namespace ChannelBridge.Bench;

/// <summary>A community with an action that tells everybody, and bare Kestrel that tells everybody without an outbox: what a broadcast costs.</summary>
internal static class JujiServer
{
    /// <summary>The token of the host's caller.</summary>
    public const string Token = "the-bench-s-token-0123456789";

    private static readonly JsonObject Push = new()
    {
        ["type"] = "juji/notification",
        ["topic"] = "content.published",
        ["event"] = "content.published",
        ["title"] = "An article",
        ["message"] = string.Concat(Enumerable.Repeat("0123456789abcdef", 32)),
    };

    /// <summary>Each frame that comes is said to all, one send after the other.</summary>
    public static async Task<int> BareAsync(int port)
    {
        var app = WebServer.New(port).Build();
        var sockets = new List<WebSocket>();
        var push = JsonSerializer.SerializeToUtf8Bytes((JsonNode)Push);
        app.UseWebSockets();
        app.Map("/juji/ws", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            lock (sockets) sockets.Add(socket);
            await socket.SendAsync("{}"u8.ToArray(), WebSocketMessageType.Text, true, context.RequestAborted);
            var buffer = new byte[1024];
            while ((await socket.ReceiveAsync(buffer, context.RequestAborted)).MessageType != WebSocketMessageType.Close)
            {
                foreach (var one in sockets) await one.SendAsync(push, WebSocketMessageType.Text, true, context.RequestAborted);
            }
        });
        return await WebServer.RunAsync(app);
    }

    /// <summary>The host.</summary>
    public static async Task<int> HostAsync(int port, string data)
    {
        var builder = WebServer.New(port);
        builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddToken("bench", Token, Scopes.Write)
            .AddJuji(juji =>
            {
                juji.Endpoint.Enabled = true;
                juji.Endpoint.SettleTime = TimeSpan.Zero;
            })
            .AddEndpoints(configure: null, limits: limits => limits.MaxConnections = 20_000);
        builder.Services.AddSingleton<IJujiAction, TellAll>();
        var app = builder.Build();
        app.MapChannelBridge();
        return await WebServer.RunAsync(app);
    }

    private sealed class TellAll(IJujiCommunity community) : IJujiAction
    {
        public string Name => "bench/tell-all";

        public JsonNode ParametersSchema { get; } = new JsonObject { ["type"] = "object" };

        public async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
        {
            await community.BroadcastAsync(Push, call.RequestId, null, cancellationToken);
            return null;
        }
    }
}
