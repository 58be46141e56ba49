using System.Text.Json.Nodes;
using ChannelBridge.Core.Diagnostics;

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
            inboxDead += Volatile.Read(ref counter.InboxDead);
            outboxDead += Volatile.Read(ref counter.OutboxDead);
            accounts.Add(new JsonObject
            {
                ["channel"] = channel,
                ["account"] = account,
                ["inboxPending"] = Volatile.Read(ref counter.InboxPending),
                ["inboxDead"] = Volatile.Read(ref counter.InboxDead),
                ["outboxPending"] = Volatile.Read(ref counter.OutboxPending),
                ["outboxDead"] = Volatile.Read(ref counter.OutboxDead),
            });
        }

        return ValueTask.FromResult(new JsonObject
        {
            ["inbox"] = new JsonObject { ["pending"] = backlogs.InboxPending, ["dead"] = inboxDead, ["capacity"] = options.InboxCapacity },
            ["lanes"] = new JsonObject
            {
                ["turnsActive"] = turns.ActiveLanes,
                ["pushesActive"] = outbox.ActiveLanes,
                ["limit"] = options.ActiveLanes,
                ["turnBytes"] = turns.MemoryUsed,
                ["pushBytes"] = outbox.Memory.Used,
            },
            ["outbox"] = new JsonObject { ["pending"] = backlogs.OutboxPending, ["dead"] = outboxDead, ["attachedAccounts"] = outbox.AttachedAccounts },
            ["accounts"] = accounts,
        });
    }
}
