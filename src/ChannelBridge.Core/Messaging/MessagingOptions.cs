using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>Bounds and schedules of inbox, lanes and outbox. Section <c>Limits</c> and, for <see cref="Delivery"/>, <c>Channels:&lt;name&gt;:Delivery</c>.</summary>
public sealed class MessagingOptions
{
    /// <summary>Messages without a finished turn that the host keeps at most; beyond it <c>BUSY</c>. They are on disk, not in memory. Default 1,000,000.</summary>
    public int InboxCapacity { get; set; } = 1_000_000;

    /// <summary>The most that <see cref="InboxCapacity"/> leaves to one lane. Default 100,000.</summary>
    public int LaneInboxCapacity { get; set; } = 100_000;

    /// <summary>Unsettled replies that one account keeps at most; beyond it <c>BUSY</c> for sends. Replies of turns are always taken. Default 1,000,000.</summary>
    public int OutboxCapacity { get; set; } = 1_000_000;

    /// <summary>Turns that run at the same time for one agent. Default 64.</summary>
    public int ConcurrentTurns { get; set; } = 64;

    /// <summary>Longest time for one turn; then it is cancelled and tried again. Default 10 minutes.</summary>
    public TimeSpan TurnTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a message's turn is tried again after failures that may pass, from the first one on. An agent that is away is waited for. Default 15 minutes.</summary>
    public TimeSpan TurnPatience { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Wait before the second turn of a message; doubles each time, up to a minute. Default 1 s.</summary>
    public TimeSpan TurnRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the user is told when a message is given up; empty means silence. Default: a short apology.</summary>
    public string TurnFailureNotice { get; set; } = "Sorry, this message could not be answered. Please try again later.";

    /// <summary>After what time the user is told once that the answer is delayed, because turns fail or the agent is away; zero: never. Default 20 s.</summary>
    public TimeSpan DelayNotice { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>What is said then.</summary>
    public string DelayNoticeText { get; set; } = "The answer takes longer than usual; it will come here.";

    /// <summary>
    /// Turns within a minute of one sender that is an agent (<see cref="TurnRules.SenderIsAgent"/>), for one account; more are held. Zero: any
    /// number. Default 30.
    /// </summary>
    public int AgentTurnsPerMinute { get; set; } = 30;

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

    /// <summary>Dead letters and expired messages that one account keeps at most; beyond it the oldest go at the next sweep. Default 100,000.</summary>
    public int DeadLetterCapacity { get; set; } = 100_000;

    /// <summary>Delivery to bridges: by channel id, with <see cref="DefaultDelivery"/> for the others.</summary>
    public IDictionary<string, DeliveryPolicy> Delivery { get; } = new Dictionary<string, DeliveryPolicy>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Delivery to single accounts, by channel id and account in lower case; goes before <see cref="Delivery"/>.</summary>
    public IDictionary<(string Channel, string Account), DeliveryPolicy> AccountDelivery { get; } = new Dictionary<(string, string), DeliveryPolicy>();

    /// <summary>Delivery where nothing else is said.</summary>
    public DeliveryPolicy DefaultDelivery { get; set; } = new();

    /// <summary>The policy of an account.</summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="account">The account in lower case.</param>
    public DeliveryPolicy DeliveryOf(string channel, string account) =>
        AccountDelivery.Count > 0 && AccountDelivery.TryGetValue((channel, account), out var own) ? own
        : Delivery.TryGetValue(channel, out var policy) ? policy
        : DefaultDelivery;
}
