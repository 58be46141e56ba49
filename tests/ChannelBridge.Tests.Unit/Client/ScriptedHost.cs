using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Client.Internal;

namespace ChannelBridge.Tests.Unit.Client;

/// <summary>A host in memory that does what a test tells it, frame by frame.</summary>
internal sealed class ScriptedHost
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly Channel<ScriptedConnection> _connections = Channel.CreateUnbounded<ScriptedConnection>();

    /// <summary>What opening a connection fails with, one a try; afterwards it succeeds.</summary>
    public Queue<Exception> OpenFailures { get; } = new();

    /// <summary>How often a client tried to connect.</summary>
    public int Tries { get; private set; }

    public IClientTransport Connect() => new ScriptedConnection(this);

    /// <summary>The next connection of the client, opened and with its challenge sent.</summary>
    public async Task<ScriptedConnection> AcceptAsync() => await _connections.Reader.ReadAsync().AsTask().WaitAsync(Timeout);

    /// <summary>The next connection, let in.</summary>
    public async Task<ScriptedConnection> LetInAsync()
    {
        var connection = await AcceptAsync();
        var connect = await connection.ReadRequestAsync("connect");
        connection.Answer(connect, """
            {"type":"hello-ok","protocol":4,"server":{"version":"9.9.9","connId":"c_1","bootId":"b"},"features":{"methods":["diagnostics"],"events":[],"capabilities":[]},
             "snapshot":{},"auth":{"role":"operator","scopes":["operator.write"]},"policy":{"maxPayload":4096,"maxBufferedBytes":52428800,"tickIntervalMs":30000}}
            """);
        return connection;
    }

    /// <summary>The next connection, let in and with its account connected.</summary>
    public async Task<ScriptedConnection> LetBridgeInAsync()
    {
        var connection = await LetInAsync();
        var request = await connection.ReadRequestAsync("bncr.connect");
        connection.Answer(request, """{"accountId":"Primary","pushEvent":"bncr.push","isPrimary":true,"pending":0,"deadLetter":0,"leaseId":"lease_1"}""");
        return connection;
    }

    internal sealed class ScriptedConnection(ScriptedHost host) : IClientTransport
    {
        private readonly Channel<byte[]?> _toClient = Channel.CreateUnbounded<byte[]?>();
        private readonly Channel<JsonNode> _fromClient = Channel.CreateUnbounded<JsonNode>();
        private volatile bool _closed;

        public string? CloseReason => _closed ? "1012 service restart" : null;

        public bool SayChallenge { get; init; } = true;

        public Task OpenAsync(CancellationToken cancellationToken)
        {
            host.Tries++;
            if (host.OpenFailures.TryDequeue(out var failure)) return Task.FromException(failure);
            if (SayChallenge) Send("""{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1,"capabilities":[]}}""");
            host._connections.Writer.TryWrite(this);
            return Task.CompletedTask;
        }

        public ValueTask SendAsync(ReadOnlyMemory<byte> message, bool isBinary, CancellationToken cancellationToken)
        {
            if (_closed) throw new IOException("broken pipe");
            _fromClient.Writer.TryWrite(isBinary ? new JsonObject { ["binary"] = Convert.ToBase64String(message.Span) } : JsonNode.Parse(message.Span)!);
            return ValueTask.CompletedTask;
        }

        public async ValueTask<ClientMessage?> ReceiveAsync(CancellationToken cancellationToken) =>
            await _toClient.Reader.ReadAsync(cancellationToken) is { } message ? new ClientMessage(message, IsBinary: message[0] == 0) : null;

        public ValueTask CloseAsync(CancellationToken cancellationToken)
        {
            _fromClient.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            _fromClient.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        /// <summary>Sends a binary message.</summary>
        public void Send(byte[] message) => _toClient.Writer.TryWrite(message);

        /// <summary>The client's next binary message: its header and its bytes.</summary>
        public async Task<(JsonNode Header, byte[] Content)> ReadBinaryAsync()
        {
            var frame = await _fromClient.Reader.ReadAsync().AsTask().WaitAsync(Timeout);
            var message = Convert.FromBase64String((string)frame["binary"]!);
            var header = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(message);
            return (JsonNode.Parse(message.AsSpan(4, header))!, message[(4 + header)..]);
        }

        /// <summary>Sends a frame as it is.</summary>
        public void Send(string frame) => _toClient.Writer.TryWrite(Encoding.UTF8.GetBytes(frame));

        /// <summary>The host closes.</summary>
        public void Close()
        {
            _closed = true;
            _toClient.Writer.TryWrite(null);
        }

        public void Answer(JsonNode request, string payload) => Send($$"""{"type":"res","id":"{{(string?)request["id"]}}","ok":true,"payload":{{payload}}}""");

        public void Refuse(JsonNode request, string error) => Send($$"""{"type":"res","id":"{{(string?)request["id"]}}","ok":false,"error":{{error}}}""");

        public void Raise(string name, string payload) => Send($$"""{"type":"event","event":"{{name}}","payload":{{payload}},"seq":1}""");

        /// <summary>The client's next request, which must be for <paramref name="method"/>.</summary>
        public async Task<JsonNode> ReadRequestAsync(string method)
        {
            var frame = await _fromClient.Reader.ReadAsync().AsTask().WaitAsync(Timeout);
            Assert.Equal("req", (string?)frame["type"]);
            Assert.Equal(method, (string?)frame["method"]);
            return frame;
        }

        /// <summary>True when the client has said goodbye or is gone.</summary>
        public Task WaitForGoodbyeAsync() => _fromClient.Reader.Completion.WaitAsync(Timeout);
    }
}
