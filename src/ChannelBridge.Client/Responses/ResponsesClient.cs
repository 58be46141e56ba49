using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client.Internal;

namespace ChannelBridge.Client.Responses;

/// <summary>
/// Asks agents and reads their answers while they grow. A stream goes on over lost connections and restarts of the host: every event comes once and in order.
/// Leaving it early leaves the answer running; <see cref="CancelAsync"/> ends that.
/// </summary>
/// <param name="client">The connection; it stays the caller's.</param>
public sealed class ResponsesClient(ChannelBridgeClient client)
{
    private static readonly string[] Names = ["responses.event", "plugin.responses.event"];

    /// <summary>Asks, and gives the events from the first to the terminal one, a <see cref="ResponseEnd"/>.</summary>
    /// <exception cref="ArgumentException">The query has no input, or two.</exception>
    /// <exception cref="ChannelBridgeClientException">
    /// The request is refused, or the connection was lost before the host had answered it; later losses don't show. A failure of the agent is no exception but a
    /// <see cref="ResponseEnd"/> with the status <c>failed</c>.
    /// </exception>
    public IAsyncEnumerable<ResponseEvent> CreateAsync(ResponseQuery query, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        return AskAsync("responses.create", query.ToJson(), -1, cancellationToken);
    }

    /// <summary>Gives the events of a response after one that is known, those to come included.</summary>
    /// <param name="responseId">The response.</param>
    /// <param name="after">The <see cref="ResponseEvent.Sequence"/> of the last known event; −1 for all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ChannelBridgeClientException"><c>NOT_FOUND</c>: unknown, expired, or another token's.</exception>
    public IAsyncEnumerable<ResponseEvent> ResumeAsync(string responseId, long after = -1, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(responseId);
        ArgumentOutOfRangeException.ThrowIfLessThan(after, -1);
        return AskAsync("responses.resume", new JsonObject { ["responseId"] = responseId, ["after"] = after }, after, cancellationToken);
    }

    /// <summary>Cancels a response: it ends as failed, code <c>cancelled</c>. Nothing happens when it has ended.</summary>
    /// <returns>Its status at its end.</returns>
    /// <exception cref="ChannelBridgeClientException"><c>NOT_FOUND</c>: unknown, expired, or another token's.</exception>
    public async Task<string> CancelAsync(string responseId, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(responseId);
        return (await CallAsync("responses.cancel", new JsonObject { ["responseId"] = responseId }, cancellationToken).ConfigureAwait(false)).Status;
    }

    private async IAsyncEnumerable<ResponseEvent> AskAsync(
        string method, JsonObject parameters, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Before the call: the events follow its answer at once.
        using var events = client.Subscribe(Names);
        using var follower = new Follower(this, events, after);
        follower.Begin((await CallAsync(method, parameters, cancellationToken).ConfigureAwait(false)).Id);
        await foreach (var incoming in events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (follower.Take(incoming) is not { } one) continue;
            yield return one;
            if (one is ResponseEnd) yield break;
        }

        throw follower.Fault
            ?? new ChannelBridgeClientException(ClientErrorCodes.ConnectionLost,
                "The client was closed before the response had ended; resume it with another one.");
    }

    private async Task<(string Id, string Status)> CallAsync(string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        var result = await client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters, ClientJson.Default.JsonObject), cancellationToken).ConfigureAwait(false);
        using var document = JsonDocument.Parse(result);
        var root = document.RootElement;
        return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("responseId", out var id) && root.TryGetProperty("status", out var status)
            ? (id.GetString()!, status.GetString()!)
            : throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"{method}: the answer isn't what a host says");
    }

    /// <summary>Knows how far one stream was read, and asks for the rest when some of it was missed.</summary>
    private sealed class Follower : IDisposable
    {
        private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

        private readonly ResponsesClient _owner;
        private readonly ClientSubscription _events;
        private readonly CancellationTokenSource _end = new();
        private readonly Lock _gate = new();
        private string? _id;
        private bool _lost;
        private bool _missed;
        private long _last;
        private long _askedAt = long.MinValue;

        public Follower(ResponsesClient owner, ClientSubscription events, long after)
        {
            _owner = owner;
            _events = events;
            _last = after;
            owner.Connection.StateChanged += Changed;
        }

        /// <summary>Why there is no rest, or null.</summary>
        public ChannelBridgeClientException? Fault { get; private set; }

        /// <summary>The host has answered: this is the stream. When the connection was lost and came back since, the rest is asked for at once.</summary>
        public void Begin(string id)
        {
            lock (_gate)
            {
                _id = id;
                if (!_missed) return;
            }

            _ = AskAsync();
        }

        /// <summary>The event when it is the next one; null for those of others, those that came before, and those behind a gap.</summary>
        public ResponseEvent? Take(ClientEvent incoming)
        {
            var last = Interlocked.Read(ref _last);
            // Whatever was missed may have been this stream's last event.
            if (incoming.Missed > 0) _ = AskAsync();
            if (ResponseEvent.Read(incoming.Payload) is not { } one || one.ResponseId != _id || one.Sequence <= last) return null;
            if (one.Sequence > last + 1)
            {
                if (_askedAt != last) _ = AskAsync();
                _askedAt = last;
                return null;
            }

            Interlocked.Exchange(ref _last, one.Sequence);
            return one;
        }

        public void Dispose()
        {
            _owner.Connection.StateChanged -= Changed;
            _end.Cancel();
        }

        private void Changed(object? sender, ClientStateChangedEventArgs change)
        {
            lock (_gate)
            {
                if (_id is null)
                {
                    if (change.State == ClientState.Reconnecting) _lost = true;
                    else if (change.State == ClientState.Connected) _missed |= _lost;
                    return;
                }
            }

            if (change.State == ClientState.Connected) _ = AskAsync();
        }

        private async Task AskAsync()
        {
            try
            {
                while (true)
                {
                    try
                    {
                        await _owner.CallAsync(
                            "responses.resume", new JsonObject { ["responseId"] = _id, ["after"] = Interlocked.Read(ref _last) }, _end.Token).ConfigureAwait(false);
                        return;
                    }
                    catch (ChannelBridgeClientException fault) when (fault.Retryable)
                    {
                        await Task.Delay(fault.RetryAfter ?? Pause, _end.Token).ConfigureAwait(false);
                    }
                }
            }
            catch (ChannelBridgeClientException fault)
            {
                Fault = fault;
                _events.Dispose();
            }
            catch (Exception fault) when (fault is OperationCanceledException or ObjectDisposedException or InvalidOperationException)
            {
                // The reader has left.
            }
        }
    }

    private ChannelBridgeClient Connection => client;
}
