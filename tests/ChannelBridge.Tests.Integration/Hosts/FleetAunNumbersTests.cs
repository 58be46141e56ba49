using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Tests.Aun.Endpoint;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>
/// The numbers of AUN's logs, against a model: two hosts on one PostgreSQL take messages for the same receivers, one of them is killed when some number of messages has been
/// answered, and whoever lost it sends again at the other one. Whatever the course, a log is 1, 2, 3 … and each message has one number for ever.
/// </summary>
public sealed class FleetAunNumbersTests
{
    private const int Senders = 4;
    private const int Each = 24;
    private const int Page = 50;

    private readonly Random _random = new(Fleet.Seed);
    private readonly List<TestAgent> _receivers = [];
    private readonly Dictionary<string, Log> _logs = [];
    private readonly Channel<bool> _answers = Channel.CreateUnbounded<bool>();
    private Fleet _fleet = null!;

    [ServerFact]
    public async Task Numbers_HaveNoHole_AndAMessageHasOne_WhicheverHostIsKilledAndWhen()
    {
        await using var fleet = _fleet = await Fleet.StartAsync(2, settings: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__CHANNELS__AUN__ISSUERS"] = "agentid.pub",
            ["CHANNELBRIDGE__CHANNELS__AUN__CHALLENGEDELAY"] = "0ms",
            ["CHANNELBRIDGE__CHANNELS__AUN__PKIFOLDER"] = Path.Combine(Scratch.NewFolder("aunpki"), "pki"),
        });
        foreach (var name in new[] { "bobby", "carol", "david" }) _receivers.Add(await MakeAsync(name));
        foreach (var receiver in _receivers) _logs[receiver.Aid] = new Log();
        var senders = new List<TestAgent>();
        for (var i = 0; i < Senders; i++) senders.Add(await MakeAsync($"sender{i}"));

        var sent = new List<(TestAgent By, string Id, string To)>();
        for (var round = 0; round < Fleet.Rounds(2); round++)
        {
            var seed = $"seed {Fleet.Seed}, round {round}";
            foreach (var down in Enumerable.Range(0, 2).Where(host => !fleet.Runs(host))) await fleet.StartHostAsync(down);
            var plans = senders.Select((sender, index) => Plan(sender, $"{round}-{index}", sent)).ToList();
            var (killed, after) = (_random.Next(2), _random.Next(1, plans.Sum(static plan => plan.Count)));
            var firsts = plans.Select(_ => _random.Next(2)).ToList();
            var all = Task.WhenAll(senders.Select((sender, index) => Task.Run(() => SendAsync(sender, plans[index], firsts[index], seed))));
            for (var answered = 0; answered < after; answered++)
            {
                var next = _answers.Reader.ReadAsync().AsTask();
                await Task.WhenAny(next, all).WaitAsync(Wait.Limit);
                if (!next.IsCompleted) await all;
            }

            await fleet.KillAsync(killed);
            await all.WaitAsync(Wait.Limit);
            while (_answers.Reader.TryRead(out _))
            {
                // Those of this round.
            }

            await CheckAsync(1 - killed, sent, seed);
        }

        // A host that was killed sees the same when it is back.
        foreach (var down in Enumerable.Range(0, 2).Where(host => !fleet.Runs(host)))
        {
            await fleet.StartHostAsync(down);
            await CheckAsync(down, sent, "the last host");
        }
    }

    /// <summary>What somebody is to send: new messages, and now and then one of an earlier round, as by who never saw its answer.</summary>
    private Dictionary<string, string> Plan(TestAgent sender, string name, List<(TestAgent By, string Id, string To)> sent)
    {
        var before = sent.Where(one => one.By == sender).ToList();
        var plan = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < Each; i++)
        {
            if (before.Count > 0 && _random.Next(4) == 0)
            {
                var (_, old, where) = before[_random.Next(before.Count)];
                plan[old] = where;
                continue;
            }

            var to = _receivers[_random.Next(_receivers.Count)].Aid;
            plan[$"{name}-{i}"] = to;
            sent.Add((sender, $"{name}-{i}", to));
        }

        return plan;
    }

    private async Task<TestAgent> MakeAsync(string name)
    {
        var agent = new TestAgent(GatewayOf(_random.Next(2)), $"{name}.agentid.pub");
        await agent.CreateAsync();
        await agent.LoginAsync();
        return agent;
    }

    private Uri GatewayOf(int host) => new UriBuilder(_fleet.Host(host).Url) { Scheme = "ws", Path = "/aun" }.Uri;

    /// <summary>Sends until everything is answered, at the other host when one is gone; what wasn't answered under the same id.</summary>
    private async Task SendAsync(TestAgent agent, Dictionary<string, string> open, int host, string seed)
    {
        for (; open.Count > 0; host = 1 - host)
        {
            try
            {
                agent.Move(GatewayOf(host));
                await using var line = await agent.ConnectAsync("writes", kind: "short");
                var calls = new List<(string Id, string To, Task<JsonObject> Answer)>();
                foreach (var (id, to) in open) calls.Add((id, to, await line.BeginAsync("message.send", TestAgent.Text(to, id, id))));
                foreach (var (id, to, answer) in calls)
                {
                    var given = await answer;
                    _logs[to].Note(id, (long)given["seq"]!, seed);
                    open.Remove(id);
                    _answers.Writer.TryWrite(true);
                }
            }
            catch (Exception fault) when (fault is IOException or WebSocketException or ChannelClosedException or ObjectDisposedException or InvalidOperationException)
            {
                // It was killed, or is not there.
            }
        }
    }

    private async Task CheckAsync(int host, IEnumerable<(TestAgent By, string Id, string To)> sent, string seed)
    {
        foreach (var receiver in _receivers)
        {
            receiver.Move(GatewayOf(host));
            await using var line = await receiver.ConnectAsync("reads", kind: "short");
            var got = new List<(long Number, string Id)>();
            while (true)
            {
                var pulled = await line.CallAsync("message.pull", new JsonObject { ["after_seq"] = got.Count, ["limit"] = Page });
                got.AddRange(pulled["messages"]!.AsArray().Select(static one => ((long)one!["seq"]!, (string)one["message_id"]!)));
                if ((int)pulled["count"]! < Page) break;
            }

            Assert.True(Enumerable.Range(1, got.Count).Select(static number => (long)number).SequenceEqual(got.Select(static one => one.Number)),
                $"{seed}: {receiver.Aid} has {string.Join(' ', got.Select(static one => one.Number))}");
            var owed = sent.Where(one => one.To == receiver.Aid).Select(static one => one.Id);
            Assert.Equal(owed.Order(StringComparer.Ordinal), got.Select(static one => one.Id).Order(StringComparer.Ordinal));
            foreach (var (number, id) in got) _logs[receiver.Aid].Note(id, number, seed);
        }
    }

    /// <summary>What was ever said about a log: a message has one number, and a number one message.</summary>
    private sealed class Log
    {
        private readonly Dictionary<string, long> _numbers = new(StringComparer.Ordinal);
        private readonly Dictionary<long, string> _ids = [];

        public void Note(string id, long number, string seed)
        {
            lock (_numbers)
            {
                if (!_numbers.TryAdd(id, number)) Assert.True(_numbers[id] == number, $"{seed}: {id} was {_numbers[id]} and is {number}");
                if (!_ids.TryAdd(number, id)) Assert.True(_ids[number] == id, $"{seed}: {number} was {_ids[number]} and is {id}");
            }
        }
    }
}
