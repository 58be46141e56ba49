using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Protocol.Framing;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// Carries StreamJsonRpc over a pipe within bounds that it doesn't have: header and message sizes, open calls, unread answers.
/// Answers and cancels are always read. Streams' frames pass it by.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "The formatter belongs to the connection that it is given to, which disposes it.")]
internal sealed class PluginMessageHandler : IJsonRpcMessageHandler
{
    private const int FewCalls = 2;
    private readonly PipeReader _input;
    private readonly OutgoingFrames _output;
    private readonly PluginStreams _streams;
    private readonly PluginLimits _limits;
    private readonly PluginTraffic _traffic;
    private readonly SystemTextJsonFormatter _formatter;
    private readonly Lock _writeLock = new();
    private readonly ArrayBufferWriter<byte> _scratch = new();
    private readonly ConcurrentDictionary<RequestId, bool> _asked = new();
    private readonly CallPlaces? _places;
    // Calls of the other end that have no answer yet, and those of this end.
    private int _open;
    private int _asking;

    /// <param name="input">What the other end writes.</param>
    /// <param name="output">What it reads.</param>
    /// <param name="streams">Take the streams' frames.</param>
    /// <param name="limits">The bounds.</param>
    /// <param name="traffic">Counts what is refused or dropped.</param>
    /// <param name="places">What this end's calls wait for, so that the other end need not refuse them; null: they don't.</param>
    public PluginMessageHandler(
        PipeReader input, OutgoingFrames output, PluginStreams streams, PluginLimits limits, PluginTraffic traffic, CallPlaces? places)
    {
        _places = places;
        _input = input;
        _output = output;
        _streams = streams;
        _limits = limits;
        _traffic = traffic;
        _formatter = new SystemTextJsonFormatter { JsonSerializerOptions = PluginJson.WireOptions };
    }

    public IJsonRpcMessageFormatter Formatter => _formatter;

    public bool CanRead => true;

    public bool CanWrite => true;

    /// <summary>Calls of the other end that have no answer yet.</summary>
    public int OpenRequests => Volatile.Read(ref _open);

    public async ValueTask<JsonRpcMessage?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await ReadHeaderAsync(cancellationToken).ConfigureAwait(false) is not { } header) return null;
            var length = (int)header.ContentLength;
            var read = await _input.ReadAtLeastAsync(length, cancellationToken).ConfigureAwait(false);
            if (read.Buffer.Length < length) throw Fault("the pipe ended inside a message");
            var body = read.Buffer.Slice(0, length);
            if (header.IsBinary)
            {
                try
                {
                    _streams.Take(body);
                }
                finally
                {
                    _input.AdvanceTo(body.End);
                }

                continue;
            }

            // The formatter reads arguments out of these bytes when the call is dispatched: they are the message's own.
            var copy = body.ToArray();
            _input.AdvanceTo(body.End);
            var received = _formatter.Deserialize(new ReadOnlySequence<byte>(copy));
            if (received is JsonRpcError error) received = PluginErrors.Normalize(error, copy);
            if (Admit(received) is { } message) return message;
        }
    }

    public async ValueTask WriteAsync(JsonRpcMessage content, CancellationToken cancellationToken)
    {
        switch (content)
        {
            case JsonRpcRequest request:
                if (request.IsResponseExpected) await AskAsync(request.RequestId, cancellationToken).ConfigureAwait(false);
                try
                {
                    do
                    {
                        await _output.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
                    }
                    while (!Write(content, waits: true));
                }
                catch
                {
                    // Not sent: no answer will come.
                    IsAsked(request.RequestId);
                    throw;
                }

                break;
            case JsonRpcError error:
                PluginErrors.Scrub(error);
                Interlocked.Decrement(ref _open);
                Write(error);
                break;
            case JsonRpcResult result:
                Interlocked.Decrement(ref _open);
                WriteResult(result);
                break;
            default:
                Write(content);
                break;
        }
    }

    private async ValueTask AskAsync(RequestId id, CancellationToken cancellationToken)
    {
        if (_places is not null && !await _places.EnterAsync(cancellationToken).ConfigureAwait(false)) throw OutgoingFrames.Gone();
        _asked[id] = true;
        Interlocked.Increment(ref _asking);
    }

    private async ValueTask<ContentLengthHeader?> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _input.ReadAsync(cancellationToken).ConfigureAwait(false);
            var buffer = read.Buffer;
            var status = ContentLengthHeader.TryRead(buffer, out var header, out var body, out var error);
            if (status == HeaderStatus.Invalid) throw Fault(error!);
            if (status == HeaderStatus.Complete)
            {
                if (buffer.Slice(0, body).Length > PluginProtocol.MaxHeaderBytes)
                    throw Fault($"a header is larger than {PluginProtocol.MaxHeaderBytes} bytes");
                if (header.ContentLength > PluginProtocol.MaxMessageBytes)
                    throw Fault($"a message is larger than {PluginProtocol.MaxMessageBytes} bytes");
                _input.AdvanceTo(body);
                return header;
            }

            if (buffer.Length > PluginProtocol.MaxHeaderBytes)
                throw Fault($"a header is larger than {PluginProtocol.MaxHeaderBytes} bytes");
            if (read.IsCompleted)
            {
                if (!buffer.IsEmpty) throw Fault("the pipe ended inside a header");
                return null;
            }

            _input.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    // What the library may see; null when it is answered or dropped here.
    private JsonRpcMessage? Admit(JsonRpcMessage message)
    {
        switch (message)
        {
            case JsonRpcRequest { IsResponseExpected: true } request:
                if (Interlocked.Increment(ref _open) <= _limits.MaxOpenRequests) return message;
                _traffic.CountRefused();
                // Its answer counts it down again.
                Interlocked.Decrement(ref _open);
                Write(new JsonRpcError
                {
                    RequestId = request.RequestId,
                    Error = PluginErrors.ToDetail(BridgeException.Busy(
                        $"{_limits.MaxOpenRequests} calls are open; await some answers first", TimeSpan.FromMilliseconds(100))),
                });
                return null;
            case JsonRpcRequest notification when notification.Method != PluginProtocol.CancelMethod:
                // Protocol 1 has no other: what isn't answered can't be bounded.
                _traffic.CountDropped();
                return null;
            case JsonRpcResult result when !IsAsked(result.RequestId):
            case JsonRpcError error when !IsAsked(error.RequestId):
                // A second answer, or one to a question that wasn't asked.
                _traffic.CountStray();
                return null;
            default:
                return message;
        }
    }

    private void WriteResult(JsonRpcResult result)
    {
        try
        {
            Write(result);
        }
        catch (BridgeException tooLarge) when (tooLarge.Code == ErrorCodes.PayloadTooLarge)
        {
            Write(new JsonRpcError { RequestId = result.RequestId, Error = PluginErrors.ToDetail(tooLarge) });
        }
    }

    /// <summary>Writes a message; false when it is one that <paramref name="waits"/> and there is no room for it now.</summary>
    private bool Write(JsonRpcMessage message, bool waits = false)
    {
        lock (_writeLock)
        {
            _scratch.ResetWrittenCount();
            _formatter.Serialize(_scratch, message);
            if (_scratch.WrittenCount > PluginProtocol.MaxMessageBytes)
            {
                throw new BridgeException(ErrorCodes.PayloadTooLarge,
                    $"a message has {_scratch.WrittenCount} bytes; the plugin protocol takes {PluginProtocol.MaxMessageBytes}, and more by a stream");
            }

            if (!waits) _output.Add(_scratch.WrittenSpan, write: false);
            else if (!_output.TryAdd(_scratch.WrittenSpan, write: false)) return false;
        }

        // Where there is hardly anything else under way somebody waits for this very message; else it leaves together with others.
        _output.Write(here: Volatile.Read(ref _open) + Volatile.Read(ref _asking) <= FewCalls);
        return true;
    }

    // False for a second answer, or one to a question that wasn't asked.
    private bool IsAsked(RequestId id)
    {
        if (!_asked.TryRemove(id, out _)) return false;
        Interlocked.Decrement(ref _asking);
        _places?.Leave();
        return true;
    }

    private static PluginProtocolException Fault(string what) => new(what);
}
