using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Bench;

/// <summary>
/// The floor for files: a bare Kestrel WebSocket that decodes each chunk, hashes it and the whole, and writes it into a file that is flushed at the end; and
/// one that sends the chunks of a file with a window of 16. No checks, no state that survives, no resume.
/// </summary>
internal static class FileFloor
{
    private const int Window = 16;

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
            await ServeAsync(socket);
        });
        app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine("ready"));
        await app.RunAsync();
        return 0;
    }

    private static async Task ServeAsync(WebSocket socket)
    {
        var frame = new byte[4 * 1024 * 1024];
        var decoded = new byte[2 * 1024 * 1024];
        var path = Path.GetTempFileName();
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        try
        {
            while (await ReceiveAsync(socket, frame) is var (type, length) && type != WebSocketMessageType.Close)
            {
                var text = frame.AsMemory(0, length);
                if (type == WebSocketMessageType.Binary)
                {
                    var header = (int)BinaryPrimitives.ReadUInt32BigEndian(text.Span);
                    Keep(file, whole, long.Parse(FileClient.Field(text.Span.Slice(4, header), "\"offset\":"u8), CultureInfo.InvariantCulture), text.Span[(4 + header)..]);
                    await SendAsync(socket, """{"type":"event","event":"bncr.file.ack","payload":{"stage":"chunk","ok":true}}""");
                    continue;
                }

                var method = FileClient.Field(text.Span, "\"method\":\""u8);
                if (method == "send")
                {
                    await SendFileAsync(socket, frame, FileClient.Field(text.Span, "\"mediaUrl\":\""u8), text.Span.IndexOf("\"message\":\"binary\""u8) >= 0);
                    continue;
                }

                if (method == "bncr.file.chunk")
                {
                    var base64 = text.Span[(text.Span.IndexOf("\"base64\":\""u8) + "\"base64\":\"".Length)..];
                    base64 = base64[..base64.IndexOf((byte)'"')];
                    Base64.DecodeFromUtf8(base64, decoded, out _, out var written);
                    Keep(file, whole, long.Parse(FileClient.Field(text.Span, "\"offset\":"u8), CultureInfo.InvariantCulture), decoded.AsSpan(0, written));
                }
                else if (method == "bncr.file.complete")
                {
                    RandomAccess.FlushToDisk(file);
                    whole.GetHashAndReset();
                }

                await SendAsync(socket, $$$"""{"type":"res","id":"{{{FileClient.Field(text.Span, "\"id\":\""u8)}}}","ok":true,"payload":{}}""");
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Keep(SafeFileHandle file, IncrementalHash whole, long offset, ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        whole.AppendData(bytes);
        RandomAccess.Write(file, bytes, offset);
    }

    private static async Task SendFileAsync(WebSocket socket, byte[] frame, string path, bool binary)
    {
        const int Chunk = 256 * 1024;
        using var file = File.OpenHandle(path);
        var size = RandomAccess.GetLength(file);
        var chunks = (int)((size + Chunk - 1) / Chunk);
        await SendAsync(socket, $$"""{"type":"event","event":"bncr.file.init","payload":{"transferId":"t","fileSize":{{size}} } }""");
        await ReceiveAsync(socket, frame);
        var bytes = new byte[Chunk];
        for (int sent = 0, acked = 0; acked < chunks; acked++)
        {
            for (; sent < chunks && sent - acked < Window; sent++)
            {
                var read = RandomAccess.Read(file, bytes, (long)sent * Chunk);
                var place =
                    $"\"transferId\":\"t\",\"chunkIndex\":{sent},\"offset\":{(long)sent * Chunk},\"size\":{read},\"chunkSha256\":\"{Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, read)))}\"";
                if (binary)
                {
                    var header = Encoding.UTF8.GetBytes($"{{{place}}}");
                    var front = new byte[4 + header.Length];
                    BinaryPrimitives.WriteUInt32BigEndian(front, (uint)header.Length);
                    header.CopyTo(front, 4);
                    await socket.SendAsync(front, WebSocketMessageType.Binary, endOfMessage: false, CancellationToken.None);
                    await socket.SendAsync(bytes.AsMemory(0, read), WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
                }
                else
                {
                    await SendAsync(socket, $$$"""{"type":"event","event":"bncr.file.chunk","payload":{{{{place}}},"base64":"{{{Convert.ToBase64String(bytes, 0, read)}}}"}}""");
                }
            }

            await ReceiveAsync(socket, frame);
        }

        await SendAsync(socket, """{"type":"event","event":"bncr.file.complete","payload":{"transferId":"t"}}""");
        await ReceiveAsync(socket, frame);
    }

    private static async Task<(WebSocketMessageType Type, int Length)> ReceiveAsync(WebSocket socket, byte[] frame)
    {
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(frame.AsMemory(length), CancellationToken.None);
            length += part.Count;
            if (part.EndOfMessage) return (part.MessageType, length);
        }
    }

    private static Task SendAsync(WebSocket socket, string text) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
}
