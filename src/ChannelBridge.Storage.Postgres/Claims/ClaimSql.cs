namespace ChannelBridge.Storage.Postgres.Claims;

/// <summary>
/// The statements of the claims. The clock is the server's, always; a host counts as alive while its row hasn't expired. $1 is this host in all of them.
/// </summary>
/// <remarks>
/// Rows are locked in the order of their ids, as the writer does. A token grows with each owner and ends in the owner's number: a standby that takes over
/// without the last few commits may give the next owner the same step, but never the same token.
/// </remarks>
internal static class ClaimSql
{
    private const string Alive = "SELECT 1 FROM host h WHERE h.expires_at > clock_timestamp() AND h.id = ";
    // How long the host that accepted a message has to take its conversation before others do, in ms.
    private const string AcceptorsTime = "1000";
    private const string Others = "{0} <> $1 AND EXISTS (" + Alive + "{0})";

    public const string Register =
        "INSERT INTO host(name, expires_at) VALUES($1, clock_timestamp() + make_interval(secs => $2)) RETURNING id";

    /// <summary>Renews what hasn't expired. What has expired stays so: others may have taken over already.</summary>
    public const string Renew =
        "UPDATE host SET expires_at = clock_timestamp() + make_interval(secs => $2) WHERE id = $1 AND expires_at > clock_timestamp() RETURNING id";

    public const string ListHosts = "SELECT id, name FROM host WHERE expires_at > clock_timestamp() ORDER BY id";

    /// <summary>Rows long dead; $1 is the former self.</summary>
    public const string Bury = "DELETE FROM host WHERE id = $1 OR expires_at < clock_timestamp() - interval '10 minutes'";

    /// <summary>Takes the lanes $2 that nobody alive has. Those whose row is locked now are left out.</summary>
    public static readonly string Take = TakeWhere("");

    /// <summary>
    /// Takes those of the lanes $2 that somebody has left, and those that nobody has taken for a while, $3 being now (Unix ms): what has just come in belongs
    /// to the host that accepted it, which asks for it by <see cref="Take"/>. Otherwise hosts take each other's conversations, and each message costs two of them.
    /// </summary>
    public static readonly string TakeLeft = TakeWhere(
        $"""
         AND (l.host <> 0 OR coalesce((
                SELECT i.accepted_at FROM inbox i WHERE i.state = 0 AND i.lane = l.id ORDER BY i.ordinal LIMIT 1), 0) NOT BETWEEN $3 - {AcceptorsTime} AND $3 + {AcceptorsTime})
        """);

    /// <summary>Which of the lanes $2 others have.</summary>
    public static readonly string Refused = $"SELECT l.id FROM lane l WHERE l.id = ANY($2) AND {Of(Others, "l.host")}";

    /// <summary>Tells the owners of the lanes $2 that there is work; $3 is the prefix of host channels.</summary>
    public static readonly string TellOwners =
        $"""
        SELECT pg_notify($3 || l.host, 't' || string_agg(l.id::text, ',')) FROM lane l
        WHERE l.id = ANY($2) AND {Of(Others, "l.host")} GROUP BY l.host
        """;

    /// <summary>Gives the lanes $2 with the claims $3 back.</summary>
    public const string Release =
        """
        WITH mine AS MATERIALIZED (
            SELECT l.id FROM lane l JOIN unnest($2::bigint[], $3::bigint[]) n(id, claim) ON n.id = l.id AND n.claim = l.claim
            WHERE l.host = $1 ORDER BY l.id FOR NO KEY UPDATE OF l)
        UPDATE lane l SET host = 0 FROM mine WHERE l.id = mine.id
        """;

    private const string LaneColumns = "l.id, a.channel, a.account, l.session_key";

    /// <summary>Of the lanes $1, those with work, with the last number. After a release: an append that came before it is seen, one after it finds the lane free.</summary>
    public const string StillPending =
        $"""
        SELECT {LaneColumns}, l.last_in FROM lane l JOIN account a ON a.id = l.account
        WHERE l.id = ANY($1) AND EXISTS (SELECT 1 FROM inbox i WHERE i.state = 0 AND i.lane = l.id)
        """;

    public const string ReadInNumbers = $"SELECT {LaneColumns}, l.last_in FROM lane l JOIN account a ON a.id = l.account WHERE l.id = ANY($1)";

    public const string ReadOutNumbers = $"SELECT {LaneColumns}, l.last_out FROM lane l JOIN account a ON a.id = l.account WHERE l.id = ANY($1)";

    /// <summary>Tells those who push the accounts of the lanes $2; $3 is the prefix of host channels.</summary>
    public static readonly string TellPushers =
        $"""
        SELECT pg_notify($3 || a.push_host, 'o' || string_agg(l.id::text, ',')) FROM lane l JOIN account a ON a.id = l.account
        WHERE l.id = ANY($2) AND a.push_host <> 0 AND {Of(Others, "a.push_host")} GROUP BY a.push_host
        """;

    public const string MakeAccounts =
        """
        INSERT INTO account(channel, account) SELECT n.channel, n.account FROM unnest($1::text[], $2::text[]) n(channel, account)
        WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.channel = n.channel AND a.account = n.account) ORDER BY 1, 2 ON CONFLICT DO NOTHING
        """;

    /// <summary>
    /// Takes the pushes of accounts ($2 channel, $3 account, $4 rank, $5 holder) that nobody alive has, or somebody with a lower rank and the same holder;
    /// who had them is told through $6, the prefix of host channels.
    /// </summary>
    public static readonly string TakePushes =
        $"""
        WITH free AS MATERIALIZED (
            SELECT a.id, a.push_host AS was, n.rank, n.holder
            FROM account a JOIN unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) n(channel, account, rank, holder)
                ON n.channel = a.channel AND n.account = a.account
            WHERE (NOT ({Of(Others, "a.push_host")})
                OR (a.push_rank < n.rank AND (n.holder IS NULL OR a.push_holder IS NULL OR n.holder = a.push_holder)))
                AND EXISTS ({Alive}$1)
            ORDER BY a.id FOR NO KEY UPDATE OF a),
        taken AS (
            UPDATE account a SET push_host = $1, push_claim = {Next("a.push_claim")}, push_rank = free.rank, push_holder = free.holder
            FROM free WHERE a.id = free.id RETURNING a.channel, a.account, a.push_claim, free.was)
        SELECT channel, account, push_claim, CASE WHEN was NOT IN (0, $1) THEN pg_notify($6 || was, 'l')::text END FROM taken
        """;

    /// <summary>Gives the pushes of accounts ($2 channel, $3 account, $4 claim) back.</summary>
    public const string ReleasePushes =
        """
        WITH mine AS MATERIALIZED (
            SELECT a.id FROM account a JOIN unnest($2::text[], $3::text[], $4::bigint[]) n(channel, account, claim)
                ON n.channel = a.channel AND n.account = a.account AND n.claim = a.push_claim
            WHERE a.push_host = $1 ORDER BY a.id FOR NO KEY UPDATE OF a)
        UPDATE account a SET push_host = 0, push_holder = NULL FROM mine WHERE a.id = mine.id
        """;

    public const string OwnPushes = "SELECT channel, account, push_claim FROM account WHERE push_host = $1 AND push_host <> 0";

    public const string PendingPushes =
        """
        SELECT a.channel, a.account FROM account a
        WHERE a.push_host = $1 AND a.push_host <> 0 AND EXISTS (SELECT 1 FROM outbox o WHERE NOT o.settled AND o.account = a.id)
        """;

    public const string Notify = "SELECT pg_notify($1, $2)";

    /// <summary>The end: lanes $2 and all pushes are free, the host is gone.</summary>
    public const string ReleaseLanes = "UPDATE lane SET host = 0 WHERE host = $1 AND id = ANY($2)";

    public const string ReleaseAllPushes = "UPDATE account SET push_host = 0, push_holder = NULL WHERE push_host = $1 AND push_host <> 0";

    public const string Unregister = "DELETE FROM host WHERE id = $1";

    private static string TakeWhere(string condition) =>
        $"""
        WITH free AS MATERIALIZED (
            SELECT l.id FROM lane l WHERE l.id = ANY($2) AND NOT ({Of(Others, "l.host")}) AND EXISTS ({Alive}$1){condition} ORDER BY l.id FOR NO KEY UPDATE OF l SKIP LOCKED)
        UPDATE lane l SET host = $1, claim = {Next("l.claim")} FROM free WHERE l.id = free.id RETURNING l.id, l.claim
        """;

    private static string Next(string claim) => $"((({claim} >> 20) + 1) << 20) | ($1 & 1048575)";

    private static string Of(string condition, string column) => condition.Replace("{0}", column, StringComparison.Ordinal);
}
