using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace ChannelBridge.Tests.Platform;

/// <summary>
/// The platform's end of one connection. It frames by itself: a real WebSocket server answers pings whether a test wants that or not.
/// </summary>
public sealed class BrokerSide
{
    private readonly Stream _stream;
    private readonly InstaClawPlatform _platform;
    private readonly SemaphoreSlim _writing = new(1);
    private readonly ConcurrentQueue<JsonObject> _all = new();
    private readonly Channel<JsonObject> _frames = Channel.CreateUnbounded<JsonObject>();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abort = new();
    private int _pings;

    private readonly Action _break;

    internal BrokerSide(Stream stream, InstaClawPlatform platform, IReadOnlyDictionary<string, string> headers, Action breakConnection)
    {
        _break = breakConnection;
        _stream = stream;
        _platform = platform;
        Headers = headers;
    }

    /// <summary>The headers of the upgrade, by lower-case name.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Every message that has arrived, in order.</summary>
    public IReadOnlyList<JsonObject> All => [.. _all];

    /// <summary>Ping frames that have arrived.</summary>
    public int Pings => Volatile.Read(ref _pings);

    /// <summary>Completes when the connection has ended, however.</summary>
    public Task Ended => _ended.Task;

    /// <summary>True once the channel has said goodbye in an orderly way.</summary>
    public bool SawClose { get; private set; }

    /// <summary>Aborts the connection when this many messages have arrived; 0 never.</summary>
    public int DropAfter { get; set; }

    /// <summary>The next message of the channel.</summary>
    public async Task<JsonObject> NextAsync()
    {
        using var timeout = new CancellationTokenSource(InstaClawPlatform.Timeout);
        return await _frames.Reader.ReadAsync(timeout.Token);
    }

    /// <summary>The events of one message, up to and with the terminal one. What belongs to others is kept for <see cref="All"/> only.</summary>
    public async Task<List<JsonObject>> EventsAsync(string messageId)
    {
        var events = new List<JsonObject>();
        while (true)
        {
            var frame = await NextAsync();
            if ((string?)frame["headers"]?["message-id"] != messageId || (string?)frame["type"] != "MESSAGE") continue;
            var item = JsonNode.Parse((string)frame["data"]!)!.AsObject();
            events.Add(item);
            if ((string?)item["type"] is "response.completed" or "response.failed" or "response.incomplete") return events;
        }
    }

    /// <summary>Sends a user's message in the envelope.</summary>
    public Task SendUserMessageAsync(string messageId, string sessionId, params JsonNode[] input) =>
        SendAsync("MESSAGE", "/v1.0/im/user/messages", messageId, new JsonObject
        {
            ["messageId"] = messageId,
            ["sessionId"] = sessionId,
            ["input"] = new JsonArray([.. input.Select(part => part.DeepClone())]),
        });

    /// <summary>Sends a user's text.</summary>
    public Task SendTextAsync(string messageId, string sessionId, string text) =>
        SendUserMessageAsync(messageId, sessionId, new JsonObject { ["type"] = "input_text", ["text"] = text });

    /// <summary>Sends a control instruction.</summary>
    public Task SendControlAsync(string id, JsonObject instruction) => SendAsync("CONTROL", "/v1.0/im/user/control", id, instruction);

    /// <summary>Sends an envelope.</summary>
    public Task SendAsync(string type, string topic, string? messageId, JsonNode data) => SendRawAsync(new JsonObject
    {
        ["type"] = type,
        ["headers"] = new JsonObject { ["topic"] = topic, ["message-id"] = messageId },
        ["data"] = data.ToJsonString(),
    }.ToJsonString());

    /// <summary>Sends a text message as it is.</summary>
    public Task SendRawAsync(string text) => WriteAsync(0x1, Encoding.UTF8.GetBytes(text));

    /// <summary>Sends bytes that are no frame at all.</summary>
    public async Task SendGarbageAsync(byte[] bytes) => await _stream.WriteAsync(bytes);

    /// <summary>Breaks the connection without a close handshake.</summary>
    public void Abort()
    {
        _abort.Cancel();
        if (Ended.IsCompleted) return;
        try
        {
            _break();
        }
        catch (ObjectDisposedException)
        {
            // It has ended in this moment.
        }
    }

    internal async Task RunAsync()
    {
        try
        {
            var message = new MemoryStream();
            while (await ReadFrameAsync() is var (opcode, final, payload))
            {
                switch (opcode)
                {
                    case 0x8:
                        SawClose = true;
                        await WriteAsync(0x8, payload);
                        return;
                    case 0x9:
                        Interlocked.Increment(ref _pings);
                        if (_platform.Pong) await WriteAsync(0xA, payload);
                        break;
                    case 0xA:
                        break;
                    default:
                        message.Write(payload);
                        if (!final) break;
                        Take(JsonNode.Parse(message.ToArray())!.AsObject());
                        message.SetLength(0);
                        if (_platform.ReadDelay > TimeSpan.Zero) await Task.Delay(_platform.ReadDelay, _abort.Token);
                        break;
                }
            }
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // The channel's host was killed, or the test broke the connection.
        }
        finally
        {
            _frames.Writer.TryComplete();
            _ended.TrySetResult();
        }
    }

    private void Take(JsonObject frame)
    {
        _all.Enqueue(frame);
        _frames.Writer.TryWrite(frame);
        _platform.Record(frame);
        if (DropAfter > 0 && _all.Count >= DropAfter) Abort();
    }

    private async Task<(int Opcode, bool Final, byte[] Payload)?> ReadFrameAsync()
    {
        var header = new byte[8];
        if (await _stream.ReadAtLeastAsync(header.AsMemory(0, 2), 2, throwOnEndOfStream: false, _abort.Token) < 2) return null;
        var (opcode, final, masked, length) = (header[0] & 0xF, (header[0] & 0x80) != 0, (header[1] & 0x80) != 0, header[1] & 0x7FL);
        if (!masked) throw new InvalidOperationException("a client must mask its frames");
        if (length >= 126)
        {
            var size = length == 126 ? 2 : 8;
            await _stream.ReadExactlyAsync(header.AsMemory(0, size), _abort.Token);
            length = size == 2 ? BinaryPrimitives.ReadUInt16BigEndian(header) : BinaryPrimitives.ReadInt64BigEndian(header);
        }

        var mask = new byte[4];
        await _stream.ReadExactlyAsync(mask, _abort.Token);
        var payload = new byte[length];
        await _stream.ReadExactlyAsync(payload, _abort.Token);
        for (var i = 0; i < payload.Length; i++) payload[i] ^= mask[i & 3];
        return (opcode, final, payload);
    }

    private async Task WriteAsync(int opcode, byte[] payload)
    {
        var frame = new MemoryStream();
        frame.WriteByte((byte)(0x80 | opcode));
        if (payload.Length < 126)
        {
            frame.WriteByte((byte)payload.Length);
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            frame.WriteByte(126);
            frame.Write([(byte)(payload.Length >> 8), (byte)payload.Length]);
        }
        else
        {
            var length = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(length, payload.Length);
            frame.WriteByte(127);
            frame.Write(length);
        }

        frame.Write(payload);
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(frame.ToArray());
        }
        finally
        {
            _writing.Release();
        }
    }
}
