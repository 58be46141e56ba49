using System.Diagnostics;
using System.Globalization;

namespace ChannelBridge.Bench;

/// <summary>Rows about MultiClaws: what a session costs beside the A2A send that it makes, what waiting costs, and how soon who waits is told.</summary>
internal sealed partial class Suite
{
    private const int SessionsInFlight = 32;

    // Two hosts and a client that begin at once on the same cores take a while.
    private static readonly TimeSpan Warming = TimeSpan.FromSeconds(8);

    private static readonly string[] ManySessions =
    [
        "CHANNELBRIDGE__CHANNELS__MULTICLAWS__MAXSESSIONS=100000", "CHANNELBRIDGE__LIMITS__REQUESTSPERSECONDPERTOKEN=0", "CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE=0",
    ];

    private async Task MultiClawsAsync()
    {
        List<double> floorRate = [], rate = [], floorCpu = [], cpu = [], own = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"multiclaws, run {run + 1} of {_runs}");
            await using var remote = await Subject.HostAsync(environment: ManySends);
            var token = await remote.PeerTokenAsync("bench");
            using (var peer = new A2APeer(remote, "a2a", token))
            {
                await peer.SendAsync(SessionsInFlight, Warming);
                var before = remote.CpuSeconds();
                var clock = Stopwatch.StartNew();
                var sent = await peer.SendAsync(SessionsInFlight, _duration);
                floorRate.Add(sent.Count / clock.Elapsed.TotalSeconds);
                floorCpu.Add((remote.CpuSeconds() - before) / sent.Count * 1e6);
            }

            await using var host = await Subject.HostAsync(environment: ManySessions);
            await using var client = await BenchClient.ConnectAsync(host, bridge: false);
            await client.CallAsync("profile.set", """{"ownerName":"bench","bio":"measures"}""");
            var url = new UriBuilder(remote.Url) { Scheme = "http" }.Uri.AbsoluteUri;
            await client.CallAsync("agents.add", $$"""{"url":"{{url}}","apiKey":"{{token}}"}""");
            string Frame(long number) => $$$$"""{"type":"req","id":"r{{{{number}}}}","method":"task.delegate","params":{"agentUrl":"{{{{url}}}}","task":"{{{{Text}}}}"}}""";
            await client.LoadAsync(SessionsInFlight, Warming, Frame);
            var (hostBefore, remoteBefore) = (host.CpuSeconds(), remote.CpuSeconds());
            var watch = Stopwatch.StartNew();
            var (count, _) = await client.LoadAsync(SessionsInFlight, _duration, Frame);
            rate.Add(count / watch.Elapsed.TotalSeconds);
            own.Add((host.CpuSeconds() - hostBefore) / count * 1e6);
            cpu.Add((remote.CpuSeconds() - remoteBefore) / count * 1e6);
            var all = await client.CallAsync("diagnostics", "{}");
            var failed = (int?)all["multiclaws"]?["sessions"]?["failed"] ?? 0;
            if (failed > 0) throw new InvalidOperationException($"{failed} sessions have failed");
        }

        Add($"MultiClaws: sessions from their start to their end, {SessionsInFlight} at a time, beside the A2A sends alone", floorRate, rate,
            $"/s; {Median(own):0} µs of processor time for each at the host");
        Add("MultiClaws: processor time of the agent's host for each, µs (lower is better)", floorCpu, cpu, "");
        await WaitingSessionsAsync();
        await ToldAsync();
    }

    /// <summary>A thousand sessions whose agent is at work: memory of each, and processor time while nothing happens.</summary>
    private async Task WaitingSessionsAsync()
    {
        const int Many = 1000;
        List<double> memory = [], share = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"multiclaws, {Many} waiting sessions, run {run + 1} of {_runs}");
            await using var agent = await WaitingAgent.StartAsync();
            await using var host = await Subject.HostAsync(environment: [.. ManySessions, $"CHANNELBRIDGE__CHANNELS__MULTICLAWS__MAXCONCURRENTSESSIONS={Many}"]);
            await using var client = await BenchClient.ConnectAsync(host, bridge: false);
            await client.CallAsync("agents.add", $$"""{"url":"{{agent.Url}}"}""");
            // A host that has had as many sessions before: what the code and its garbage take isn't a session's.
            for (var number = 0; number < Many; number++) agent.End($"before-{number}");
            var ended = await BeginAsync(client, agent, "before", Many);
            await client.CallAsync("session.wait_all", Ids(ended));
            await Task.Delay(TimeSpan.FromSeconds(2));
            var before = host.ResidentMiB();
            await BeginAsync(client, agent, "waiting", Many);
            await Task.Delay(TimeSpan.FromSeconds(2));
            memory.Add((host.ResidentMiB() - before) * 1024 / Many);
            var (cpu, clock) = (host.CpuSeconds(), Stopwatch.StartNew());
            await Task.Delay(TimeSpan.FromSeconds(10));
            share.Add((host.CpuSeconds() - cpu) / clock.Elapsed.TotalSeconds * 100);
        }

        Add($"MultiClaws: memory of each of {Many:#,0} waiting sessions, KiB, beside 32 (lower is better)", [32], memory, "");
        Add($"MultiClaws: processor time while {Many:#,0} sessions wait, % of a core, beside 1 (lower is better)", [1], share, "");
    }

    /// <summary>From the agent's last word to the answer of who waits for a hundred sessions, beside that of who waits for one.</summary>
    private static async Task ToldAsync()
    {
        const int Many = 100, Rounds = 20;
        List<double> alone = [], all = [];
        Progress("multiclaws, wait_all");
        await using var agent = await WaitingAgent.StartAsync();
        await using var host = await Subject.HostAsync(environment: [.. ManySessions, $"CHANNELBRIDGE__CHANNELS__MULTICLAWS__MAXCONCURRENTSESSIONS={Many}"]);
        await using var client = await BenchClient.ConnectAsync(host, bridge: false);
        await using var waiter = await BenchClient.ConnectAsync(host, bridge: false);
        await client.CallAsync("agents.add", $$"""{"url":"{{agent.Url}}"}""");
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (count, times) in new[] { (1, alone), (Many, all) })
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"{round}-{count}");
                var ids = await BeginAsync(client, agent, name, count);
                for (var number = 1; number < count; number++) agent.End($"{name}-{number}");
                if (count > 1) await client.CallAsync("session.wait_all", Ids(ids.Skip(1)));
                var told = waiter.CallAsync("session.wait_all", Ids(ids));
                // It is waited for before the last one ends.
                await Task.Delay(50);
                var start = Stopwatch.GetTimestamp();
                agent.End($"{name}-0");
                var answer = await told;
                if (round >= Rounds / 4) times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                if (answer["results"]!.AsArray().Any(static result => (string?)result!["status"] != "completed")) throw new InvalidOperationException(answer.ToJsonString());
            }
        }

        Add($"MultiClaws: from the agent's last word to the answer of wait_all over {Many} sessions, ms, beside over one (lower is better)", alone, all, "");
    }

    private static async Task<List<string>> BeginAsync(BenchClient client, WaitingAgent agent, string name, int count)
    {
        var (ids, begun) = (new List<string>(), agent.Begun);
        for (var number = 0; number < count; number++)
            ids.Add((string)(await client.CallAsync("session.start", $$"""{"agentUrl":"{{agent.Url}}","message":"{{name}}-{{number}}"}"""))["sessionId"]!);
        await UntilAsync(() => agent.Begun == begun + count);
        return ids;
    }

    private static string Ids(IEnumerable<string> sessions) => $$"""{"sessionIds":["{{string.Join("\",\"", sessions)}}"]}""";

    private static async Task UntilAsync(Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > TimeSpan.FromMinutes(1)) throw new TimeoutException("the sessions haven't begun");
            await Task.Delay(5);
        }
    }
}
