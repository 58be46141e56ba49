using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging.Claims;

namespace ChannelBridge.Core.Messaging;

/// <content>Messages that end out of their turn: those that were cancelled while they waited.</content>
internal sealed partial class TurnScheduler
{
    /// <summary>
    /// Ends the turn of a message that waits, wherever in its lane. False: not now, because another host has the lane, or nobody yet; it is asked for then.
    /// </summary>
    /// <param name="entry">The message.</param>
    /// <param name="reason">Why, for its record.</param>
    /// <param name="cancellationToken">Ends the wait for the channel's part of the end; the message is still to be ended then.</param>
    /// <exception cref="BridgeException">A store error, or the channel can't end it now: the message is still to be ended, try again.</exception>
    public async Task<bool> EndWaitingAsync(InboxEntry entry, string reason, CancellationToken cancellationToken)
    {
        var item = new TurnItem(entry.Id, entry.Ordinal, MessageCodec.ReadInbound(entry.Payload.Span), entry.Attempts, 0, entry.Payload.Length);
        var lane = _lanes.TryPin(entry.LaneId, entry.Lane);
        if (lane is null)
        {
            // More lanes have work than are held in memory: this one isn't, so nothing in memory needs to hear of it.
            if (_claims.IsShared) return false;
            await _runner.EndWaitingAsync(entry.LaneId, SingleHostClaims.Only, item, reason, null, cancellationToken).ConfigureAwait(false);
            return true;
        }

        try
        {
            lock (lane.Gate) lane.Window.Announce(entry.Ordinal);
            Wake(lane);
            long claim;
            lock (lane.Gate)
            {
                claim = lane.Busy ? lane.Claim : 0;
                // Before the commit: what is read from the store until then may still show it.
                if (claim != 0) (lane.Ended ??= []).Add(entry.Ordinal);
            }

            if (claim == 0) return false;
            try
            {
                await _runner.EndWaitingAsync(entry.LaneId, claim, item, reason, null, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                lock (lane.Gate) lane.TakeBack(entry.Ordinal);
                Wake(lane);
                throw;
            }

            // Perhaps it is what the lane waits with; if not, the lane goes on waiting.
            if (Volatile.Read(ref lane.Waiting) == 1) lane.Retry?.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            return true;
        }
        finally
        {
            _lanes.Unpin(entry.LaneId);
        }
    }
}
