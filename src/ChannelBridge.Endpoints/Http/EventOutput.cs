using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelBridge.Endpoints.Http;

/// <summary>
/// <c>text/event-stream</c> on the wire: lines end with LF only, an event is never flushed in parts, because readers are known that lose an event whose empty
/// line comes later. A reader that takes nothing for too long is cut off. One writer at a time.
/// </summary>
/// <param name="context">The request.</param>
/// <param name="patience">How long a flush may wait for the reader.</param>
/// <param name="time">The clock.</param>
internal sealed class EventOutput(HttpContext context, TimeSpan patience, TimeProvider time)
{
    private readonly System.IO.Pipelines.PipeWriter _output = context.Response.BodyWriter;

    /// <summary>Writes the head of the answer.</summary>
    public void Begin()
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        // Some proxies gather what they pass on, unless they are told.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }

    /// <summary>Writes one event up to its flush.</summary>
    public void Write(string? type, string? id, ReadOnlySpan<byte> data)
    {
        if (id is not null) Line("id: "u8, id);
        if (type is not null) Line("event: "u8, type);
        while (true)
        {
            var end = data.IndexOfAny((byte)'\n', (byte)'\r');
            var line = end < 0 ? data : data[..end];
            var span = _output.GetSpan("data: "u8.Length + line.Length + 1);
            "data: "u8.CopyTo(span);
            line.CopyTo(span["data: "u8.Length..]);
            span["data: "u8.Length + line.Length] = (byte)'\n';
            _output.Advance("data: "u8.Length + line.Length + 1);
            if (end < 0) break;
            // CR LF is one end of a line.
            data = data[(data[end] == '\r' && end + 1 < data.Length && data[end + 1] == '\n' ? end + 2 : end + 1)..];
        }

        _output.Write("\n"u8);
    }

    /// <summary>Writes a comment up to its flush.</summary>
    public void Ping() => _output.Write(": ping\n\n"u8);

    /// <summary>Sends what was written.</summary>
    /// <returns>False when nobody reads any more.</returns>
    public async ValueTask<bool> FlushAsync(CancellationToken cancellationToken)
    {
        var flush = _output.FlushAsync(cancellationToken);
        if (flush.IsCompleted) return !(await flush.ConfigureAwait(false)).IsCompleted;
        var waiting = flush.AsTask();
        try
        {
            return !(await waiting.WaitAsync(patience, time, CancellationToken.None).ConfigureAwait(false)).IsCompleted;
        }
        catch (TimeoutException)
        {
            Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", "slow_consumer"));
            context.Abort();
            await ((Task)waiting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return false;
        }
    }

    private void Line(ReadOnlySpan<byte> name, string text)
    {
        var span = _output.GetSpan(name.Length + Encoding.UTF8.GetMaxByteCount(text.Length) + 1);
        name.CopyTo(span);
        var at = name.Length + Encoding.UTF8.GetBytes(text, span[name.Length..]);
        span[at++] = (byte)'\n';
        _output.Advance(at);
    }
}
