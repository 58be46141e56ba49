using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Reading;

/// <summary>The reads, each on a connection of the pool.</summary>
internal sealed partial class PostgresReader(NpgsqlDataSource source)
{
    private const string InboxColumns = "i.uuid, i.lane, i.ordinal, i.state, i.attempts, i.next_attempt_at, i.accepted_at, i.error, i.payload, i.ended_at";

    private const string OutboxHeaders =
        "o.uuid, o.lane, o.seq, o.state, o.settled, o.attempts, o.next_attempt_at, o.accepted_at, o.expires_at, o.pushed_at, o.acked_at, "
        + "o.delivered_at, o.ended_at, o.error";

    private const string LaneColumns = "a.channel, a.account, l.session_key";
    private const string InboxFrom = "FROM inbox i JOIN lane l ON l.id = i.lane JOIN account a ON a.id = l.account";
    private const string OutboxFrom = "FROM outbox o JOIN lane l ON l.id = o.lane JOIN account a ON a.id = l.account";

    /// <summary>Runs a query and makes an object of each row.</summary>
    public async ValueTask<List<T>> ReadAsync<T>(
        string sql, IEnumerable<NpgsqlParameter> parameters, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, Func<T, bool>? until = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            var answered = false;
            try
            {
                var command = source.CreateCommand(sql);
                await using (command.ConfigureAwait(false))
                {
                    foreach (var parameter in parameters) command.Parameters.Add(parameter.Clone());
                    var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                    answered = true;
                    await using (reader.ConfigureAwait(false))
                    {
                        var rows = new List<T>();
                        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                        {
                            var made = row(reader);
                            if (until?.Invoke(made) == true) break;
                            rows.Add(made);
                        }

                        return rows;
                    }
                }
            }
            catch (Exception e) when (attempt == 1 && !answered && PostgresErrors.IsLostConnection(e))
            {
                // It was cut while it lay idle, and so were the others in the pool: a read may simply be repeated.
                source.Clear();
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                if (PostgresErrors.LeavesConnectionInDoubt(e)) source.Clear();
                throw PostgresErrors.Map(e);
            }
        }
    }

    /// <summary>A number.</summary>
    public static NpgsqlParameter P(long value) => new NpgsqlParameter<long> { TypedValue = value };

    /// <summary>An id.</summary>
    public static NpgsqlParameter P(Guid value) => new NpgsqlParameter<Guid> { TypedValue = value };

    /// <summary>Text, or NULL.</summary>
    public static NpgsqlParameter P(string? value) => Parameters.OrNull(value);

    private static LaneKey Lane(NpgsqlDataReader row, int from) => new(row.GetString(from), row.GetString(from + 1), row.GetString(from + 2));

    private static PendingLane ToLane(NpgsqlDataReader row) => new(row.GetInt64(0), Lane(row, 2), row.GetInt64(1));

    private static InboxEntry ToInbox(NpgsqlDataReader row) => new()
    {
        Id = row.GetGuid(0),
        LaneId = row.GetInt64(1),
        Ordinal = row.GetInt64(2),
        State = (TurnState)row.GetInt16(3),
        Attempts = row.GetInt32(4),
        NextAttemptAt = row.GetInt64(5),
        AcceptedAt = row.GetInt64(6),
        Error = Text(row, 7),
        Payload = Bytes(row, 8),
        EndedAt = row.GetInt64(9),
        Lane = Lane(row, 10),
    };

    private static OutboxEntry ToOutbox(NpgsqlDataReader row) => new()
    {
        Id = row.GetGuid(0),
        LaneId = row.GetInt64(1),
        Seq = row.GetInt64(2),
        State = (DeliveryState)row.GetInt16(3),
        Settled = row.GetBoolean(4),
        Attempts = row.GetInt32(5),
        NextAttemptAt = row.GetInt64(6),
        AcceptedAt = row.GetInt64(7),
        ExpiresAt = row.GetInt64(8),
        PushedAt = row.GetInt64(9),
        AckedAt = row.GetInt64(10),
        DeliveredAt = row.GetInt64(11),
        EndedAt = row.GetInt64(12),
        Error = Text(row, 13),
        Lane = Lane(row, 14),
        History = Bytes(row, 17),
        Payload = Bytes(row, 18),
    };

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static ReadOnlyMemory<byte> Bytes(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? default : row.GetFieldValue<byte[]>(column);
}
