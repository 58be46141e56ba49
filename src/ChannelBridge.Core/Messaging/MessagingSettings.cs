using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Core.Messaging;

/// <summary>The keys of inbox, turns and outbox; the policies of delivery stand with their channels.</summary>
internal static class MessagingSettings
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>The bounds.</summary>
    public static readonly SettingGroup<MessagingOptions> Limits = new SettingGroup<MessagingOptions>("Limits:")
        .Number("InboxCapacity", 1, int.MaxValue, o => o.InboxCapacity, (o, v) => o.InboxCapacity = (int)v,
            "Messages without a finished turn that are kept at most; beyond it `BUSY`. They are on disk")
        .Number("LaneInboxCapacity", 1, int.MaxValue, o => o.LaneInboxCapacity, (o, v) => o.LaneInboxCapacity = (int)v, "The same for one conversation")
        .Number("OutboxCapacity", 1, int.MaxValue, o => o.OutboxCapacity, (o, v) => o.OutboxCapacity = (int)v,
            "Unsettled messages that one account keeps at most; beyond it `BUSY` for sends")
        .Number("ConcurrentTurns", 1, 100_000, o => o.ConcurrentTurns, (o, v) => o.ConcurrentTurns = (int)v, "Turns of one agent at the same time")
        .Duration("TurnTimeout", TimeSpan.FromSeconds(1), Day, o => o.TurnTimeout, (o, v) => o.TurnTimeout = v, "The longest time for one turn")
        .Duration("TurnPatience", TimeSpan.Zero, TimeSpan.FromDays(30), o => o.TurnPatience, (o, v) => o.TurnPatience = v,
            "How long a message's turn is tried again after failures that may pass; an agent that is away is waited for without end")
        .Text("TurnAttempts", _ => "", (_, _) => { }, "Ignored, with a warning: turns are tried again by time, see `Limits:TurnPatience`", "5")
        .Duration("TurnRetryDelay", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), o => o.TurnRetryDelay, (o, v) => o.TurnRetryDelay = v,
            "The wait before the second turn of a message; it doubles up to 1m")
        .Text("TurnFailureNotice", o => o.TurnFailureNotice, (o, v) => o.TurnFailureNotice = v == "off" ? "" : v,
            "What the user is told when a message is given up; `off` for nothing", "Please try again later.")
        .Duration("DelayNotice", TimeSpan.Zero, Day, o => o.DelayNotice, (o, v) => o.DelayNotice = v,
            "After what time the user is told once that the answer is delayed, because turns fail or the agent is away; `0s` for never")
        .Text("DelayNoticeText", o => o.DelayNoticeText, (o, v) => o.DelayNoticeText = v, "What is said then", "It takes a little longer.")
        .Number("AgentTurnsPerMinute", 0, 1_000_000, o => o.AgentTurnsPerMinute, (o, v) => o.AgentTurnsPerMinute = (int)v,
            "Turns of one sender that is an agent within a minute, for one account; more are held, so that two agents don't answer each other for ever; `0` for any number")
        .Duration("StopGrace", TimeSpan.Zero, TimeSpan.FromMinutes(9), o => o.StopGrace, (o, v) => o.StopGrace = v,
            "How long a stop waits for running turns before it hands them back; less than `Listen:StopTimeout`")
        .Number("LaneWindow", 1, 10_000, o => o.LaneWindow, (o, v) => o.LaneWindow = (int)v, "Messages of one conversation held in memory")
        .Size("LaneMemory", 1 << 20, 1L << 40, o => o.LaneMemory, (o, v) => o.LaneMemory = v, "Memory of all conversations together, apart for turns and for pushes")
        .Number("ActiveLanes", 16, 10_000_000, o => o.ActiveLanes, (o, v) => o.ActiveLanes = (int)v, "Conversations with work that are held in memory")
        .Number("IdleLanes", 0, 10_000_000, o => o.IdleLanes, (o, v) => o.IdleLanes = (int)v, "Conversations without work whose position is remembered")
        .Duration("SweepInterval", TimeSpan.FromSeconds(1), Day, o => o.SweepInterval, (o, v) => o.SweepInterval = v,
            "How often what has outlived its time is removed from the store")
        .Duration("ReceiptRetention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3660), o => o.ReceiptRetention, (o, v) => o.ReceiptRetention = v,
            "How long receipts of settled messages are kept")
        .Duration("DeadLetterRetention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3660), o => o.DeadLetterRetention, (o, v) => o.DeadLetterRetention = v,
            "How long dead letters are kept")
        .Number("DeadLetterCapacity", 1, int.MaxValue, o => o.DeadLetterCapacity, (o, v) => o.DeadLetterCapacity = (int)v,
            "Dead letters that one account keeps at most; the oldest go beyond it");
}
