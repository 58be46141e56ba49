using System.Buffers;
using ChannelBridge.Abstractions.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>
/// Writes events as <c>text/event-stream</c>: lines end with LF only, each event is one write and one flush, because readers are known that lose an event whose
/// empty line comes later. A comment keeps an idle stream alive.
/// </summary>
internal sealed class EventStream(HttpContext context, TimeSpan heartbeat, TimeProvider time)
{
    /// <summary>Writes a stream to its end, <c>[DONE]</c> included.</summary>
    public async Task RunAsync(IAsyncEnumerable<StreamEvent> events, CancellationToken cancellationToken)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        // Some proxies gather what they pass on, unless they are told.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var output = context.Response.BodyWriter;
        var reader = events.GetAsyncEnumerator(cancellationToken);
        await using (reader.ConfigureAwait(false))
        {
            while (true)
            {
                var next = reader.MoveNextAsync();
                var more = next.IsCompleted ? await next.ConfigureAwait(false) : await WaitAsync(output, next.AsTask(), cancellationToken).ConfigureAwait(false);
                if (!more) break;
                Write(output, reader.Current);
                var flushed = await output.FlushAsync(cancellationToken).ConfigureAwait(false);
                if (flushed.IsCompleted) return;
            }
        }

        output.Write("data: [DONE]\n\n"u8);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> WaitAsync(System.IO.Pipelines.PipeWriter output, Task<bool> next, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    return await next.WaitAsync(heartbeat, time, cancellationToken).ConfigureAwait(false);
                }
                catch (TimeoutException) when (!next.IsCompleted)
                {
                    output.Write(": ping\n\n"u8);
                    await output.FlushAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch
        {
            // The reader has the same token and ends at once; it can't be disposed of before.
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private static void Write(System.IO.Pipelines.PipeWriter output, StreamEvent one)
    {
        var json = one.Json.Span;
        var span = output.GetSpan("event: "u8.Length + one.Type.Length + "\ndata: "u8.Length + json.Length + "\n\n"u8.Length);
        var at = 0;
        Append(span, "event: "u8, ref at);
        System.Text.Encoding.UTF8.GetBytes(one.Type, span[at..]);
        at += one.Type.Length;
        Append(span, "\ndata: "u8, ref at);
        Append(span, json, ref at);
        Append(span, "\n\n"u8, ref at);
        output.Advance(at);
    }

    private static void Append(Span<byte> output, ReadOnlySpan<byte> bytes, ref int at)
    {
        bytes.CopyTo(output[at..]);
        at += bytes.Length;
    }
}
