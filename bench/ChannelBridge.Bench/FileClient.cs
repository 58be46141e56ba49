using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>
/// Sends and takes files over one WebSocket, doing as little as it can, and the same for floor and subject. Every chunk of a file has the same bytes, made and
/// encoded once; only index and offset change.
/// </summary>
internal sealed class FileClient(string account) : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _receive = new byte[4 * 1024 * 1024];
    private int _requests;

    // The host says the message behind the file; the floor has none.
    private bool _pushes;

    public static async Task<FileClient> ConnectAsync(Subject subject, string account = "Primary")
    {
        var client = new FileClient(account);
        await client._socket.ConnectAsync(subject.Url, CancellationToken.None);
        if (subject.Data is null) return client;
        client._pushes = true;
        await client.ReceiveAsync();
        await client.CallAsync(
            "connect",
            $$$"""{"minProtocol":4,"maxProtocol":4,"client":{"id":"gateway-client","version":"1","platform":"linux","mode":"backend"},"role":"operator","scopes":["operator.read","operator.write"],"auth":{"token":"{{{subject.Token}}}"}}""");
        await client.CallAsync("bncr.connect", $$"""{"accountId":"{{account}}","clientId":"bench","ack":true}""");
        return client;
    }

    /// <summary>Sends a file of so many chunks with a window; gives bytes per second, from init to the answer of complete.</summary>
    public async Task<double> UploadAsync(int chunkBytes, int chunks, int window, bool binary)
    {
        var bytes = RandomNumberGenerator.GetBytes(chunkBytes);
        var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var index = 0; index < chunks; index++) whole.AppendData(bytes);
        var transfer = Guid.NewGuid().ToString("N");
        var size = (long)chunkBytes * chunks;
        var base64 = binary ? "" : Convert.ToBase64String(bytes);
        var clock = Stopwatch.StartNew();
        await CallAsync(
            "bncr.file.init",
            $$"""{"accountId":"{{account}}","clientId":"bench","transferId":"{{transfer}}","sessionKey":"agent:main:bncr:direct:6c61623a303a7531","fileName":"b.bin","fileSize":{{size}},"chunkSize":{{chunkBytes}},"totalChunks":{{chunks}},"fileSha256":"{{Convert.ToHexStringLower(whole.GetHashAndReset())}}","encoding":"{{(binary ? "binary" : "base64")}}"}""");
        int sent = 0, answered = 0;
        while (answered < chunks)
        {
            for (; sent < chunks && sent - answered < window; sent++) await SendChunkAsync(sent);
            var (type, length) = await ReceiveAsync();
            var frame = _receive.AsSpan(0, length);
            // Text chunks are answered, binary ones acked by an event.
            var counts = binary ? frame.IndexOf("file.ack"u8) >= 0 : frame.IndexOf("\"type\":\"res\""u8) >= 0;
            if (type != WebSocketMessageType.Text || !counts) continue;
            if (frame.IndexOf("\"ok\":true"u8) < 0) throw new InvalidOperationException(Encoding.UTF8.GetString(frame));
            answered++;
        }

        await CallAsync("bncr.file.complete", $$"""{"accountId":"{{account}}","clientId":"bench","transferId":"{{transfer}}"}""");
        return size / clock.Elapsed.TotalSeconds;

        Task SendChunkAsync(int index)
        {
            var offset = (long)index * chunkBytes;
            return binary
                ? SendBinaryAsync($$"""{"transferId":"{{transfer}}","chunkIndex":{{index}},"offset":{{offset}},"size":{{chunkBytes}},"sha256":"{{hash}}"}""", bytes)
                : SendAsync(
                    $$$"""{"type":"req","id":"r{{{++_requests}}}","method":"bncr.file.chunk","params":{"accountId":"{{{account}}}","clientId":"bench","transferId":"{{{transfer}}}","chunkIndex":{{{index}}},"offset":{{{offset}}},"size":{{{chunkBytes}}},"chunkSha256":"{{{hash}}}","base64":"{{{base64}}}"}}""");
        }
    }

    /// <summary>Asks for a file and takes it, acking each chunk; gives bytes per second, from its announcement to its last chunk.</summary>
    public async Task<double> DownloadAsync(string path, bool binary)
    {
        await SendAsync(
            $$$"""{"type":"req","id":"get","method":"send","params":{"channel":"bncr","accountId":"Primary","to":"Bncr:lab:u1","mediaUrl":"{{{path}}}","message":"{{{(binary ? "binary" : "base64")}}}"}}""");
        long bytes = 0;
        var clock = new Stopwatch();
        var rate = 0.0;
        while (true)
        {
            var (type, length) = await ReceiveAsync();
            var frame = _receive.AsMemory(0, length);
            if (type == WebSocketMessageType.Binary || frame.Span.IndexOf("file.chunk\""u8) >= 0)
            {
                bytes += long.Parse(Field(frame.Span, "\"size\":"u8), CultureInfo.InvariantCulture);
                await AckAsync("chunk", Field(frame.Span, "\"transferId\":\""u8), $$""","chunkIndex":{{Field(frame.Span, "\"chunkIndex\":"u8)}}""");
            }
            else if (frame.Span.IndexOf("file.init\""u8) >= 0)
            {
                clock.Start();
                await AckAsync("init", Field(frame.Span, "\"transferId\":\""u8), binary ? ",\"encoding\":\"binary\"" : "");
            }
            else if (frame.Span.IndexOf("file.complete\""u8) >= 0)
            {
                rate = bytes / clock.Elapsed.TotalSeconds;
                await AckAsync("complete", Field(frame.Span, "\"transferId\":\""u8), ",\"path\":\"/taken\"");
                if (!_pushes) return rate;
            }
            else if (frame.Span.IndexOf(Push) >= 0)
            {
                // The next file of the conversation waits for this.
                await AckPushAsync(length);
                if (rate > 0) return rate;
            }
            else if (frame.Span.IndexOf("\"ok\":false"u8) >= 0)
            {
                throw new InvalidOperationException(Encoding.UTF8.GetString(frame.Span));
            }
        }
    }

    /// <summary>Makes the conversation known to which files are sent, and acks the answer: what comes later in it would wait for that.</summary>
    public async Task SayAsync()
    {
        await SendAsync("""{"type":"req","id":"say","method":"bncr.inbound","params":{"accountId":"Primary","clientId":"bench","platform":"lab","userId":"u1","msg":"hello"}}""");
        while (true)
        {
            var (_, length) = await ReceiveAsync();
            if (_receive.AsSpan(0, length).IndexOf(Push) < 0) continue;
            await AckPushAsync(length);
            return;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_socket.State == WebSocketState.Open) await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        _socket.Dispose();
    }

    private async Task CallAsync(string method, string parameters)
    {
        var id = $"r{++_requests}";
        await SendAsync($$"""{"type":"req","id":"{{id}}","method":"{{method}}","params":{{parameters}}}""");
        while (true)
        {
            var (_, length) = await ReceiveAsync();
            var text = Encoding.UTF8.GetString(_receive, 0, length);
            if (!text.Contains($"\"id\":\"{id}\"", StringComparison.Ordinal)) continue;
            if (!text.Contains("\"ok\":true", StringComparison.Ordinal)) throw new InvalidOperationException(text);
            return;
        }
    }

    private static ReadOnlySpan<byte> Push => "\"type\":\"message.outbound\""u8;

    private Task AckPushAsync(int length) => CallAsync(
        "bncr.ack", $$"""{"accountId":"{{account}}","clientId":"bench","messageId":"{{Field(_receive.AsSpan(0, length), "\"messageId\":\""u8)}}","ok":true}""");

    private Task AckAsync(string stage, string transfer, string more) => SendAsync(
        $$$"""{"type":"req","id":"r{{{++_requests}}}","method":"bncr.file.ack","params":{"accountId":"Primary","clientId":"bench","transferId":"{{{transfer}}}","stage":"{{{stage}}}","ok":true{{{more}}}}}""");

    /// <summary>What stands behind a name, up to the next quote, comma or brace; empty when the name isn't there.</summary>
    public static string Field(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name)
    {
        var start = text.IndexOf(name);
        if (start < 0) return "";
        var rest = text[(start + name.Length)..];
        return Encoding.UTF8.GetString(rest[..rest.IndexOfAny("\",}"u8)]);
    }

    private Task SendAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    private async Task SendBinaryAsync(string header, byte[] bytes)
    {
        var front = new byte[4 + header.Length];
        BinaryPrimitives.WriteUInt32BigEndian(front, (uint)header.Length);
        Encoding.ASCII.GetBytes(header, front.AsSpan(4));
        await _socket.SendAsync(front, WebSocketMessageType.Binary, endOfMessage: false, CancellationToken.None);
        await _socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
    }

    private async Task<(WebSocketMessageType Type, int Length)> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            var part = await _socket.ReceiveAsync(_receive.AsMemory(length), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"closed: {_socket.CloseStatusDescription}");
            length += part.Count;
            if (part.EndOfMessage) return (part.MessageType, length);
        }
    }
}
