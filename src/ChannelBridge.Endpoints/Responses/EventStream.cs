using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>The events of a response as a stream of an HTTP answer. A comment keeps an idle one alive.</summary>
internal sealed class EventStream(HttpContext context, TimeSpan heartbeat, TimeSpan patience, TimeProvider time)
{
    private readonly EventOutput _output = new(context, patience, time);

    /// <summary>Writes a stream to its end, <c>[DONE]</c> included.</summary>
    public async Task RunAsync(IAsyncEnumerable<StreamEvent> events, CancellationToken cancellationToken)
    {
        _output.Begin();
        var reader = events.GetAsyncEnumerator(cancellationToken);
        await using (reader.ConfigureAwait(false))
        {
            while (true)
            {
                var next = reader.MoveNextAsync();
                var more = next.IsCompleted ? await next.ConfigureAwait(false) : await WaitAsync(next.AsTask(), cancellationToken).ConfigureAwait(false);
                if (!more) break;
                _output.Write(reader.Current.Type, null, reader.Current.Json.Span);
                if (!await _output.FlushAsync(cancellationToken).ConfigureAwait(false)) return;
            }
        }

        _output.Write(null, null, "[DONE]"u8);
        await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> WaitAsync(Task<bool> next, CancellationToken cancellationToken)
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
                    _output.Ping();
                    await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
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
}
