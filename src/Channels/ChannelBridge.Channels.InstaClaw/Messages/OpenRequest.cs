using System.Text.Json;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>A request as it is stored: what is needed to run it, and to go on with its events after a restart.</summary>
internal sealed record StoredRequest
{
    public required string MessageId { get; init; }

    public required string SessionId { get; init; }

    /// <summary>The id of its response, from the first moment.</summary>
    public required string ResponseId { get; init; }

    /// <summary>When it was accepted (Unix ms).</summary>
    public long AcceptedAt { get; set; }

    /// <summary>The message's data as it came; absent once the platform has the whole answer.</summary>
    public JsonElement? Data { get; set; }

    /// <summary>The last sequence number that the platform certainly has; −1 none.</summary>
    public long Confirmed { get; set; } = -1;

    /// <summary>True once the platform has the whole answer.</summary>
    public bool Done { get; set; }
}

/// <summary>A request whose events the platform doesn't all have yet.</summary>
internal sealed class OpenRequest(StoredRequest stored, UserMessage? message)
{
    private readonly TaskCompletionSource<EventSource> _source = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _sent = stored.Confirmed;
    private long _confirmed = stored.Confirmed;
    private long _terminal = -1;

    /// <summary>As it is stored.</summary>
    public StoredRequest Stored => stored;

    /// <summary>What the user wrote; null for one that is only to be told again.</summary>
    public UserMessage? Message => message;

    /// <summary>Where its events come from; completes when it is started.</summary>
    public Task<EventSource> Source => _source.Task;

    /// <summary>The last event that was handed to the network.</summary>
    public long Sent
    {
        get => Interlocked.Read(ref _sent);
        set => Interlocked.Exchange(ref _sent, value);
    }

    /// <summary>The last event that the platform certainly has.</summary>
    public long Confirmed
    {
        get => Interlocked.Read(ref _confirmed);
        set => Interlocked.Exchange(ref _confirmed, value);
    }

    /// <summary>The terminal event's number once it was sent; −1 before.</summary>
    public long Terminal
    {
        get => Interlocked.Read(ref _terminal);
        set => Interlocked.Exchange(ref _terminal, value);
    }

    /// <summary>A number that grows with each request that was taken up: two may have come in the same millisecond.</summary>
    public long Place { get; set; }

    /// <summary>True while the agent is, or will be, at it.</summary>
    public bool Running { get; set; } = true;

    /// <summary>Events that were sent and aren't confirmed.</summary>
    public long Unconfirmed => Math.Max(0, Sent - Confirmed);

    /// <summary>Ends the present sending of its events, so that another one may begin.</summary>
    public CancellationTokenSource? Forwarding { get; set; }

    /// <summary>The present sending, until it has ended.</summary>
    public Task Forward { get; set; } = Task.CompletedTask;

    /// <summary>Its events come from here; the first one to say so counts.</summary>
    public bool Begin(EventSource source) => _source.TrySetResult(source);
}
