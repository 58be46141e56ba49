using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>What inbox, lanes and outbox say of themselves in the method <c>diagnostics</c>.</summary>
internal sealed class MessagingDiagnostics(Backlogs backlogs, TurnScheduler turns, Outbox outbox, MessagingOptions options) : IDiagnosticsSource
{
    public string Section => "messaging";

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var accounts = new JsonArray();
        long inboxDead = 0, outboxDead = 0;
        foreach (var (channel, account, counter) in backlogs.All)
        {
            inboxDead += Backlogs.Shown(ref counter.InboxDead);
            outboxDead += Backlogs.Shown(ref counter.OutboxDead);
            accounts.Add(new JsonObject
            {
                ["channel"] = channel,
                ["account"] = account,
                ["inboxPending"] = Backlogs.Shown(ref counter.InboxPending),
                ["inboxDead"] = Backlogs.Shown(ref counter.InboxDead),
                ["outboxPending"] = Backlogs.Shown(ref counter.OutboxPending),
                ["outboxDead"] = Backlogs.Shown(ref counter.OutboxDead),
            });
        }

        return ValueTask.FromResult(new JsonObject
        {
            ["inbox"] = new JsonObject { ["pending"] = backlogs.InboxPending, ["dead"] = inboxDead, ["capacity"] = options.InboxCapacity },
            ["turns"] = new JsonObject
            {
                ["running"] = turns.Running,
                ["limitPerAgent"] = options.ConcurrentTurns,
                ["waitingLanes"] = new JsonObject(turns.Waiting.Select(line => KeyValuePair.Create(line.Agent, (JsonNode?)line.Waiting))),
            },
            ["lanes"] = new JsonObject
            {
                ["turnsActive"] = turns.ActiveLanes,
                ["pushesActive"] = outbox.ActiveLanes,
                ["limit"] = options.ActiveLanes,
                ["turnsInMemory"] = turns.LanesInMemory,
                ["pushesInMemory"] = outbox.LanesInMemory,
                ["inboxCapacity"] = options.LaneInboxCapacity,
                ["full"] = turns.Bound.FullCount,
                ["deepestTurns"] = Describe(turns.Deepest()),
                ["deepestPushes"] = Describe(outbox.Deepest()),
                ["turnBytes"] = turns.MemoryUsed,
                ["pushBytes"] = outbox.Memory.Used,
                ["limitBytes"] = options.LaneMemory,
            },
            ["outbox"] = new JsonObject
            {
                ["pending"] = backlogs.OutboxPending,
                ["inFlight"] = outbox.Outside,
                ["dead"] = outboxDead,
                ["capacityPerAccount"] = options.OutboxCapacity,
                ["attachedAccounts"] = outbox.AttachedAccounts,
            },
            ["accounts"] = accounts,
        });
    }

    /// <summary>A lane of those in memory, and how many messages it is known to hold: there may be more in the store that it hasn't come to. With its account, so that a token that is limited to others doesn't see it.</summary>
    private static JsonObject? Describe((LaneKey Key, long Depth)? lane) => lane is not { } known ? null : new JsonObject
    {
        ["account"] = known.Key.Account,
        ["channel"] = known.Key.Channel,
        ["sessionKey"] = known.Key.SessionKey,
        ["atLeast"] = known.Depth,
    };
}
