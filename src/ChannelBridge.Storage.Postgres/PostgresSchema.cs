using System.Globalization;
using ChannelBridge.Abstractions.Errors;
using Npgsql;

namespace ChannelBridge.Storage.Postgres;

/// <summary>The tables, and how an older schema becomes a current one: migration n leads from version n to n+1.</summary>
internal static class PostgresSchema
{
    /// <summary>The version that this program reads and writes.</summary>
    public static int Current => Migrations.Length;

    // "CBst": the class of our advisory locks; the second number is a hash of the schema's name.
    private const int LockClass = 0x43427374;

    // Text sorts by bytes everywhere ("C"), so that pages of keys are the same on every server and as on SQLite.
    // The partial indexes hold only what is unfinished, so they stay small however many tombstones and receipts are kept. Settled entries are found
    // by their id. Lanes leave room on their pages: their numbers change all the time, and an update that stays on its page touches no index.
    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE account(
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            channel text COLLATE "C" NOT NULL,
            account text COLLATE "C" NOT NULL,
            UNIQUE(channel, account));

        CREATE TABLE lane(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account int NOT NULL,
            session_key text COLLATE "C" NOT NULL,
            last_in bigint NOT NULL DEFAULT 0,
            last_out bigint NOT NULL DEFAULT 0,
            claim bigint NOT NULL DEFAULT 1,
            UNIQUE(account, session_key)) WITH (fillfactor = 70);

        CREATE TABLE inbox(
            uuid uuid PRIMARY KEY,
            lane bigint NOT NULL,
            ordinal bigint NOT NULL,
            accepted_at bigint NOT NULL,
            dedupe_until bigint NOT NULL,
            ended_at bigint NOT NULL DEFAULT 0,
            next_attempt_at bigint NOT NULL DEFAULT 0,
            attempts int NOT NULL DEFAULT 0,
            state smallint NOT NULL DEFAULT 0,
            error text,
            payload bytea);
        CREATE INDEX inbox_pending ON inbox(lane, ordinal) WHERE state = 0;
        CREATE INDEX inbox_done ON inbox(dedupe_until) WHERE state = 1;
        CREATE INDEX inbox_dead ON inbox(ended_at) WHERE state = 2;
        CREATE TABLE inbox_key(key uuid PRIMARY KEY, id uuid NOT NULL, accepted_at bigint NOT NULL, until bigint NOT NULL);
        CREATE INDEX inbox_key_until ON inbox_key(until);

        CREATE TABLE outbox(
            uuid uuid PRIMARY KEY,
            lane bigint NOT NULL,
            seq bigint NOT NULL,
            accepted_at bigint NOT NULL,
            expires_at bigint NOT NULL DEFAULT 0,
            next_attempt_at bigint NOT NULL DEFAULT 0,
            pushed_at bigint NOT NULL DEFAULT 0,
            acked_at bigint NOT NULL DEFAULT 0,
            delivered_at bigint NOT NULL DEFAULT 0,
            ended_at bigint NOT NULL DEFAULT 0,
            account int NOT NULL,
            attempts int NOT NULL DEFAULT 0,
            state smallint NOT NULL DEFAULT 0,
            settled boolean NOT NULL DEFAULT false,
            reply_to uuid,
            error text,
            history bytea,
            payload bytea);
        CREATE INDEX outbox_pending ON outbox(account, lane, seq) WHERE NOT settled;
        CREATE INDEX outbox_accepted ON outbox(accepted_at, uuid);
        CREATE INDEX outbox_ended ON outbox(account, accepted_at) WHERE state >= 4;

        CREATE TABLE record(
            ns text COLLATE "C" NOT NULL,
            key text COLLATE "C" NOT NULL,
            version bigint NOT NULL,
            updated_at bigint NOT NULL,
            expires_at bigint NOT NULL,
            idx text COLLATE "C",
            value bytea,
            PRIMARY KEY(ns, key));
        CREATE INDEX record_index ON record(ns, idx, key) WHERE idx IS NOT NULL;
        CREATE INDEX record_expiry ON record(expires_at) WHERE expires_at > 0;

        CREATE TABLE sequence(name text COLLATE "C" PRIMARY KEY, value bigint NOT NULL);
        """,

        // Who owns what: a lane's turns and an account's pushes belong to a host as long as its row here hasn't expired. The owner of a lane isn't
        // indexed, so that taking and giving back a lane touches no index; who dies is found out by his row, not by his lanes.
        """
        CREATE TABLE host(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            expires_at timestamptz NOT NULL);
        ALTER TABLE lane ADD COLUMN host bigint NOT NULL DEFAULT 0;
        ALTER TABLE account
            ADD COLUMN push_host bigint NOT NULL DEFAULT 0,
            ADD COLUMN push_claim bigint NOT NULL DEFAULT 1,
            ADD COLUMN push_rank bigint NOT NULL DEFAULT 0,
            ADD COLUMN push_holder text;
        CREATE INDEX account_pusher ON account(push_host) WHERE push_host <> 0;
        """,

        // Numbered logs. Appends lock their logs in the order of names, so numbers become visible in order.
        """
        CREATE TABLE log(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text COLLATE "C" NOT NULL UNIQUE,
            last bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);
        CREATE TABLE log_entry(
            log bigint NOT NULL,
            number bigint NOT NULL,
            expires_at bigint NOT NULL,
            once text COLLATE "C",
            value bytea,
            PRIMARY KEY(log, number));
        CREATE INDEX log_once ON log_entry(once, log) WHERE once IS NOT NULL;
        CREATE INDEX log_expiry ON log_entry(expires_at) WHERE expires_at > 0;
        """,
    ];

    /// <summary>Makes the schema or brings it up to date, guarded against another host that does the same.</summary>
    /// <returns>The store's id.</returns>
    public static async Task<Guid> MigrateAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            // Held until the transaction ends: a second host waits here and then finds everything done.
            await ExecuteAsync(connection, $"SELECT pg_advisory_xact_lock({LockClass}, hashtext('{schema}'))", cancellationToken).ConfigureAwait(false);
            var made = await ScalarAsync(connection, "SELECT to_regclass('meta')::text", cancellationToken).ConfigureAwait(false);
            if (made is null)
            {
                // A user that owns the schema, but may make none, isn't asked for a right that nobody needs.
                if (await ScalarAsync(connection, $"SELECT to_regnamespace('{schema}')::text", cancellationToken).ConfigureAwait(false) is null)
                    await ExecuteAsync(connection, $"CREATE SCHEMA {schema}", cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(connection, "CREATE TABLE meta(key text PRIMARY KEY, value text NOT NULL)", cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(
                    connection,
                    $"INSERT INTO meta VALUES('schema', '0'), ('store_id', '{Guid.NewGuid():D}')",
                    cancellationToken).ConfigureAwait(false);
            }

            var text = await ScalarAsync(connection, "SELECT value FROM meta WHERE key = 'schema'", cancellationToken).ConfigureAwait(false);
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var found))
            {
                throw new BridgeException(ErrorCodes.StoreUnavailable, $"The schema {schema} belongs to another program. Name another one; nothing was changed.");
            }

            if (found > Current)
            {
                throw new BridgeException(
                    ErrorCodes.StoreUnavailable,
                    $"The schema {schema} was written by a newer version of ChannelBridge (schema {found}; this version knows {Current}). "
                    + "Run the newer version, or name another schema; nothing was changed.");
            }

            for (var version = found; version < Current; version++)
            {
                await ExecuteAsync(connection, Migrations[version], cancellationToken).ConfigureAwait(false);
            }

            if (found < Current)
            {
                await ExecuteAsync(connection, $"UPDATE meta SET value = '{Current}' WHERE key = 'schema'", cancellationToken).ConfigureAwait(false);
            }

            var id = await ScalarAsync(connection, "SELECT value FROM meta WHERE key = 'store_id'", cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return Guid.Parse(id!);
        }
    }

    // A migration of a large database takes its time, and whoever waits for another host's one waits as long.
    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<string?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string;
    }
}
