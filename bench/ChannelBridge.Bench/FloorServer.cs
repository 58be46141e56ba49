using System.Net.WebSockets;
using System.Text.Json;

namespace ChannelBridge.Bench;

/// <summary>The floor: a bare Kestrel WebSocket server that parses each request frame for its id and answers it. No queue, no disk, no agent.</summary>
internal static class FloorServer
{
    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.UseWebSockets();
        app.Map("/", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await EchoAsync(socket, context.RequestAborted);
        });
        app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine("ready"));
        await app.RunAsync();
        return 0;
    }

    private static async Task EchoAsync(WebSocket socket, CancellationToken cancellationToken)
    {
        var incoming = new byte[64 * 1024];
        var outgoing = new byte[256];
        while (socket.State == WebSocketState.Open)
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(incoming.AsMemory(length), cancellationToken);
                length += part.Count;
            }
            while (!part.EndOfMessage);

            if (part.MessageType == WebSocketMessageType.Close) return;
            var size = Answer(incoming.AsSpan(0, length), outgoing);
            await socket.SendAsync(outgoing.AsMemory(0, size), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        }
    }

    private static int Answer(ReadOnlySpan<byte> frame, Span<byte> response)
    {
        var reader = new Utf8JsonReader(frame);
        ReadOnlySpan<byte> id = default;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1 || !reader.ValueTextEquals("id"u8)) continue;
            reader.Read();
            id = reader.ValueSpan;
        }

        var prefix = "{\"type\":\"res\",\"id\":\""u8;
        var suffix = "\",\"ok\":true,\"payload\":{}}"u8;
        prefix.CopyTo(response);
        id.CopyTo(response[prefix.Length..]);
        suffix.CopyTo(response[(prefix.Length + id.Length)..]);
        return prefix.Length + id.Length + suffix.Length;
    }
}
