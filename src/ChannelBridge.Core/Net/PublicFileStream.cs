using System.Diagnostics;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Net;

/// <summary>
/// A file of the public internet that is being read: bounded in bytes and in time. Whatever goes wrong is a <see cref="BridgeException"/>, so that whoever
/// copies it tells the source's faults from those of the place that it is copied to.
/// </summary>
internal sealed class PublicFileStream : Stream
{
    private const double BytesPerTimeout = 4 << 20;

    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private readonly long _maxBytes;
    private readonly TimeSpan _timeout;
    private readonly long _openedAt = Stopwatch.GetTimestamp();
    private long _read;

    internal PublicFileStream(HttpResponseMessage response, Stream body, long maxBytes, TimeSpan timeout)
    {
        _response = response;
        _body = body;
        _maxBytes = maxBytes;
        _timeout = timeout;
    }

    /// <summary>Its type as the server says.</summary>
    public string MimeType => _response.Content.Headers.ContentType?.MediaType ?? "application/octet-stream";

    /// <summary>Its size as the server says; null when it doesn't.</summary>
    public long? Size => _response.Content.Headers.ContentLength;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => _read;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // A server that drips may take its time for little, not for ever.
        var left = (_timeout * (1 + (_read / BytesPerTimeout))) - Stopwatch.GetElapsedTime(_openedAt);
        if (left <= TimeSpan.Zero) throw Broken(null);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(left);
        int count;
        try
        {
            count = await _body.ReadAsync(buffer, patience.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw Broken(fault);
        }

        _read += count;
        return _read > _maxBytes ? throw TooLarge(_maxBytes) : count;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    internal static BridgeException Broken(Exception? fault) =>
        new(ErrorCodes.Unavailable, "The URL can't be read: it isn't reachable, or it takes too long.", fault);

    internal static BridgeException TooLarge(long maxBytes) => new(ErrorCodes.PayloadTooLarge, $"The file behind the URL is larger than {maxBytes} bytes.");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _body.Dispose();
            _response.Dispose();
        }

        base.Dispose(disposing);
    }
}
