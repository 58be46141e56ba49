using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Postgres.Claims;

/// <summary>
/// The claims of a host among several on one database. The host has a row that it renews; lanes and accounts name their owner and count his claims. A host
/// whose row has expired owns nothing: whoever needs a lane takes it, and the token that grows with it turns the former owner's writes away.
/// </summary>
/// <remarks>
/// Three loops, none of which waits for another: the renewal, the work (takes, releases, notifications, in batches), and the ear for notifications. What
/// a notification doesn't bring, because a line was cut, the regular look brings.
/// </remarks>
internal sealed partial class PostgresClaims : ILaneClaims, IAsyncDisposable
{
    private const int Batch = 256;
    private const int StartAttempts = 3;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Shun = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PushLook = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan CountPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    private readonly PostgresStore _store;
    private readonly PostgresStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<PostgresClaims> _logger;
    private readonly OutageLog _renewals;
    private readonly OutageLog _work;
    private readonly OutageLog _ear;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _signal = new(0);
    private readonly SemaphoreSlim _taking = new(1);
    private readonly ConcurrentDictionary<long, PendingLane> _wants = new();
    private readonly ConcurrentDictionary<long, long> _shunned = new();
    private readonly ConcurrentQueue<(PendingLane Lane, long Claim)> _passing = new();
    private readonly ConcurrentDictionary<long, byte> _tells = new();
    // What doesn't fit while the database is away, the other hosts find by their look into the records.
    private readonly Channel<Guid> _urgent = Channel.CreateBounded<Guid>(new BoundedChannelOptions(4096) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly ConcurrentDictionary<long, byte> _turnNews = new();
    private readonly ConcurrentDictionary<long, byte> _pushNews = new();
    private readonly Dictionary<(string Channel, string Account), PushWish> _pushes = [];
    private ConcurrentDictionary<long, HeldLane> _held = new();
    private IClaimObserver _observer = null!;
    private ClaimCommands _commands = null!;
    private ClaimCommands _ownRow = null!;
    private IReadOnlyList<(long Id, string Name)> _hosts = [];
    private volatile HostLease? _lease;
    private volatile bool _lookAtPushes;
    private volatile bool _checkPushes;
    private Task _running = Task.CompletedTask;
    private int _signalled;
    private bool _started;

    public PostgresClaims(PostgresStore store, PostgresStoreOptions options, ILogger<PostgresClaims> logger, TimeProvider time)
    {
        _store = store;
        _options = options;
        _logger = logger;
        _time = time;
        _renewals = new OutageLog(time);
        _work = new OutageLog(time);
        _ear = new OutageLog(time);
    }

    public bool IsShared => true;

    public string? Fault
    {
        get
        {
            if (!IsValid(_lease))
                return "this host has lost touch with the database, so that other hosts have its conversations now; it goes on by itself when the database answers";
            if (_work.Lasting > _options.ClaimTime) return "this host can't take up conversations, though the database answers it; its log says why";
            return _ear.Lasting > _options.ClaimTime
                ? "this host gets no connection on which to hear of messages that other hosts accept, so that it answers them late"
                : null;
        }
    }

    public async Task StartAsync(IClaimObserver observer, CancellationToken cancellationToken)
    {
        _observer = observer;
        _commands = new ClaimCommands(_store.Connections.Claims, _store.StoreId, _options.ClaimTime / 2, _stop.Token);
        _ownRow = new ClaimCommands(_store.Connections.Renewal, _store.StoreId, _options.ClaimTime / 2, _stop.Token);
        // The start may take as long as any statement, and a few tries: nobody waits for this host's claims yet.
        var patient = new ClaimCommands(_store.Connections.Renewal, _store.StoreId, _options.CommandTimeout, _stop.Token);
        for (var attempt = 1; _lease is null; attempt++)
        {
            try
            {
                await RegisterAsync(patient).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
            {
                if (attempt == StartAttempts) throw PostgresErrors.Map(fault);
            }
        }

        _started = true;
        _running = Task.WhenAll(Task.Run(RenewAsync, CancellationToken.None), Task.Run(WorkAsync, CancellationToken.None),
            Task.Run(ListenAsync, CancellationToken.None), Task.Run(CountAsync, CancellationToken.None));
    }

    public async Task StopAsync()
    {
        if (!_started) return;
        _started = false;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        if (_lease is not { } lease) return;
        _lease = null;
        try
        {
            // Its own limit: the loops' token is cancelled.
            using var last = new CancellationTokenSource(StopLimit);
            await new ClaimCommands(_store.Connections.Claims, _store.StoreId, StopLimit, last.Token).LeaveAsync(lease.Host, [.. _held.Keys]).ConfigureAwait(false);
            LogLeft(lease.Host);
        }
        catch (Exception fault)
        {
            LogNotLeft(fault, _options.ClaimTime.TotalSeconds);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _stop.Dispose();
        _signal.Dispose();
        _taking.Dispose();
    }

    public long Enter(long lane)
    {
        if (!IsValid(_lease) || !_held.TryGetValue(lane, out var held)) return 0;
        lock (held)
        {
            if (held.Gone) return 0;
            held.Busy = true;
            return held.Claim;
        }
    }

    public bool IsCurrent(long lane, long claim) => IsValid(_lease) && _held.TryGetValue(lane, out var held) && held.Claim == claim;

    public void Leave(long lane, long claim)
    {
        if (!_held.TryGetValue(lane, out var held) || held.Claim != claim) return;
        lock (held)
        {
            held.Busy = false;
            held.IdleSince = _time.GetTimestamp();
        }
    }

    public void Lost(long lane, long claim)
    {
        if (_held.TryGetValue(lane, out var held) && held.Claim == claim) _held.TryRemove(KeyValuePair.Create(lane, held));
    }

    public void PassOn(PendingLane lane, long claim)
    {
        Lost(lane.Id, claim);
        _shunned[lane.Id] = _time.GetTimestamp();
        _passing.Enqueue((lane, claim));
        Signal();
    }

    public void Want(PendingLane lane)
    {
        // Without a registration nothing can be taken; after the next one everything is looked at anyway.
        if (!IsValid(_lease)) return;
        _wants.AddOrUpdate(lane.Id, lane, (_, known) => known.Known >= lane.Known ? known : lane);
        Signal();
    }

    public async ValueTask<IReadOnlyList<PendingLane>> TakeAsync(IReadOnlyList<PendingLane> lanes, CancellationToken cancellationToken)
    {
        try
        {
            var (taken, _) = await TakeCoreAsync(lanes, accepted: false).WaitAsync(cancellationToken).ConfigureAwait(false);
            return taken;
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.Map(fault);
        }
    }

    public void TellPusher(long lane)
    {
        _tells[lane] = 0;
        Signal();
    }

    public void TellUrgent(Guid turn)
    {
        _urgent.Writer.TryWrite(turn);
        Signal();
    }

    public void WantPushes(string channel, string account, long rank, string? holder)
    {
        long claim = 0;
        lock (_pushes)
        {
            if (!_pushes.TryGetValue((channel, account), out var wish)) _pushes[(channel, account)] = wish = new PushWish { Dirty = true };
            var same = wish.Wanted && wish.Rank == rank && wish.Holder == holder;
            (wish.Wanted, wish.Rank, wish.Holder) = (true, rank, holder);
            if (!same) wish.Dirty = true;
            if (!wish.Dirty && IsValid(_lease)) claim = wish.Claim;
        }

        if (claim != 0) _observer.OnPushesTaken(channel, account, claim);
        else Signal();
    }

    public void DropPushes(string channel, string account)
    {
        lock (_pushes)
        {
            if (!_pushes.TryGetValue((channel, account), out var wish)) return;
            (wish.Wanted, wish.Dirty) = (false, true);
        }

        Signal();
    }

    public JsonObject Describe()
    {
        var lease = _lease;
        int pushed, waiting;
        lock (_pushes) (pushed, waiting) = (_pushes.Values.Count(wish => wish.Claim != 0), _pushes.Values.Count(wish => wish.Refused));
        return new JsonObject
        {
            ["shared"] = true,
            ["host"] = lease?.Host,
            ["valid"] = IsValid(lease),
            ["validForMs"] = lease is null ? 0 : Math.Max(0, (long)_time.GetElapsedTime(_time.GetTimestamp(), lease.ValidUntil).TotalMilliseconds),
            ["claimTimeMs"] = (long)_options.ClaimTime.TotalMilliseconds,
            ["listening"] = Volatile.Read(ref _listening),
            ["lanes"] = _held.Count,
            ["lanesWanted"] = _wants.Count,
            ["accountsPushed"] = pushed,
            ["accountsPushedElsewhere"] = waiting,
            ["hosts"] = new JsonArray([.. _hosts.Select(host => new JsonObject { ["id"] = host.Id, ["name"] = host.Name })]),
        };
    }

    private bool IsValid(HostLease? lease) => lease is not null && _time.GetTimestamp() < lease.ValidUntil;

    private void Signal()
    {
        if (Interlocked.Exchange(ref _signalled, 1) == 0) _signal.Release();
    }

    [LoggerMessage(LogEvents.PostgresClaimsRegistered, LogLevel.Information, "This host is number {Host} among those that share the database")]
    private partial void LogRegistered(long host);

    [LoggerMessage(LogEvents.PostgresClaimsLost, LogLevel.Warning,
        "Host number {Host} has lost its claims: it couldn't renew them in time. Other hosts go on with its conversations; it registers anew")]
    private partial void LogLost(long host);

    [LoggerMessage(LogEvents.PostgresClaimsNotRenewed, LogLevel.Warning, "The claims can't be renewed; trying again")]
    private partial void LogNotRenewed(Exception fault);

    [LoggerMessage(LogEvents.PostgresClaimsLeft, LogLevel.Information, "Host number {Host} has given its claims back")]
    private partial void LogLeft(long host);

    [LoggerMessage(LogEvents.PostgresClaimsNotLeft, LogLevel.Warning, "The claims couldn't be given back; other hosts get them after {Seconds} s")]
    private partial void LogNotLeft(Exception fault, double seconds);

    [LoggerMessage(LogEvents.PostgresClaimsWorkFailed, LogLevel.Warning, "Claims can't be taken or given back now; trying again")]
    private partial void LogWorkFailed(Exception fault);

    [LoggerMessage(LogEvents.PostgresClaimsDeaf, LogLevel.Warning, "Notifications of other hosts don't come now; looking now and then meanwhile")]
    private partial void LogDeaf(Exception fault);

    [LoggerMessage(LogEvents.PostgresClaimsGone, LogLevel.Information, "Host number {Host} is gone; its conversations are free")]
    private partial void LogGone(long host);

    [LoggerMessage(LogEvents.PostgresClaimsNotCounted, LogLevel.Debug, "The store can't be counted now")]
    private partial void LogNotCounted(Exception fault);
}
