using System.Buffers;
using System.IO.Pipelines;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Protocol.Framing;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Messages behind <c>Content-Length</c> headers on a byte stream: Unix socket, named pipe, standard input and output.</summary>
internal sealed class StreamTransport : MessageTransport
{
    private const int BatchBytes = 32 * 1024;

    private readonly Stream _input;
    private readonly Stream _output;
    private readonly PipeReader _reader;
    private readonly TimeProvider _time;
    private readonly Action? _endOfOutput;

    /// <summary>Creates a transport.</summary>
    /// <param name="input">Read from.</param>
    /// <param name="output">Written to; may be the same stream.</param>
    /// <param name="time">The clock.</param>
    /// <param name="endOfOutput">Tells the peer that no more comes, where the stream can; or null.</param>
    public StreamTransport(Stream input, Stream output, TimeProvider time, Action? endOfOutput = null)
    {
        _input = input;
        _output = output;
        _time = time;
        _endOfOutput = endOfOutput;
        _reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 16 * 1024, minimumReadSize: 1024, leaveOpen: true, useZeroByteReads: true));
    }

    public override async ValueTask<IncomingMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (result.IsCanceled) throw new IOException("the connection was given up");
            var buffer = result.Buffer;
            switch (ContentLengthHeader.TryRead(buffer, out var header, out var body, out var error))
            {
                case HeaderStatus.Invalid:
                    _reader.AdvanceTo(buffer.End);
                    return IncomingMessage.Unreadable(error!);
                case HeaderStatus.Incomplete:
                    _reader.AdvanceTo(buffer.Start, buffer.End);
                    if (result.IsCompleted) return null;
                    if (!buffer.IsEmpty) Progress(_time, buffer.Length);
                    break;
                default:
                    var available = buffer.Slice(body);
                    if (available.Length >= header.ContentLength && header.ContentLength <= MaxMessageBytes && (!header.IsBinary || AcceptsBinary))
                    {
                        var message = IncomingMessage.Rent((int)header.ContentLength + 1);
                        var content = available.Slice(0, header.ContentLength);
                        message.Append(content);
                        if (header.IsBinary) message.MarkBinary();
                        _reader.AdvanceTo(content.End);
                        Idle();
                        return message;
                    }

                    _reader.AdvanceTo(body);
                    return await ReceiveLongAsync(header, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public override async ValueTask SendAsync(IReadOnlyList<OutgoingMessage> messages, CancellationToken cancellationToken)
    {
        try
        {
            if (messages.Count == 1)
            {
                await _output.WriteAsync(messages[0].Framed(), cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await SendTogetherAsync(messages, cancellationToken).ConfigureAwait(false);
            }

            await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is ObjectDisposedException or InvalidOperationException)
        {
            throw new IOException("the connection broke", fault);
        }
    }

    public override ValueTask CloseAsync(int code, string reason, CancellationToken cancellationToken)
    {
        _endOfOutput?.Invoke();
        return ValueTask.CompletedTask;
    }

    public override void Abort()
    {
        _reader.CancelPendingRead();
        _input.Dispose();
        if (!ReferenceEquals(_input, _output)) _output.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        await _reader.CompleteAsync().ConfigureAwait(false);
        await _input.DisposeAsync().ConfigureAwait(false);
        if (!ReferenceEquals(_input, _output)) await _output.DisposeAsync().ConfigureAwait(false);
    }

    // A body that isn't here yet. Memory grows with what arrives, not with what the header says.
    private async ValueTask<IncomingMessage?> ReceiveLongAsync(ContentLengthHeader header, CancellationToken cancellationToken)
    {
        var keep = header.ContentLength <= MaxMessageBytes && (!header.IsBinary || AcceptsBinary);
        var scanner = keep || header.IsBinary ? null : new MessageIdScanner();
        var message = IncomingMessage.Rent((int)Math.Min(keep ? header.ContentLength + 1 : 1, IncomingMessage.InitialBytes));
        var noRoom = false;
        try
        {
            var missing = header.ContentLength;
            while (missing > 0)
            {
                var result = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (result.IsCanceled) throw new IOException("the connection was given up");
                var piece = result.Buffer.Slice(0, Math.Min(missing, result.Buffer.Length));
                if (piece.IsEmpty && result.IsCompleted)
                {
                    message.Release();
                    return null;
                }

                if (keep && !message.TryMakeRoom((int)piece.Length, Budget, (int)header.ContentLength))
                {
                    keep = false;
                    noRoom = true;
                    scanner = header.IsBinary ? null : new MessageIdScanner();
                    scanner?.Feed(message.Memory.Span);
                }

                if (keep) message.Append(piece);
                if (scanner is not null)
                {
                    foreach (var part in piece) scanner.Feed(part.Span);
                }

                missing -= piece.Length;
                _reader.AdvanceTo(piece.End);
                Progress(_time, header.ContentLength - missing);
            }
        }
        catch
        {
            message.Release();
            throw;
        }

        Idle();
        scanner?.Complete();
        var kind = header.IsBinary ? IncomingKind.Binary : noRoom ? IncomingKind.NoRoom : IncomingKind.TooLarge;
        if (!keep) message.Reject(kind, header.ContentLength, scanner?.Id ?? default);
        else if (header.IsBinary) message.MarkBinary();
        return message;
    }

    private async ValueTask SendTogetherAsync(IReadOnlyList<OutgoingMessage> messages, CancellationToken cancellationToken)
    {
        var batch = ArrayPool<byte>.Shared.Rent(BatchBytes);
        try
        {
            var length = 0;
            for (var i = 0; i < messages.Count; i++)
            {
                var framed = messages[i].Framed();
                if (framed.Length > batch.Length - length && length > 0)
                {
                    await _output.WriteAsync(batch.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
                    length = 0;
                }

                if (framed.Length > batch.Length)
                {
                    await _output.WriteAsync(framed, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                framed.CopyTo(batch.AsMemory(length));
                length += framed.Length;
            }

            if (length > 0) await _output.WriteAsync(batch.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(batch);
        }
    }
}
