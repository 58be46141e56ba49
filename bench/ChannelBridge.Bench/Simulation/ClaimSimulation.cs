using System.Diagnostics;
using System.Globalization;

namespace ChannelBridge.Bench.Simulation;

/// <summary>
/// A million conversations on many hosts that die, hang and are cut off, over a model of the claims: the conditions of the real statements, the real
/// times and batch sizes, a clock that jumps from event to event, one seed. What it measures is what the claims do; how long a statement takes is assumed.
/// </summary>
internal sealed class ClaimSimulation(ClaimSimulation.Settings settings)
{
    private const int Batch = 256;
    private const int TakeAtOnce = 128;
    private const int Page = 512;
    private const double ClaimTime = 10;
    private const double Linger = 10;
    private const double Tick = 1;
    private const double Statement = 0.002;
    private const double Notification = 0.001;
    private const double LostNotifications = 0.001;

    private readonly Random _random = new(settings.Seed);
    private readonly SimulatedDatabase _database = new(settings.Lanes);
    private readonly PriorityQueue<Action, (double Time, long Order)> _events = new();
    private readonly List<SimulatedHost> _hosts = [];
    private readonly SortedSet<int> _pending = [];
    private readonly Dictionary<(int Lane, int Number), (double At, bool Alone)> _accepted = [];
    private readonly List<double> _waits = [];
    private double _now;
    private long _order;
    private long _statements;
    private long _messages;
    private long _turns;
    private long _notifications;
    private int _faults;

    /// <summary>What is simulated.</summary>
    public sealed record Settings(int Lanes = 1_000_000, int Hosts = 32, double Rate = 4000, double Seconds = 300, double TurnSeconds = 1.5,
        double FaultEvery = 7, double Sticky = 0, int Seed = 1);

    public IReadOnlyList<string[]> Run()
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < settings.Hosts; i++)
        {
            var host = new SimulatedHost(i);
            _hosts.Add(host);
            Start(host);
        }

        At(0, Arrive);
        At(settings.FaultEvery, Fault);
        while (_events.TryDequeue(out var action, out var when))
        {
            _now = when.Time;
            // After the last message everything must drain; then the hosts' own ticks would go on for ever.
            if (_now > settings.Seconds && _accepted.Count == 0) break;
            if (_now > settings.Seconds + 600) break;
            action();
        }

        return Report(clock.Elapsed);
    }

    private List<string[]> Report(TimeSpan elapsed)
    {
        _waits.Sort();
        var claims = _database.Taken + _database.Released;
        return
        [
            ["lanes, hosts, messages", $"{settings.Lanes:N0}, {settings.Hosts}, {_messages:N0} in {settings.Seconds:N0} s"],
            ["hosts killed, hung or cut off", $"{_faults}"],
            ["messages without an answer at the end", $"{_accepted.Count:N0}"],
            ["turns out of order, or done twice", $"{_database.Violations:N0}"],
            ["turns run again after a fault; of them turned away by their token", $"{_turns - _messages + _accepted.Count:N0}; {_database.TurnedAway:N0}"],
            ["wait for the turn of a message with none before it: median, p99, longest", $"{Ms(_waits, 0.5)}, {Ms(_waits, 0.99)}, {Ms(_waits, 1)}"],
            ["claims taken or given back, for each message", (claims / (double)_messages).ToString("0.00", CultureInfo.InvariantCulture)],
            ["statements of the claims, for each message; each second",
                $"{(_statements / (double)_messages).ToString("0.000", CultureInfo.InvariantCulture)}; {_statements / Math.Max(1, _now):N0}"],
            ["notifications, for each message", (_notifications / (double)_messages).ToString("0.00", CultureInfo.InvariantCulture)],
            ["time it took", $"{elapsed.TotalSeconds:0.0} s"],
        ];
    }

    private static string Ms(List<double> sorted, double share) => sorted.Count == 0 ? "–" : $"{sorted[(int)((sorted.Count - 1) * share)] * 1000:N0} ms";

    private void At(double time, Action action) => _events.Enqueue(action, (time, _order++));

    /// <summary>As <see cref="At"/>, for what a host does: not while it hangs, and not in another life.</summary>
    private void On(SimulatedHost host, double time, Action action)
    {
        var life = host.Life;
        At(time, () =>
        {
            if (host.Life != life || !host.Running) return;
            if (host.HungUntil > _now) On(host, host.HungUntil, action);
            else action();
        });
    }

    private void Start(SimulatedHost host)
    {
        host.Life++;
        host.Running = true;
        host.HungUntil = 0;
        Register(host);
        On(host, _now + (ClaimTime / 4), () => Renew(host));
        On(host, _now + (Tick * _random.NextDouble()), () => Look(host));
    }

    private void Register(SimulatedHost host)
    {
        host.Forget();
        host.Number = _database.Register(_now, ClaimTime);
        host.ValidUntil = _now + ClaimTime;
        host.Known = _database.Alive(_now);
        _statements++;
        On(host, _now + Statement, () => LookAtAll(host));
    }

    private void Renew(SimulatedHost host)
    {
        _statements += 2;
        if (host.ValidUntil <= _now || !_database.Renew(host.Number, _now, ClaimTime))
        {
            _database.Leave(host.Number);
            Register(host);
        }
        else
        {
            host.ValidUntil = _now + ClaimTime;
            var alive = _database.Alive(_now);
            if (!host.Known.IsSubsetOf(alive)) LookAtAll(host);
            host.Known = alive;
        }

        On(host, _now + (ClaimTime / 4), () => Renew(host));
    }

    private void Arrive()
    {
        // Half of the traffic is in a hundredth of the conversations.
        var lane = _random.Next(2) == 0 ? _random.Next(settings.Lanes) : _random.Next(Math.Max(1, settings.Lanes / 100));
        // Through any host, or through the one that its bridge is usually connected to.
        var host = _hosts[_random.NextDouble() < settings.Sticky ? lane % _hosts.Count : _random.Next(_hosts.Count)];
        if (host.Running && host.HungUntil <= _now)
        {
            // Only what has nothing before it waits for a claim; others wait for the turns before theirs.
            var alone = !_database.HasWork(lane);
            var number = ++_database.LastIn[lane];
            _messages++;
            _pending.Add(lane);
            _accepted[(lane, number)] = (_now, alone);
            Offer(host, lane);
        }

        if (_now < settings.Seconds) At(_now - (Math.Log(1 - _random.NextDouble()) / settings.Rate), Arrive);
    }

    private void Offer(SimulatedHost host, int lane)
    {
        if (host.ValidUntil <= _now) return;
        if (host.Lanes.TryGetValue(lane, out var held)) RunNext(host, lane, held);
        else Want(host, lane);
    }

    private void Want(SimulatedHost host, int lane)
    {
        host.Wanted.Add(lane);
        if (host.DeskScheduled) return;
        host.DeskScheduled = true;
        On(host, _now + Statement, () => Desk(host));
    }

    /// <summary>The real host's round of work: takes what it wants, tells the owners of what it can't have.</summary>
    private void Desk(SimulatedHost host)
    {
        host.DeskScheduled = false;
        if (host.ValidUntil <= _now)
        {
            host.Wanted.Clear();
            return;
        }

        var lanes = host.Wanted.Take(Batch).ToList();
        if (lanes.Count == 0) return;
        _statements++;
        var told = new Dictionary<int, List<int>>();
        foreach (var lane in lanes)
        {
            host.Wanted.Remove(lane);
            if (host.Lanes.ContainsKey(lane) || TryTake(host, lane)) continue;
            var owner = _database.OwnerOf(lane);
            if (!told.TryGetValue(owner, out var list)) told[owner] = list = [];
            list.Add(lane);
        }

        if (told.Count > 0) _statements += 2;
        foreach (var (number, list) in told)
        {
            _notifications++;
            if (_random.NextDouble() < LostNotifications) continue;
            var owner = _hosts.Find(candidate => candidate.Number == number);
            if (owner is not null) On(owner, _now + Notification, () => Hear(owner, list));
        }

        if (host.Wanted.Count > 0)
        {
            host.DeskScheduled = true;
            On(host, _now + Statement, () => Desk(host));
        }
    }

    private void Hear(SimulatedHost host, List<int> lanes)
    {
        _statements++;
        foreach (var lane in lanes) Offer(host, lane);
    }

    private bool TryTake(SimulatedHost host, int lane)
    {
        var claim = _database.Take(host.Number, lane, _now);
        if (claim == 0) return false;
        host.Lanes[lane] = new SimulatedHost.Held(claim) { IdleSince = _now };
        RunNext(host, lane, host.Lanes[lane]);
        return true;
    }

    private void RunNext(SimulatedHost host, int lane, SimulatedHost.Held held)
    {
        if (held.Busy) return;
        var number = _database.Done[lane] + 1;
        if (number > _database.LastIn[lane])
        {
            held.IdleSince = _now;
            On(host, _now + Linger, () => GiveBack(host, lane, held));
            return;
        }

        held.Busy = true;
        _turns++;
        if (_accepted.TryGetValue((lane, number), out var message) && message.Alone)
        {
            _waits.Add(_now - message.At);
            // Run again after a fault, it isn't a wait for its first turn any more.
            _accepted[(lane, number)] = (message.At, false);
        }

        var turn = -Math.Log(1 - _random.NextDouble()) * settings.TurnSeconds;
        On(host, _now + turn, () => Finish(host, lane, number, held));
    }

    private void Finish(SimulatedHost host, int lane, int number, SimulatedHost.Held held)
    {
        held.Busy = false;
        if (!_database.Finish(lane, number, held.Claim))
        {
            if (host.Lanes.TryGetValue(lane, out var now) && ReferenceEquals(now, held)) host.Lanes.Remove(lane);
            return;
        }

        _accepted.Remove((lane, number));
        if (!_database.HasWork(lane)) _pending.Remove(lane);
        if (host.Lanes.TryGetValue(lane, out var still) && ReferenceEquals(still, held) && host.ValidUntil > _now) RunNext(host, lane, held);
    }

    private void GiveBack(SimulatedHost host, int lane, SimulatedHost.Held held)
    {
        if (held.Busy || _now - held.IdleSince < Linger - 0.001 || !host.Lanes.TryGetValue(lane, out var now) || !ReferenceEquals(now, held)) return;
        host.Lanes.Remove(lane);
        _database.Release(host.Number, lane, held.Claim);
        // What came just before the release is seen after it.
        if (_database.HasWork(lane)) Want(host, lane);
    }

    private void Look(SimulatedHost host)
    {
        // Gives back in batches, once a tick.
        _statements += 3;
        LookAtPage(host, host.LookedUpTo, out var last);
        host.LookedUpTo = last;
        On(host, _now + Tick, () => Look(host));
    }

    private void LookAtAll(SimulatedHost host)
    {
        var from = 0;
        do LookAtPage(host, from, out from);
        while (from > 0);
    }

    private void LookAtPage(SimulatedHost host, int from, out int last)
    {
        last = 0;
        if (host.ValidUntil <= _now) return;
        var page = _pending.GetViewBetween(from, int.MaxValue).Take(Page).ToList();
        _statements += 1 + ((page.Count + TakeAtOnce - 1) / TakeAtOnce);
        foreach (var lane in page)
        {
            if (host.Lanes.TryGetValue(lane, out var held)) RunNext(host, lane, held);
            else TryTake(host, lane);
        }

        if (page.Count == Page) last = page[^1] + 1;
    }

    /// <summary>A host dies and is started again, or hangs: shorter than a claim, longer, much longer.</summary>
    private void Fault()
    {
        if (_now > settings.Seconds) return;
        var host = _hosts[_random.Next(_hosts.Count)];
        if (host.Running && host.HungUntil <= _now)
        {
            _faults++;
            if (_random.Next(2) == 0)
            {
                host.Running = false;
                host.Life++;
                host.Forget();
                At(_now + 5 + (_random.NextDouble() * 20), () => Start(host));
            }
            else
            {
                host.HungUntil = _now + (_random.NextDouble() * ClaimTime * 3);
            }
        }

        At(_now + (settings.FaultEvery * 2 * _random.NextDouble()), Fault);
    }
}
