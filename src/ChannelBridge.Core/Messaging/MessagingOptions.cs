namespace ChannelBridge.Core.Messaging;

/// <summary>Bounds and schedules of inbox, lanes and outbox. Section <c>Limits</c> and, for <see cref="Delivery"/>, <c>Channels:&lt;name&gt;:Delivery</c>.</summary>
public sealed class MessagingOptions
{
    /// <summary>Messages without a finished turn that the host keeps at most; beyond it <c>BUSY</c>. They are on disk, not in memory. Default 1,000,000.</summary>
    public int InboxCapacity { get; set; } = 1_000_000;

    /// <summary>The same for one lane. Default 100,000.</summary>
    public int LaneInboxCapacity { get; set; } = 100_000;

    /// <summary>Unsettled replies that one account keeps at most; beyond it <c>BUSY</c> for sends. Replies of turns are always taken. Default 1,000,000.</summary>
    public int OutboxCapacity { get; set; } = 1_000_000;

    /// <summary>Turns that run at the same time for one agent. Default 64.</summary>
    public int ConcurrentTurns { get; set; } = 64;

    /// <summary>Longest time for one turn; then it is cancelled and tried again. Default 10 minutes.</summary>
    public TimeSpan TurnTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Turns tried for one message before it is given up. An agent that is away costs no attempt. Default 5.</summary>
    public int TurnAttempts { get; set; } = 5;

    /// <summary>Wait before the second turn of a message; doubles each time, up to 5 minutes. Default 1 s.</summary>
    public TimeSpan TurnRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the user is told when a message is given up; empty means silence. Default: a short apology.</summary>
    public string TurnFailureNotice { get; set; } = "Sorry, this message could not be answered. Please try again later.";

    /// <summary>How long a stop waits for running turns before it hands them back to the inbox. Default 10 s.</summary>
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Messages of one lane held in memory; the rest is read from the store when its turn comes. Default 64.</summary>
    public int LaneWindow { get; set; } = 64;

    /// <summary>
    /// Bytes of messages that all lanes together hold in memory, apart for turns and for pushes. Beyond it each lane holds one message and reads the
    /// next from the store. Default 64 MiB.
    /// </summary>
    public long LaneMemory { get; set; } = 64 * 1024 * 1024;

    /// <summary>Lanes with work that are held in memory, for turns and, per account, for pushes; the rest waits in the store. Default 16,384.</summary>
    public int ActiveLanes { get; set; } = 16_384;

    /// <summary>Lanes without work whose position is remembered, which saves a read when they wake. Default 4,096.</summary>
    public int IdleLanes { get; set; } = 4_096;

    /// <summary>How often the store is swept. Default 10 minutes.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the receipt of a settled message can be asked for. Default 7 days.</summary>
    public TimeSpan ReceiptRetention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long dead letters and expired messages are kept. Default 30 days.</summary>
    public TimeSpan DeadLetterRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Delivery to bridges: by channel id, with <see cref="DefaultDelivery"/> for the others.</summary>
    public IDictionary<string, DeliveryPolicy> Delivery { get; } = new Dictionary<string, DeliveryPolicy>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Delivery where nothing else is said.</summary>
    public DeliveryPolicy DefaultDelivery { get; set; } = new();

    /// <summary>The policy of a channel.</summary>
    public DeliveryPolicy DeliveryOf(string channel) => Delivery.TryGetValue(channel, out var policy) ? policy : DefaultDelivery;
}

/// <summary>When a push is tried again and when it is given up.</summary>
public sealed record DeliveryPolicy
{
    /// <summary>Failed pushes before an entry becomes a dead letter. Being offline costs no attempt. Default 10.</summary>
    public int MaxAttempts { get; init; } = 10;

    /// <summary>Wait after the first failure. Default 1 s.</summary>
    public TimeSpan BaseDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>By what the wait grows with each failure. Default 2.</summary>
    public double Factor { get; init; } = 2;

    /// <summary>The longest wait. Default 512 s.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(512);

    /// <summary>Share of the wait, 0…1, that is random (added). Default 0.</summary>
    public double Jitter { get; init; }

    /// <summary>How long a pushed message waits for its ack. Default 30 s.</summary>
    public TimeSpan AckTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a message is worth delivering; null means for ever. Default null.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>
    /// For clients that never ack: a push counts once the client was heard this long after it, or its connection stayed open for
    /// <see cref="ConfirmOpenFor"/>; until then a broken connection puts it back. Default 1 s.
    /// </summary>
    public TimeSpan ConfirmHeardAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>See <see cref="ConfirmHeardAfter"/>; longer than the keep-alive of the doors. Default 45 s.</summary>
    public TimeSpan ConfirmOpenFor { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>The wait after a number of failures.</summary>
    /// <param name="failures">1 or more.</param>
    /// <param name="random">0…1, for the jitter.</param>
    public TimeSpan DelayAfter(int failures, double random)
    {
        var milliseconds = Math.Min(BaseDelay.TotalMilliseconds * Math.Pow(Factor, Math.Max(0, failures - 1)), MaxDelay.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(milliseconds * (1 + (Jitter * random)));
    }
}
