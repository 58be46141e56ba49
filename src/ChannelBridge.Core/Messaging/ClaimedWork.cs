using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>Leads what the claims tell to inbox and outbox.</summary>
internal sealed class ClaimedWork(TurnScheduler turns, Turns cancels, Outbox outbox, Backlogs backlogs) : IClaimObserver
{
    public void OnTurnWork(IReadOnlyList<PendingLane> lanes)
    {
        foreach (var lane in lanes) turns.Resume(lane);
    }

    public void OnTurnsRefused(IReadOnlyList<PendingLane> lanes)
    {
        foreach (var lane in lanes) turns.Forget(lane);
    }

    public void OnPushWork(IReadOnlyList<PendingLane> lanes)
    {
        foreach (var lane in lanes) outbox.Announce(lane);
    }

    public void OnPushesTaken(string channel, string account, long claim) => outbox.PushesTaken(channel, account, claim);

    public void OnPushesLost(string channel, string account, bool displaced) => outbox.PushesLost(channel, account, displaced);

    public void OnTurnUrgent(Guid turn) => cancels.Hear(turn);

    public void OnLook(bool everything) => turns.Look(everything);

    public void OnPushLook(IReadOnlyList<(string Channel, string Account)> accounts)
    {
        foreach (var (channel, account) in accounts) outbox.Look(channel, account);
    }

    public void OnCounts(IReadOnlyList<AccountCounts> counts) => backlogs.Replace(counts);
}
