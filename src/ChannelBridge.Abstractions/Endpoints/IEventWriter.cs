namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>How an event stream begins.</summary>
public sealed record EventStreamStart
{
    /// <summary>After so long without an event a comment is written, so that nobody on the way takes the stream for dead; default 15 s.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Further headers of the answer.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}

/// <summary>One event of a stream (<c>text/event-stream</c>).</summary>
/// <param name="Data">The data, UTF-8. Its line ends become lines of data.</param>
/// <param name="Event">The event's name, one line; null for the standard one.</param>
/// <param name="Id">The event's id, one line, or null.</param>
public readonly record struct ServerEvent(ReadOnlyMemory<byte> Data, string? Event = null, string? Id = null);

/// <summary>
/// The way out of an event stream: one write and one flush for each call, comments while nothing happens. Calls may come from anywhere; they are written one
/// after the other.
/// </summary>
public interface IEventWriter
{
    /// <summary>Signalled when nothing arrives any more: the client has left or doesn't read, its token was revoked, or the host stops.</summary>
    CancellationToken Closed { get; }

    /// <summary>
    /// Writes an event and waits until it is on its way; that takes as long as the client needs to read what went before. A client that reads nothing for
    /// <c>Limits:SlowConsumerTimeout</c> is cut off.
    /// </summary>
    /// <returns>False when the stream is closed; nothing was written.</returns>
    ValueTask<bool> WriteAsync(ServerEvent item, CancellationToken cancellationToken = default);

    /// <summary>
    /// Writes events that are there already, one after the other with nothing in between, and waits until they are on their way: one write and one flush for as many as
    /// the writer takes at a time. Never wait for further events to call this. A writer that knows no better writes each by itself.
    /// </summary>
    /// <returns>False when the stream is closed; the last of them weren't written, or none.</returns>
    async ValueTask<bool> WriteAllAsync(ReadOnlyMemory<ServerEvent> items, CancellationToken cancellationToken = default)
    {
        for (var i = 0; i < items.Length; i++)
        {
            if (!await WriteAsync(items.Span[i], cancellationToken).ConfigureAwait(false)) return false;
        }

        return true;
    }
}
