using System.Buffers;
using System.IO.Pipelines;
using System.IO.Pipes;
using System.Net.Sockets;
using ChannelBridge.Protocol.Framing;

namespace ChannelBridge.Client.Internal;

/// <summary>Messages are framed by <c>Content-Length</c> on a byte stream: a Unix socket or a named pipe.</summary>
internal sealed class StreamTransport(Func<CancellationToken, Task<Stream>> open, int maxMessageBytes) : IClientTransport
{
    private readonly ArrayBufferWriter<byte> _outgoing = new(4096);
    private Stream? _stream;
    private PipeReader? _reader;
    private byte[] _buffer = [];

    public string? CloseReason => null;

    /// <summary>A transport on a Unix socket.</summary>
    public static StreamTransport OnUnixSocket(string path, int maxMessageBytes) => new(
        async cancellationToken =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
        maxMessageBytes);

    /// <summary>A transport on a named pipe.</summary>
    public static StreamTransport OnPipe(string name, int maxMessageBytes) => new(
        async cancellationToken =>
        {
            var pipe = new NamedPipeClientStream(".", name, PipeDirection.InOut, System.IO.Pipes.PipeOptions.Asynchronous | System.IO.Pipes.PipeOptions.CurrentUserOnly);
            try
            {
                await pipe.ConnectAsync(cancellationToken).ConfigureAwait(false);
                return pipe;
            }
            catch
            {
                await pipe.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        },
        maxMessageBytes);

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        _stream = await open(cancellationToken).ConfigureAwait(false);
        _reader = PipeReader.Create(_stream, new StreamPipeReaderOptions(leaveOpen: true));
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, bool isBinary, CancellationToken cancellationToken)
    {
        // One write for header and body: fewer packets, and a cancelled send never leaves a header without its body in between.
        _outgoing.ResetWrittenCount();
        _outgoing.Advance(new ContentLengthHeader(message.Length, isBinary).Write(_outgoing.GetSpan(ContentLengthHeader.MaxWrittenBytes)));
        _outgoing.Write(message.Span);
        await _stream!.WriteAsync(_outgoing.WrittenMemory, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<ClientMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        if (await ReadHeaderAsync(cancellationToken).ConfigureAwait(false) is not { } header) return null;
        if (header.ContentLength > maxMessageBytes)
            throw new InvalidDataException($"the host sent a message larger than {maxMessageBytes} bytes; see MaxMessageBytes");
        var length = (int)header.ContentLength;
        if (_buffer.Length < length) _buffer = new byte[Math.Max(length, Math.Min(_buffer.Length * 2, maxMessageBytes))];
        var read = await _reader!.ReadAtLeastAsync(length, cancellationToken).ConfigureAwait(false);
        if (read.Buffer.Length < length) throw new EndOfStreamException("the connection ended inside a message");
        var body = read.Buffer.Slice(0, length);
        body.CopyTo(_buffer);
        _reader.AdvanceTo(body.End);
        return new ClientMessage(_buffer.AsMemory(0, length), header.IsBinary);
    }

    public ValueTask CloseAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_stream is null) return;
        if (_reader is not null) await _reader.CompleteAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask<ContentLengthHeader?> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _reader!.ReadAsync(cancellationToken).ConfigureAwait(false);
            switch (ContentLengthHeader.TryRead(read.Buffer, out var header, out var body, out var error))
            {
                case HeaderStatus.Complete:
                    _reader.AdvanceTo(body);
                    return header;
                case HeaderStatus.Invalid:
                    throw new InvalidDataException($"the host sent an invalid message header: {error}");
            }

            var ended = read.IsCompleted;
            var partial = read.Buffer.Length > 0;
            _reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (!ended) continue;
            return partial ? throw new EndOfStreamException("the connection ended inside a message") : null;
        }
    }
}
