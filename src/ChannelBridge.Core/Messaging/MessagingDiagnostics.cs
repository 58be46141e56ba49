using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>What inbox, lanes and outbox say of themselves in the method <c>diagnostics</c>.</summary>
internal sealed class MessagingDiagnostics(Backlogs backlogs, TurnScheduler turns, Outbox outbox, MessagingOptions options) : ILimitedDiagnostics
{
    public string Section => "messaging";

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Collect(null));

    public ValueTask<JsonObject> CollectAsync(Caller caller, CancellationToken cancellationToken) => ValueTask.FromResult(Collect(caller));

    /// <summary>For a limited caller the sums are over its own accounts; what can't be told apart so is the whole host's and left out.</summary>
    private JsonObject Collect(Caller? limited)
    {
        var accounts = new JsonArray();
        long inboxPending = 0, outboxPending = 0, inboxDead = 0, outboxDead = 0;
        foreach (var (channel, account, counter) in backlogs.All)
        {
            if (limited is not null && !(limited.MayUseAccount(account) && limited.MayUseChannel(channel))) continue;
            inboxPending += Backlogs.Shown(ref counter.InboxPending);
            outboxPending += Backlogs.Shown(ref counter.OutboxPending);
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

        if (limited is not null)
        {
            return new JsonObject
            {
                ["inbox"] = new JsonObject { ["pending"] = inboxPending, ["dead"] = inboxDead },
                ["outbox"] = new JsonObject { ["pending"] = outboxPending, ["dead"] = outboxDead },
                ["accounts"] = accounts,
            };
        }

        return new JsonObject
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
        };
    }

    /// <summary>
    /// A lane of those in memory, and how many messages it is known to hold: there may be more in the store that it hasn't come to. With its account,
    /// so that a token that is limited to others doesn't see it.
    /// </summary>
    private static JsonObject? Describe((LaneKey Key, long Depth)? lane) => lane is not { } known ? null : new JsonObject
    {
        ["account"] = known.Key.Account,
        ["channel"] = known.Key.Channel,
        ["sessionKey"] = known.Key.SessionKey,
        ["atLeast"] = known.Depth,
    };
}
