using System.Collections.Concurrent;
using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Postgres.Reading;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>What only a server can get wrong: several hosts at once, lost connections, claims, foreign and newer schemas.</summary>
[NeedsServer(PostgresServer.Variable)]
public sealed class PostgresStoreTests : IAsyncLifetime
{
    private readonly string _schema = $"t{Guid.NewGuid():N}";
    private readonly List<PostgresStore> _stores = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_stores.Count == 0) return;
        foreach (var store in _stores) await store.DisposeAsync();
        await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }

    [StoreFact]
    public async Task Open_ManyHostsAtOnce_MigrateOnce()
    {
        var hosts = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => OpenAsync()));
        Assert.Single(hosts.Select(h => h.StoreId).Distinct());
        foreach (var host in hosts) await host.ProbeAsync(CancellationToken.None);
    }

    [StoreFact]
    public async Task Open_NewerSchema_IsRefused()
    {
        await (await OpenAsync()).DisposeAsync();
        await PostgresServer.ExecuteAsync($"UPDATE {_schema}.meta SET value = '99' WHERE key = 'schema'");
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Contains("newer version", error.Message, StringComparison.Ordinal);
    }

    [StoreFact]
    public async Task Open_SchemaOfAnotherProgram_IsRefused()
    {
        await PostgresServer.ExecuteAsync($"CREATE SCHEMA {_schema}; CREATE TABLE {_schema}.meta(key text, value text)");
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync());
        Assert.Contains("another program", error.Message, StringComparison.Ordinal);
    }

    [StoreFact]
    public async Task Open_NobodyListens_IsUnavailableAndTellsNoPassword()
    {
        var store = new PostgresStore(
            new PostgresStoreOptions { ConnectionString = "Host=127.0.0.1;Port=1;Username=u;Password=hunter2" }, NullLogger<PostgresStore>.Instance, TimeProvider.System);
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await store.OpenAsync(CancellationToken.None));
        Assert.Equal((ErrorCodes.StoreUnavailable, true), (error.Code, error.Retryable));
        Assert.DoesNotContain("hunter2", error.ToString() + store.Description, StringComparison.Ordinal);
    }

    /// <summary>A host that got fewer connections than it needs accepted messages that it could neither claim nor answer.</summary>
    [StoreFact]
    public async Task Open_TooFewConnections_IsRefusedAndSaysHowMany()
    {
        var role = "r" + _schema;
        await PostgresServer.ExecuteAsync($"CREATE ROLE {role} LOGIN CONNECTION LIMIT 3; CREATE SCHEMA {_schema} AUTHORIZATION {role}");
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(PostgresServer.Require()) { Username = role };
            var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync(builder.ConnectionString));
            Assert.Equal((ErrorCodes.StoreUnavailable, true), (error.Code, error.Retryable));
            Assert.Contains("3 of the 5 connections", error.Message, StringComparison.Ordinal);

            await PostgresServer.ExecuteAsync($"ALTER ROLE {role} CONNECTION LIMIT 5");
            var store = await OpenAsync(builder.ConnectionString + ";Maximum Pool Size=4");
            await store.ProbeAsync(CancellationToken.None);
            await store.CommitAsync(Message("lane", 1));
            Assert.Single(await store.ListTurnLanesAsync(0, 10));
            await store.DisposeAsync();
        }
        finally
        {
            await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE; DROP ROLE {role}");
        }
    }

    /// <summary>Without the right to make temporary tables the test write is a small one, and others' writes are unharmed.</summary>
    [StoreFact]
    public async Task Probe_UserWithoutTemporaryTables_Works()
    {
        var (role, database) = ("r" + _schema, "d" + _schema);
        await PostgresServer.ExecuteAsync($"CREATE ROLE {role} LOGIN");
        await PostgresServer.ExecuteAsync($"CREATE DATABASE {database} OWNER postgres");
        try
        {
            await PostgresServer.ExecuteAsync($"REVOKE TEMP ON DATABASE {database} FROM PUBLIC; GRANT CREATE ON DATABASE {database} TO {role}");
            var builder = new NpgsqlConnectionStringBuilder(PostgresServer.Require()) { Username = role, Database = database };
            var store = await OpenAsync(builder.ConnectionString);
            await store.ProbeAsync(CancellationToken.None);
            await store.CommitAsync(Message("lane", 1));
            await store.ProbeAsync(CancellationToken.None);
            await store.DisposeAsync();
        }
        finally
        {
            await PostgresServer.ExecuteAsync($"DROP DATABASE {database} WITH (FORCE)");
            await PostgresServer.ExecuteAsync($"DROP ROLE {role}");
        }
    }

    [StoreFact]
    public async Task Commit_TwoHosts_ShareKeysAndNumbersWithoutHoles()
    {
        var hosts = new[] { await OpenAsync(), await OpenAsync() };
        var acked = new ConcurrentBag<InboxAppend>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 16), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (producer, cancellation) =>
        {
            for (var i = 0; i < 40; i++)
            {
                // Each message reaches both hosts; batches name the lanes in different orders.
                var batch = Enumerable.Range(0, 3).Select(n => Message($"lane {(producer + n) % 5}", (UInt128)((producer / 2 * 1000) + (i * 3) + n) + 1)).ToArray();
                if (producer % 2 == 0) Array.Reverse(batch);
                await hosts[producer % 2].CommitAsync(batch, cancellation);
                foreach (var append in batch) acked.Add(append);
            }
        });

        var own = acked.Where(a => !a.Duplicate).ToList();
        Assert.Equal(8 * 40 * 3, own.Count);
        foreach (var duplicate in acked.Where(a => a.Duplicate))
        {
            Assert.Equal(own.Single(a => a.DedupeKey == duplicate.DedupeKey).Id, duplicate.KnownId);
        }

        foreach (var lane in own.GroupBy(a => a.LaneId))
        {
            Assert.Equal(Enumerable.Range(1, lane.Count()).Select(i => (long)i), lane.Select(a => a.Ordinal).Order());
            Assert.Equal(lane.OrderBy(a => a.Ordinal).Select(a => a.Id), (await hosts[0].ReadInboxAsync(lane.Key, 0, 10_000, int.MaxValue)).Select(e => e.Id));
        }
    }

    [StoreFact]
    public async Task Commit_WithAnOutdatedClaim_WritesNothing()
    {
        var store = await OpenAsync();
        var reply = new OutboxAppend { Lane = new LaneKey("bncr", "main", "lane"), Id = Guid.NewGuid(), At = 1, Payload = new byte[] { 1 } };
        await store.CommitAsync(reply);
        var dead = new OutboxAppend { Lane = reply.Lane, Id = Guid.NewGuid(), At = 1, Payload = new byte[] { 1 } };
        await store.CommitAsync(dead);
        await store.CommitAsync(new OutboxUpdate { LaneId = dead.LaneId, Seq = dead.Seq, State = DeliveryState.Dead, Settled = true, At = 1 });
        await PostgresServer.ExecuteAsync($"UPDATE {_schema}.lane SET claim = 2; UPDATE {_schema}.account SET push_claim = 2");

        StoreWrite[] Writes(long claim) =>
        [
            new OutboxAppend { Lane = reply.Lane, Id = Guid.NewGuid(), At = 1, Payload = default, Claim = claim },
            new OutboxUpdate { LaneId = reply.LaneId, Seq = 1, State = DeliveryState.Acked, Settled = true, At = 1, Claim = claim },
            new InboxUpdate { LaneId = reply.LaneId, Ordinal = 1, State = TurnState.Done, At = 1, Claim = claim },
            new OutboxReplay { Id = dead.Id, At = 1, Claim = claim },
        ];
        foreach (var write in Writes(1))
        {
            Assert.Equal(ErrorCodes.ClaimLost, (await Assert.ThrowsAsync<BridgeException>(async () => await store.CommitAsync(write))).Code);
        }

        var both = await Assert.ThrowsAsync<BridgeException>(async () => await store.CommitAsync([Writes(1)[0], Writes(2)[2]]));
        Assert.Equal(ErrorCodes.ClaimLost, both.Code);
        Assert.Equal(DeliveryState.Accepted, (await store.GetOutboxAsync(reply.Id))!.State);
        foreach (var write in Writes(2)) await store.CommitAsync(write);
        Assert.Equal(DeliveryState.Acked, (await store.GetOutboxAsync(reply.Id))!.State);

        // Anybody may accept for any lane, and some writes belong to no claim.
        await store.CommitAsync(new OutboxUpdate
        {
            LaneId = reply.LaneId,
            Seq = 1,
            Id = reply.Id,
            State = DeliveryState.Delivered,
            Settled = true,
            At = 2,
            Claim = StoreWrite.Unfenced,
        });
        Assert.Equal(DeliveryState.Delivered, (await store.GetOutboxAsync(reply.Id))!.State);
        await store.CommitAsync(Message("lane", 1));
    }

    [StoreFact]
    public async Task Commit_ConnectionCut_FailsOnceAndRecovers()
    {
        var store = await OpenAsync();
        await store.CommitAsync(Message("lane", 1));
        await PostgresServer.ExecuteAsync(
            $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{_schema}' AND pid <> pg_backend_pid()");
        var codes = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            try
            {
                await store.CommitAsync(Message("lane", (UInt128)(10 + i)));
                codes.Add("");
            }
            catch (BridgeException error)
            {
                Assert.True(error.Retryable);
                codes.Add(error.Code);
            }
        }

        Assert.Equal("", codes[^1]);
        Assert.All(codes.Where(c => c.Length > 0), c => Assert.Equal(ErrorCodes.StoreUnavailable, c));
        var lane = Assert.Single(await store.ListTurnLanesAsync(0, 10));
        Assert.Equal(codes.Count(c => c.Length == 0) + 1, (await store.ReadInboxAsync(lane.Id, 0, 100, int.MaxValue)).Count);
    }

    [StoreFact]
    public async Task Commit_TablesGone_IsUnavailable()
    {
        var store = await OpenAsync();
        await PostgresServer.ExecuteAsync($"DROP SCHEMA {_schema} CASCADE");
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await store.CommitAsync(Message("lane", 1)));
        Assert.Equal(ErrorCodes.StoreUnavailable, error.Code);
        Assert.Equal(ErrorCodes.StoreUnavailable, (await Assert.ThrowsAsync<BridgeException>(async () => await store.CountAsync())).Code);
    }

    [StoreFact]
    public async Task Read_ThatBreaksOffWhileItIsWritten_LeavesNoBrokenConnectionInThePool()
    {
        // One connection for all, and statements prepared at once: what the failed one leaves behind would meet everything after it.
        await using var source = NpgsqlDataSource.Create(PostgresServer.Require() + ";Maximum Pool Size=1;Max Auto Prepare=10;Auto Prepare Min Usages=1");
        var reader = new PostgresReader(source);
        for (var round = 0; round < 3; round++)
        {
            await Assert.ThrowsAsync<BridgeException>(async () => await reader.ReadAsync(
                "SELECT $1 || $2", [new NpgsqlParameter<string> { TypedValue = "a" }, new NpgsqlParameter<string> { TypedValue = "\uD83D" }],
                row => row.GetString(0), CancellationToken.None));
            foreach (var sql in new[] { "SELECT $1 || $2", "SELECT $2 || $1" })
            {
                var rows = await reader.ReadAsync(sql, [PostgresReader.P("a"), PostgresReader.P("\uD83D")], row => row.GetString(0), CancellationToken.None);
                Assert.Equal(2, Assert.Single(rows).Length);
            }
        }
    }

    [StoreFact]
    public async Task SequenceAppend_TwoHostsCrossing_ShareNumbersWithoutHoles()
    {
        const int Rounds = 60, Logs = 6;
        var hosts = await Task.WhenAll(OpenAsync(), OpenAsync());
        var acked = new ConcurrentBag<(string Log, string Value, long Number, bool Duplicate)>();
        await Task.WhenAll(hosts.SelectMany((host, h) => Enumerable.Range(0, 4).Select(async worker =>
        {
            for (var round = 0; round < Rounds; round++)
            {
                // Each host begins at another end; every value is sent by both.
                var logs = Enumerable.Range(0, Logs).Select(log => $"log {log}");
                var value = $"{worker}/{round}";
                var writes = (h == 0 ? logs : logs.Reverse())
                    .Select(log => new SequenceAppend { Sequence = log, Once = value, Value = Encoding.UTF8.GetBytes(value), At = 1 }).ToArray();
                await host.CommitAsync(writes);
                foreach (var write in writes) acked.Add((write.Sequence, value, write.Number, write.Duplicate));
                var seen = await host.ReadSequenceAsync(writes[0].Sequence, 0, 10_000);
                Assert.Equal(Enumerable.Range(1, seen.Count).Select(n => (long)n), seen.Select(e => e.Number));
            }
        })));

        foreach (var log in acked.GroupBy(a => a.Log))
        {
            var stored = (await hosts[0].ReadSequenceAsync(log.Key, 0, 10_000)).ToDictionary(e => e.Number, e => Encoding.UTF8.GetString(e.Value.Span));
            Assert.Equal(4 * Rounds, stored.Count);
            Assert.Equal(4 * Rounds, log.Count(a => !a.Duplicate));
            foreach (var (_, value, number, _) in log) Assert.Equal(value, stored[number]);
        }
    }

    [StoreFact]
    public async Task Open_UserThatAcknowledgesBeforeTheFlush_IsOverruled()
    {
        var builder = new NpgsqlConnectionStringBuilder(PostgresServer.Require()) { Options = "-c synchronous_commit=off" };
        var store = await OpenAsync(builder.ConnectionString);
        await PostgresServer.ExecuteAsync($"CREATE TABLE {_schema}.seen(v text); CREATE FUNCTION {_schema}.see() RETURNS trigger LANGUAGE plpgsql AS "
            + $"$$BEGIN INSERT INTO {_schema}.seen VALUES(current_setting('synchronous_commit')); RETURN NULL; END$$; "
            + $"CREATE TRIGGER see AFTER INSERT ON {_schema}.inbox EXECUTE FUNCTION {_schema}.see()");
        await store.CommitAsync(Message("lane", 1));
        await using var source = NpgsqlDataSource.Create(PostgresServer.Require());
        await using var command = source.CreateCommand($"SELECT v FROM {_schema}.seen");
        Assert.Equal("on", await command.ExecuteScalarAsync());
    }

    private static InboxAppend Message(string session, UInt128 key) => new()
    {
        Lane = new LaneKey("bncr", "main", session),
        Id = Guid.CreateVersion7(),
        DedupeKey = key,
        DedupeUntil = long.MaxValue,
        At = 1,
        Payload = new byte[] { 1, 2, 3 },
    };

    private async Task<PostgresStore> OpenAsync(string? connection = null)
    {
        var builder = new NpgsqlConnectionStringBuilder(connection ?? PostgresServer.Require()) { ApplicationName = _schema };
        var store = new PostgresStore(
            new PostgresStoreOptions { ConnectionString = builder.ConnectionString, Schema = _schema }, NullLogger<PostgresStore>.Instance, TimeProvider.System);
        lock (_stores) _stores.Add(store);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}
