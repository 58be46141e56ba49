using System.Buffers;
using System.IO.Pipelines;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace ChannelBridge.Endpoints.Http;

/// <summary>Reads a request's body up to a bound, before anything of it is parsed; large ones take their part of the memory that all doors share.</summary>
internal sealed class BodyReader : IDisposable
{
    // What isn't counted, like ordinary messages of the other doors.
    private const int Small = 4096;

    // What a client that sends too much may still send while it is answered: one that finds the connection closed at its back may never read why.
    private const int Spare = 1024 * 1024;
    private static readonly TimeSpan SpareTime = TimeSpan.FromSeconds(2);

    private readonly EndpointRuntime _runtime;
    private readonly byte[] _buffer;
    private readonly long _taken;

    private BodyReader(EndpointRuntime runtime, byte[] buffer, int length, long taken)
    {
        _runtime = runtime;
        _buffer = buffer;
        _taken = taken;
        Content = buffer.AsMemory(0, length);
    }

    /// <summary>The body; gone after <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> Content { get; }

    /// <summary>Reads.</summary>
    /// <exception cref="BridgeException"><c>PAYLOAD_TOO_LARGE</c>; <c>BUSY</c>: the host's memory for messages is taken; <c>TIMEOUT</c>: it came too slowly.</exception>
    public static async Task<BodyReader> ReadAsync(HttpContext context, EndpointRuntime runtime, int limit, bool isJson = true)
    {
        if (isJson) CheckForm(context.Request);
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = (long)limit + Spare;
        using var late = new CancellationTokenSource(runtime.Limits.MessageTimeout, runtime.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        var startedAt = runtime.Time.GetTimestamp();
        var reader = context.Request.BodyReader;
        if (context.Request.ContentLength > limit)
        {
            if (context.Request.ContentLength <= limit + (long)Spare) await DrainAsync(reader, runtime.Time, context.RequestAborted).ConfigureAwait(false);
            throw TooLarge(limit);
        }

        var body = new Growing(runtime);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(stop.Token).ConfigureAwait(false);
                if (body.Length + read.Buffer.Length > limit)
                {
                    reader.AdvanceTo(read.Buffer.End);
                    if (!read.IsCompleted) await DrainAsync(reader, runtime.Time, context.RequestAborted).ConfigureAwait(false);
                    throw TooLarge(limit);
                }

                // Copied as it comes: what waits in the server's own buffers is nobody's part of the memory for messages.
                if (!body.TryAppend(read.Buffer, limit)) throw BridgeException.Busy("The host's memory for messages is taken; try again.", TimeSpan.FromSeconds(1));
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return body.Done();
                // Whoever sends fast enough gets a second for each so many bytes on top.
                late.CancelAfter(Patience(runtime, body.Length, startedAt));
            }
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "The body came too slowly.");
        }
        catch (BadHttpRequestException fault) when (fault.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw TooLarge(limit);
        }
        finally
        {
            body.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_taken > 0) _runtime.IncomingMemory.Give(_taken);
        ArrayPool<byte>.Shared.Return(_buffer, clearArray: true);
    }

    // From the first byte on, so that a byte now and then gains nothing.
    private static TimeSpan Patience(EndpointRuntime runtime, int bytes, long startedAt)
    {
        var left = runtime.Limits.MessageTimeout + TimeSpan.FromSeconds((double)bytes / runtime.Limits.MinBytesPerSecond) - runtime.Time.GetElapsedTime(startedAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>Reads the rest of a body that isn't wanted, if it comes soon and isn't much.</summary>
    private static async Task DrainAsync(PipeReader reader, TimeProvider time, CancellationToken aborted)
    {
        using var late = new CancellationTokenSource(SpareTime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, aborted);
        try
        {
            ReadResult read;
            do
            {
                read = await reader.ReadAsync(stop.Token).ConfigureAwait(false);
                reader.AdvanceTo(read.Buffer.End);
            }
            while (!read.IsCompleted);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException)
        {
            // Much, slow or gone: it is answered all the same. (A BadHttpRequestException is an IOException.)
        }
    }

    /// <summary>A body that is compressed or in another encoding is refused by name. Whatever else its type says, it is read as JSON: some
    /// clients say nothing of use.</summary>
    private static void CheckForm(HttpRequest request)
    {
        var coding = request.Headers.ContentEncoding.ToString();
        if (coding.Length > 0 && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw new UnsupportedFormException("Bodies are taken as they are: send it without Content-Encoding.");
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)) return;
        if (type.Charset.HasValue && !type.Charset.Value!.Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            && !type.Charset.Value.Trim('"').Equals("us-ascii", StringComparison.OrdinalIgnoreCase))
            throw new UnsupportedFormException("Bodies are JSON in UTF-8.");
        if (type.MediaType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase))
            throw new UnsupportedFormException("Bodies are JSON; files go into it as data URLs.");
    }

    private static BridgeException TooLarge(int limit) => new(ErrorCodes.PayloadTooLarge, $"The body is larger than {limit} bytes.");

    /// <summary>A buffer that grows with what comes.</summary>
    private sealed class Growing(EndpointRuntime runtime) : IDisposable
    {
        private byte[]? _buffer;
        private long _taken;

        public int Length { get; private set; }

        public bool TryAppend(in ReadOnlySequence<byte> bytes, int limit)
        {
            var needed = Length + (int)bytes.Length;
            if (_buffer is null || _buffer.Length < needed)
            {
                // A body that is here at once gets what it needs; one that comes in parts, room for as much again.
                var size = _buffer is null ? needed : (int)Math.Min(Math.Max(needed, _buffer.Length * 2L), Math.Max(limit, needed));
                var more = (size > Small ? size : 0) - _taken;
                if (more > 0 && !runtime.IncomingMemory.TryTake(more)) return false;
                _taken += Math.Max(0, more);
                var larger = ArrayPool<byte>.Shared.Rent(Math.Max(1, size));
                if (_buffer is { } old)
                {
                    old.AsSpan(0, Length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(old, clearArray: true);
                }

                _buffer = larger;
            }

            bytes.CopyTo(_buffer.AsSpan(Length));
            Length = needed;
            return true;
        }

        public BodyReader Done()
        {
            var result = new BodyReader(runtime, _buffer!, Length, _taken);
            _buffer = null;
            _taken = 0;
            return result;
        }

        public void Dispose()
        {
            if (_taken > 0) runtime.IncomingMemory.Give(_taken);
            if (_buffer is { } buffer) ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
            _buffer = null;
            _taken = 0;
        }
    }
}

/// <summary>A body in a form that isn't read.</summary>
internal sealed class UnsupportedFormException(string message) : Exception(message);
