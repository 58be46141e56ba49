using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Protocol.Framing;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>A client of the Unix socket that frames by hand.</summary>
internal sealed class SocketClient(Socket socket) : IAsyncDisposable
{
    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly MemoryStream _received = new();

    public Socket Socket => socket;

    public static async Task<SocketClient> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return new SocketClient(socket);
    }

    public Task SendAsync(string json) => SendRawAsync(Frame(json));

    public async Task SendRawAsync(byte[] bytes)
    {
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        for (var sent = 0; sent < bytes.Length;) sent += await socket.SendAsync(bytes.AsMemory(sent), timeout.Token);
    }

    public static byte[] Frame(string json)
    {
        var body = Encoding.UTF8.GetBytes(json);
        return [.. Encoding.ASCII.GetBytes($"Content-Length: {body.Length}\r\n\r\n"), .. body];
    }

    /// <summary>Sends a request and waits for its answer.</summary>
    public async Task<JsonObject> RpcAsync(int id, string method, string parameters = "{}")
    {
        await SendAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"{{method}}","params":{{parameters}}}""");
        while (true)
        {
            var message = await ReceiveAsync() ?? throw new IOException("closed");
            if (message["id"]?.ToJsonString() == id.ToString() && message["method"] is null) return message.AsObject();
        }
    }

    /// <summary>The next message, or null at the end.</summary>
    public async Task<JsonNode?> ReceiveAsync()
    {
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        while (true)
        {
            var sequence = new System.Buffers.ReadOnlySequence<byte>(_received.ToArray());
            if (ContentLengthHeader.TryRead(sequence, out var header, out var body, out _) == HeaderStatus.Complete)
            {
                var rest = sequence.Slice(body);
                if (rest.Length >= header.ContentLength)
                {
                    var text = Encoding.UTF8.GetString(rest.Slice(0, header.ContentLength));
                    var after = System.Buffers.BuffersExtensions.ToArray(rest.Slice(header.ContentLength));
                    _received.SetLength(0);
                    _received.Write(after);
                    return JsonNode.Parse(text);
                }
            }

            var count = await socket.ReceiveAsync(_buffer, timeout.Token);
            if (count == 0) return null;
            _received.Write(_buffer, 0, count);
        }
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
