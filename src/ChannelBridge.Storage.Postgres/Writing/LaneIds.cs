using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>The ids of the lanes used last. An id never changes, so nothing here can become wrong. Used by the writer only.</summary>
internal sealed class LaneIds(int capacity)
{
    private readonly Dictionary<LaneKey, long> _ids = [];

    /// <summary>A lane's id; <see cref="LoadAsync"/> has been called for it.</summary>
    public long Get(in LaneKey lane) => _ids[lane];

    /// <summary>Looks up the lanes that a group appends to, and makes those that are new. Costs nothing when all are known.</summary>
    public async Task LoadAsync(List<Stage> stages, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_ids.Count > capacity) _ids.Clear();
        List<LaneKey>? unknown = null;
        foreach (var write in stages.SelectMany(s => s.Writes))
        {
            var lane = write switch { InboxAppend w => w.Lane, OutboxAppend w => w.Lane, _ => default };
            if (lane.Channel is null || _ids.ContainsKey(lane)) continue;
            unknown ??= [];
            if (!unknown.Contains(lane)) unknown.Add(lane);
        }

        if (unknown is null) return;
        var batch = new NpgsqlBatch(connection);
        await using (batch.ConfigureAwait(false))
        {
            const string Wanted = "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY n(channel, account, session_key, idx)";
            Add($"INSERT INTO account(channel, account) SELECT DISTINCT channel, account FROM {Wanted} WHERE NOT EXISTS "
                + "(SELECT 1 FROM account a WHERE a.channel = n.channel AND a.account = n.account) ORDER BY channel, account ON CONFLICT DO NOTHING");
            Add($"INSERT INTO lane(account, session_key) SELECT a.id, n.session_key FROM {Wanted} JOIN account a ON a.channel = n.channel AND a.account = n.account "
                + "WHERE NOT EXISTS (SELECT 1 FROM lane l WHERE l.account = a.id AND l.session_key = n.session_key) ORDER BY n.idx ON CONFLICT DO NOTHING");
            Add($"SELECT n.idx, l.id FROM {Wanted} JOIN account a ON a.channel = n.channel AND a.account = n.account "
                + "JOIN lane l ON l.account = a.id AND l.session_key = n.session_key");
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) _ids[unknown[(int)reader.GetInt64(0) - 1]] = reader.GetInt64(1);
                while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false))
                {
                }
            }
        }

        void Add(string sql)
        {
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.Add(Parameters.Of<string[]>([.. unknown.Select(l => l.Channel)]));
            command.Parameters.Add(Parameters.Of<string[]>([.. unknown.Select(l => l.Account)]));
            command.Parameters.Add(Parameters.Of<string[]>([.. unknown.Select(l => l.SessionKey)]));
            batch.BatchCommands.Add(command);
        }
    }
}
