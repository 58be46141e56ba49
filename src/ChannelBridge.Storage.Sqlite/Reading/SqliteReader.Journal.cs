using System.Text;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Reading;

/// <content>The lane journal.</content>
internal sealed partial class SqliteReader
{
    public IReadOnlyList<PendingLane> ListTurnLanes(long after, int limit) => Lanes(Use().NextTurnLane, limit, after, 1);

    public IReadOnlyList<PendingLane> ListPushLanes(string channel, string account, long after, int limit) =>
        FindAccount(channel, account) is not 0 and var id ? Lanes(Use().NextPushLane.Bind(1, id), limit, after, 2) : [];

    public InboxEntry? GetInbox(Guid id)
    {
        var read = Use().InboxById.Bind(1, id);
        var entry = read.Step() && FindLane(read.GetInt64(1), out var key, out _) ? ToInbox(read, key) : null;
        read.Reset();
        return entry;
    }

    public OutboxEntry? GetOutbox(Guid id)
    {
        var read = Use().OutboxById.Bind(1, id);
        var entry = read.Step() && FindLane(read.GetInt64(1), out var key, out _) ? ToOutbox(read, key, headersOnly: false) : null;
        read.Reset();
        return entry;
    }

    private List<PendingLane> Lanes(SqliteStatement next, int limit, long after, int parameter)
    {
        // One seek for each lane: the index skips a lane's other entries, however many they are.
        var lanes = new List<PendingLane>();
        while (lanes.Count < limit && Next(next.Bind(parameter, after), out after, out var first))
        {
            if (FindLane(after, out var key, out _)) lanes.Add(new PendingLane(after, key, first));
        }

        return lanes;
    }

    public IReadOnlyList<InboxEntry> ReadInbox(long lane, long after, int limit, int maxBytes)
    {
        var entries = new List<InboxEntry>();
        if (!FindLane(lane, out var key, out _)) return entries;
        var read = Use().Inbox.Bind(1, lane).Bind(2, after);
        var bytes = 0L;
        while (entries.Count < limit && read.Step())
        {
            if ((bytes += read.GetSize(8)) > maxBytes && entries.Count > 0) break;
            entries.Add(ToInbox(read, key));
        }

        read.Reset();
        return entries;
    }

    public IReadOnlyList<OutboxEntry> ReadOutbox(long lane, long after, int limit, int maxBytes)
    {
        var entries = new List<OutboxEntry>();
        if (!FindLane(lane, out var key, out var account)) return entries;
        var read = Use().Outbox.Bind(1, account).Bind(2, lane).Bind(3, after);
        var bytes = 0L;
        while (entries.Count < limit && read.Step())
        {
            if ((bytes += read.GetSize(15)) > maxBytes && entries.Count > 0) break;
            entries.Add(ToOutbox(read, key, headersOnly: false));
        }

        read.Reset();
        return entries;
    }

    public IReadOnlyList<InboxEntry> ListDeadInbox((long EndedAt, Guid Id)? after, int limit, bool headersOnly)
    {
        var entries = new List<InboxEntry>();
        var read = Use().DeadInbox.Bind(1, after?.EndedAt ?? -1).Bind(2, after?.Id ?? Guid.Empty).Bind(3, limit);
        while (read.Step())
        {
            if (FindLane(read.GetInt64(1), out var key, out _)) entries.Add(ToInbox(read, key, headersOnly));
        }

        read.Reset();
        return entries;
    }

    public IReadOnlyList<OutboxEntry> QueryOutbox(OutboxQuery query)
    {
        var sql = new StringBuilder("SELECT ").Append(Statements.OutboxHeaders);
        if (!query.HeadersOnly) sql.Append(", history, payload");
        sql.Append(", a.channel, a.account, l.session_key FROM outbox o JOIN lane l ON l.id = o.lane JOIN account a ON a.id = o.account WHERE 1");
        sql.Replace(", lane,", ", o.lane,");
        if (query.Channel is not null) sql.Append(" AND a.channel = ?1");
        if (query.Account is not null) sql.Append(" AND a.account = ?2");
        if (query.SessionKey is not null) sql.Append(" AND l.session_key = ?3");
        if (query.Error is not null) sql.Append(" AND error = ?4");
        if (query.AcceptedBefore > 0) sql.Append(" AND accepted_at < ?5");
        if (query.States.Count > 0)
        {
            // Said apart because the index of ended entries is only taken for exactly this condition.
            if (query.States.All(s => s is DeliveryState.Expired or DeliveryState.Dead)) sql.Append(" AND state >= 4");
            sql.Append(" AND state IN (").AppendJoin(", ", query.States.Select(s => (int)s)).Append(')');
        }

        var (order, beyond) = query.Descending ? ("DESC", "<") : ("ASC", ">");
        if (query.After is not null) sql.Append($" AND accepted_at {beyond}= ?6 AND (accepted_at {beyond} ?6 OR uuid {beyond} ?7)");
        sql.Append($" ORDER BY accepted_at {order}, uuid {order} LIMIT ?8");

        using var read = Use().Database.PrepareOnce(sql.ToString());
        if (query.Channel is not null) read.Bind(1, query.Channel);
        if (query.Account is not null) read.Bind(2, query.Account);
        if (query.SessionKey is not null) read.Bind(3, query.SessionKey);
        if (query.Error is not null) read.Bind(4, query.Error);
        if (query.AcceptedBefore > 0) read.Bind(5, query.AcceptedBefore);
        if (query.After is { } after) read.Bind(6, after.AcceptedAt).Bind(7, after.Id);
        read.Bind(8, query.Limit);

        var entries = new List<OutboxEntry>();
        var keys = query.HeadersOnly ? 14 : 16;
        while (read.Step())
        {
            var key = new LaneKey(read.GetText(keys), read.GetText(keys + 1), read.GetText(keys + 2));
            entries.Add(ToOutbox(read, key, query.HeadersOnly));
        }

        return entries;
    }

    private static bool Next(SqliteStatement statement, out long lane, out long first)
    {
        var found = statement.Step();
        lane = found ? statement.GetInt64(0) : 0;
        first = found ? statement.GetInt64(1) : 0;
        statement.Reset();
        return found;
    }

    private static InboxEntry ToInbox(SqliteStatement row, in LaneKey key, bool headersOnly = false) => new()
    {
        Id = row.GetGuid(0),
        LaneId = row.GetInt64(1),
        Lane = key,
        Ordinal = row.GetInt64(2),
        State = (TurnState)row.GetInt64(3),
        Attempts = (int)row.GetInt64(4),
        NextAttemptAt = row.GetInt64(5),
        AcceptedAt = row.GetInt64(6),
        Error = row.GetTextOrNull(7),
        Payload = headersOnly ? ReadOnlyMemory<byte>.Empty : row.GetCopy(8),
        EndedAt = row.GetInt64(9),
    };

    private static OutboxEntry ToOutbox(SqliteStatement row, in LaneKey key, bool headersOnly) => new()
    {
        Id = row.GetGuid(0),
        LaneId = row.GetInt64(1),
        Lane = key,
        Seq = row.GetInt64(2),
        State = (DeliveryState)row.GetInt64(3),
        Settled = row.GetInt64(4) != 0,
        Attempts = (int)row.GetInt64(5),
        NextAttemptAt = row.GetInt64(6),
        AcceptedAt = row.GetInt64(7),
        ExpiresAt = row.GetInt64(8),
        PushedAt = row.GetInt64(9),
        AckedAt = row.GetInt64(10),
        DeliveredAt = row.GetInt64(11),
        EndedAt = row.GetInt64(12),
        Error = row.GetTextOrNull(13),
        History = headersOnly ? ReadOnlyMemory<byte>.Empty : row.GetCopy(14),
        Payload = headersOnly ? ReadOnlyMemory<byte>.Empty : row.GetCopy(15),
    };
}
