using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Writing;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <content>Reading pages at the start.</content>
internal sealed partial class Nursery
{
    /// <summary>Reads the records of the page in hand.</summary>
    /// <param name="laneOf">Finds a lane by its id.</param>
    /// <param name="byNumber">The entries of all pages so far: numbers have no gaps, so an entry's place follows from its own.</param>
    private void ReadPage(Func<long, LaneState> laneOf, List<YoungEntry> byNumber)
    {
        var reader = new YoungReader(_page);
        while (!reader.AtEnd)
        {
            switch (reader.Kind())
            {
                case YoungKind.InboxAppend:
                    byNumber.Add(ReadInbox(ref reader, laneOf));
                    Add(byNumber[^1]);
                    break;
                case YoungKind.OutboxAppend:
                    byNumber.Add(ReadOutbox(ref reader, laneOf));
                    Add(byNumber[^1]);
                    break;
                case YoungKind.InboxState:
                    var inbox = Find<YoungInbox>(byNumber, reader.Number());
                    var inboxState = reader.InboxState();
                    if (inbox is not null) Change(inbox, inboxState);
                    break;
                case YoungKind.OutboxState:
                    var outbox = Find<YoungOutbox>(byNumber, reader.Number());
                    var outboxState = reader.OutboxState();
                    if (outbox is not null) Change(outbox, outboxState);
                    break;
                default:
                    throw new SqliteException(Sqlite3.Corrupt, "a page of the newest messages holds an unknown record");
            }
        }
    }

    private YoungInbox ReadInbox(ref YoungReader reader, Func<long, LaneState> laneOf)
    {
        var lane = laneOf(reader.Number());
        var (row, id, key, until, at, ordinal) = (reader.Number(), reader.Id(), reader.Key(), reader.Number(), reader.Number(), reader.Number());
        var (offset, length) = reader.Place();
        var entry = Rent(_freeInboxes, lane, id, at, offset, length);
        entry.Row = row;
        entry.DedupeKey = key;
        entry.DedupeUntil = until;
        entry.State = new InboxState { Ordinal = ordinal };
        return entry;
    }

    private YoungOutbox ReadOutbox(ref YoungReader reader, Func<long, LaneState> laneOf)
    {
        var lane = laneOf(reader.Number());
        var (id, isReply, replyTo, at, expires, seq) = (reader.Id(), reader.Byte() != 0, reader.Id(), reader.Number(), reader.Number(), reader.Number());
        var (offset, length) = reader.Place();
        var entry = Rent(_freeOutboxes, lane, id, at, offset, length);
        entry.ReplyTo = isReply ? replyTo : null;
        entry.State = new OutboxState { Seq = seq, ExpiresAt = expires };
        return entry;
    }

    // One whose page is gone has moved, and its table knows better.
    private static T? Find<T>(List<YoungEntry> byNumber, long number)
        where T : YoungEntry
    {
        var index = byNumber.Count == 0 ? -1 : number - byNumber[0].Number;
        return index >= 0 && index < byNumber.Count ? byNumber[(int)index] as T : null;
    }
}
