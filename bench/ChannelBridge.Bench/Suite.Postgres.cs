using System.Diagnostics;
using Npgsql;

namespace ChannelBridge.Bench;

/// <summary>PostgreSQL: what the hosts make of it, beside what one makes of it who writes the queue himself.</summary>
internal sealed partial class Suite
{
    private const int BatchRows = 64;

    /// <summary>
    /// Durable inbound acks, turns and replies included, of one host and of three on one database, 64 in flight each; beside batched inserts
    /// and claims of as many rows by bare Npgsql.
    /// </summary>
    private async Task PostgresAsync()
    {
        if (PostgresInstance.Programs is null)
        {
            Console.Error.WriteLine("postgres: there is no server on this machine; apt-get install postgresql. The row is left out.");
            return;
        }

        List<double> floors = [], one = [], three = [];
        await using var server = await PostgresInstance.StartAsync();
        for (var run = 0; run < _runs; run++)
        {
            Progress($"postgres, run {run + 1} of {_runs}");
            floors.Add(await QueueRateAsync(await server.NewDatabaseAsync()));
            one.Add(await HostsRateAsync(await server.NewDatabaseAsync(), hosts: 1));
            three.Add(await HostsRateAsync(await server.NewDatabaseAsync(), hosts: 3));
        }

        Add("durable inbound acks on PostgreSQL, one host, beside batched insert + claim + done by bare Npgsql", floors, one, "/s");
        Add("three hosts on one database beside one host", one, three, "/s");
    }

    private async Task<double> HostsRateAsync(string database, int hosts)
    {
        var subjects = new List<Subject>();
        var clients = new List<BenchClient>();
        try
        {
            for (var host = 0; host < hosts; host++)
            {
                subjects.Add(await Subject.HostAsync(store: database));
                clients.Add(await BenchClient.ConnectAsync(subjects[host], bridge: false));
            }

            await LoadAsync(TimeSpan.FromSeconds(2));
            var clock = Stopwatch.StartNew();
            var count = await LoadAsync(_duration);
            return count / clock.Elapsed.TotalSeconds;
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
            foreach (var subject in subjects) await subject.DisposeAsync();
        }

        async Task<long> LoadAsync(TimeSpan duration) =>
            (await Task.WhenAll(
                clients.Select((client, host) => client.LoadAsync(BatchRows, duration, number => InboundTo(number, (int)(number % 64) + (100 * host))))))
                .Sum(load => load.Count);
    }

    /// <summary>The plain queue in the database that somebody would write: rows inserted and claimed in batches, and marked done in a third statement.</summary>
    private async Task<double> QueueRateAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await ExecuteAsync(
            """
            CREATE TABLE message(id bigserial PRIMARY KEY, key text NOT NULL UNIQUE, state int NOT NULL DEFAULT 0, due timestamptz NOT NULL DEFAULT now(), payload bytea NOT NULL);
            CREATE INDEX message_due ON message(due, id) WHERE state = 0;
            """);
        using var stop = new CancellationTokenSource();
        long inserted = 0, done = 0;
        Task[] working = [Task.Run(InsertAsync), Task.Run(InsertAsync), Task.Run(ClaimAsync), Task.Run(ClaimAsync)];
        await Task.Delay(TimeSpan.FromSeconds(2));
        var (before, clock) = (Interlocked.Read(ref done), Stopwatch.StartNew());
        await Task.Delay(_duration);
        var rate = (Interlocked.Read(ref done) - before) / clock.Elapsed.TotalSeconds;
        await stop.CancelAsync();
        await Task.WhenAll(working);
        return rate;

        async Task ExecuteAsync(string sql)
        {
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }

        async Task InsertAsync()
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var insert = new NpgsqlCommand("INSERT INTO message(key, payload) SELECT * FROM unnest($1::text[], $2::bytea[])", connection);
            var keys = insert.Parameters.Add(new NpgsqlParameter<string[]>());
            var payload = System.Text.Encoding.UTF8.GetBytes(Text);
            insert.Parameters.Add(new NpgsqlParameter<byte[][]> { TypedValue = [.. Enumerable.Repeat(payload, BatchRows)] });
            while (!stop.IsCancellationRequested)
            {
                // Not far ahead of the claims: the rate is that of the whole way.
                if (Interlocked.Read(ref inserted) - Interlocked.Read(ref done) > 50 * BatchRows)
                {
                    await Task.Delay(1);
                    continue;
                }

                keys.Value = Enumerable.Range(0, BatchRows).Select(_ => Guid.CreateVersion7().ToString()).ToArray();
                await insert.ExecuteNonQueryAsync();
                Interlocked.Add(ref inserted, BatchRows);
            }
        }

        async Task ClaimAsync()
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var claim = new NpgsqlCommand(
                $"UPDATE message SET state = 1 WHERE id IN (SELECT id FROM message WHERE state = 0 ORDER BY due, id LIMIT {BatchRows} FOR UPDATE SKIP LOCKED) RETURNING id, payload", connection);
            await using var finish = new NpgsqlCommand("UPDATE message SET state = 2 WHERE id = ANY($1)", connection);
            var ids = finish.Parameters.Add(new NpgsqlParameter<long[]>());
            while (!stop.IsCancellationRequested)
            {
                var claimed = new List<long>(BatchRows);
                await using (var rows = await claim.ExecuteReaderAsync())
                {
                    while (await rows.ReadAsync()) claimed.Add(rows.GetInt64(0));
                }

                if (claimed.Count == 0)
                {
                    await Task.Delay(1);
                    continue;
                }

                ids.Value = claimed.ToArray();
                await finish.ExecuteNonQueryAsync();
                Interlocked.Add(ref done, claimed.Count);
            }
        }
    }
}
