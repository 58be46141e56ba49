using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Commands;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Chat;

/// <summary>
/// What becomes of an account's messages at the host, by its live events; where the peer has none (an OpenClaw gateway), nothing is told.
/// </summary>
internal sealed class TurnWatch : IDisposable
{
    private static readonly byte[] Wanted = JsonSerializer.SerializeToUtf8Bytes(
        new JsonObject { ["names"] = new JsonArray("inbox.accepted", "turn.ended") }, CommandJson.Default.JsonObject);

    private readonly ChannelBridgeClient _client;
    private readonly string _account;
    private readonly ClientSubscription _events;
    private readonly Lock _gate = new();
    private readonly HashSet<string> _open = [];
    private TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Begins to watch, now and after each new connection.</summary>
    public TurnWatch(ChannelBridgeClient client, string account)
    {
        _client = client;
        _account = account;
        _events = client.Subscribe("inbox.accepted", "turn.ended");
        client.StateChanged += OnStateChanged;
    }

    /// <summary>Told after each turn that ended.</summary>
    public Action? Changed { get; set; }

    /// <summary>Turns that were given up.</summary>
    public int GivenUp { get; private set; }

    /// <summary>Why the last turn hasn't ended well, in words; null when it has, or when nothing is known.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Asks for the events. A peer without them says so, and that is all.</summary>
    public async Task SubscribeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _client.CallAsync("events.subscribe", Wanted, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelBridgeClientException)
        {
            // Only a convenience: the answers come either way.
        }
    }

    /// <summary>Reads the events until the client ends.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var incoming in _events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (JsonNode.Parse(incoming.Payload.Span) is not JsonObject members || (string?)members["id"] is not { } id) continue;
            if (incoming.Name == "inbox.accepted")
            {
                lock (_gate)
                {
                    if (string.Equals((string?)members["accountId"], _account, StringComparison.OrdinalIgnoreCase)) _open.Add(id);
                }
            }
            else if (TakeEnd(id, (string?)members["outcome"] ?? ""))
            {
                var agent = PlainText.Line((string?)members["agent"] ?? "");
                Trouble = (string?)members["outcome"] switch
                {
                    "away" => $"the agent {agent} isn't connected; the message waits for it",
                    "failed" => $"the agent {agent} failed; it is tried again",
                    _ => null,
                };
                Changed?.Invoke();
            }
        }
    }

    /// <summary>Completes when no message of the account is open, or after a moment: an answer may be here before its turn's end.</summary>
    public async Task SettleAsync(TimeSpan patience)
    {
        Task settled;
        lock (_gate)
        {
            if (_open.Count == 0) return;
            settled = _settled.Task;
        }

        await Task.WhenAny(settled, Task.Delay(patience)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.StateChanged -= OnStateChanged;
        _events.Dispose();
    }

    private bool TakeEnd(string id, string outcome)
    {
        lock (_gate)
        {
            if (!_open.Contains(id)) return false;
            if (outcome is not ("done" or "dead")) return true;
            _open.Remove(id);
            if (outcome == "dead") GivenUp++;
            if (_open.Count > 0) return true;
            _settled.TrySetResult();
            _settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    private void OnStateChanged(object? sender, ClientStateChangedEventArgs change)
    {
        if (change.State == ClientState.Connected) _ = SubscribeAsync(CancellationToken.None);
    }
}
