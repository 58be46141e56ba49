using System.Text.Json.Nodes;

namespace ChannelBridge.Abstractions.Storage;

/// <summary>
/// What of a store that several hosts share belongs to this host: the turns of lanes, and the pushes of accounts. A claim is a fencing token that grows
/// with each owner; writes that carry an outdated one fail (<see cref="StoreWrite.Claim"/>), so a host that hung or was cut off does no harm when it is back.
/// </summary>
/// <remarks>
/// The calls that return at once only look into memory; what must be written is done behind them, in batches, and told to the <see cref="IClaimObserver"/>.
/// With one host nothing is ever asked: see <see cref="IsShared"/>.
/// </remarks>
public interface ILaneClaims
{
    /// <summary>False when this host is the only one: then every claim is 1 and always held.</summary>
    bool IsShared { get; }

    /// <summary>Why this host holds no claims now, in plain words without secrets; null when all is well.</summary>
    string? Fault { get; }

    /// <summary>Registers this host. Called once, after the store is open and before any turn.</summary>
    /// <param name="observer">Hears what changes; its methods must not block.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task StartAsync(IClaimObserver observer, CancellationToken cancellationToken);

    /// <summary>Gives every claim back, so that other hosts go on at once. Called after the last write.</summary>
    Task StopAsync();

    /// <summary>Takes up work on a lane: its claim, which stays until <see cref="Leave"/>; 0 when this host hasn't got it.</summary>
    long Enter(long lane);

    /// <summary>True while a claim got from <see cref="Enter"/> is still this host's, as far as is known here.</summary>
    bool IsCurrent(long lane, long claim);

    /// <summary>The lane came to rest. Its claim is given back after a while, unless work comes.</summary>
    void Leave(long lane, long claim);

    /// <summary>A write has shown that another host owns the lane now.</summary>
    void Lost(long lane, long claim);

    /// <summary>This host can't work on the lane, another one may (its agent is away here): the claim is given back and not asked for again for a while.</summary>
    void PassOn(PendingLane lane, long claim);

    /// <summary>
    /// Asks for the claim of a lane that has work. The answer is <see cref="IClaimObserver.OnTurnWork"/>, or <see cref="IClaimObserver.OnTurnsRefused"/>:
    /// then its owner has been told of the work.
    /// </summary>
    void Want(PendingLane lane);

    /// <summary>Takes the claims that are free; gives the lanes that are this host's now, those it had before among them.</summary>
    ValueTask<IReadOnlyList<PendingLane>> TakeAsync(IReadOnlyList<PendingLane> lanes, CancellationToken cancellationToken);

    /// <summary>A lane got a message, and its account isn't pushed to from here: whoever pushes is told.</summary>
    void TellPusher(long lane);

    /// <summary>
    /// A turn was cancelled, or its message passes its lane: every host is told, so that the one that has the lane hears of it. Best effort;
    /// <see cref="IClaimObserver.OnTurnUrgent"/>.
    /// </summary>
    void TellUrgent(Guid turn);

    /// <summary>
    /// Asks for the pushes of an account, for a client of this host. The highest rank of all hosts gets them: <see cref="IClaimObserver.OnPushesTaken"/>;
    /// the others hear <see cref="IClaimObserver.OnPushesLost"/> and get them when the better one has left.
    /// </summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="account">The account, lower case.</param>
    /// <param name="rank">The client's rank: a later primary has a higher one, on whatever host.</param>
    /// <param name="holder">Whose client it is; a client of another holder never displaces one that is connected. Null: unknown.</param>
    void WantPushes(string channel, string account, long rank, string? holder);

    /// <summary>The account's client is gone from this host.</summary>
    void DropPushes(string channel, string account);

    /// <summary>For diagnostics: hosts, claims; no secrets.</summary>
    JsonObject Describe();
}

/// <summary>Hears from <see cref="ILaneClaims"/> what changes. Called on its tasks; must not block or throw.</summary>
public interface IClaimObserver
{
    /// <summary>These lanes are this host's and have entries up to <see cref="PendingLane.Known"/>.</summary>
    void OnTurnWork(IReadOnlyList<PendingLane> lanes);

    /// <summary>These lanes belong to other hosts, which do what is to be done.</summary>
    void OnTurnsRefused(IReadOnlyList<PendingLane> lanes);

    /// <summary>These lanes, of accounts that are pushed to from here, have entries up to <see cref="PendingLane.Known"/>.</summary>
    void OnPushWork(IReadOnlyList<PendingLane> lanes);

    /// <summary>The account is pushed to from here, under this claim.</summary>
    void OnPushesTaken(string channel, string account, long claim);

    /// <summary>The account isn't pushed to from here (any more).</summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="account">The account, lower case.</param>
    /// <param name="displaced">True: another host has a newer client of it. False: this host has lost the database.</param>
    void OnPushesLost(string channel, string account, bool displaced);

    /// <summary>Some host has cancelled this turn (an inbox id), or accepted its message, which passes its lane.</summary>
    void OnTurnUrgent(Guid turn);

    /// <summary>Look into the store for lanes without an owner.</summary>
    /// <param name="everything">True: all of them, now. False: the next few.</param>
    void OnLook(bool everything);

    /// <summary>These accounts, pushed to from here, have unsettled messages: look whether all of them are known.</summary>
    void OnPushLook(IReadOnlyList<(string Channel, string Account)> accounts);

    /// <summary>What all hosts together have waiting.</summary>
    void OnCounts(IReadOnlyList<AccountCounts> counts);
}
