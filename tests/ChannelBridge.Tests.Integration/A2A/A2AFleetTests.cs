using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration.Hosts;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>Two hosts on one PostgreSQL: a peer may ask either of them for a task that runs on the other.</summary>
public sealed class A2AFleetTests
{
    [ServerFact]
    public async Task Streams_and_cancels_reach_the_host_that_runs_the_task()
    {
        await using var model = await SlowModel.StartAsync();
        await using var fleet = await Fleet.StartAsync(2, settings: A2ALab.SettingsFor(model));
        using var here = new PeerClient(fleet.Host(0).Url, A2ALab.Alice);
        using var there = new PeerClient(fleet.Host(1).Url, A2ALab.Alice);

        // To its end: a stream of each host, and the same message sent again to the other one.
        var id = await WorkingAsync(model, here, "f-1");
        var streams = await Task.WhenAll(A2AServerTests.BegunAsync(here, id), A2AServerTests.BegunAsync(there, id));
        var again = there.CallAsync("SendMessage", Send("f-1", "take your time", tenant: "slow"));
        model.Go.SetResult();
        foreach (var events in await Task.WhenAll(streams).WaitAsync(HostProcess.Timeout)) Assert.Equal("COMPLETED", A2AServerTests.Last(events));
        var repeated = (await again.WaitAsync(HostProcess.Timeout))["task"]!;
        Assert.Equal((id, "COMPLETED"), ((string)repeated["id"]!, State(repeated)));
        Assert.Equal(SlowModel.First + SlowModel.Second, (string?)repeated["artifacts"]![0]!["parts"]![0]!["text"]);
        foreach (var peer in new[] { here, there }) Assert.Equal("COMPLETED", State(await peer.CallAsync("GetTask", new JsonObject { ["id"] = id })));

        // Cancelled through the host that doesn't run it, whichever that is.
        model.Go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var (runs, asks) in new[] { (here, there), (there, here) })
        {
            var running = await WorkingAsync(model, runs, $"f-c-{runs == here}");
            streams = await Task.WhenAll(A2AServerTests.BegunAsync(runs, running), A2AServerTests.BegunAsync(asks, running));
            Assert.Equal("CANCELED", State(await asks.CallAsync("CancelTask", new JsonObject { ["id"] = running })));
            foreach (var events in await Task.WhenAll(streams).WaitAsync(HostProcess.Timeout)) Assert.Equal("CANCELED", A2AServerTests.Last(events));
        }

        // One that asks is answered at the other host; and of two answers at once, one to each host, one goes on.
        for (var round = 0; round < 5; round++)
        {
            var asked = (await here.CallAsync("SendMessage", Send($"tck-input-required-f{round}", "book a table", tenant: "conformance")))["task"]!;
            Assert.Equal("INPUT_REQUIRED", State(asked));
            var both = await Task.WhenAll(
                here.AskAsync("SendMessage", Send($"here-{round}", "for two", task: (string)asked["id"]!)),
                there.AskAsync("SendMessage", Send($"there-{round}", "for three", task: (string)asked["id"]!)));
            var taken = Assert.Single(both, answer => answer["result"] is not null);
            Assert.Equal("COMPLETED", State(taken["result"]!["task"]!));
            Assert.Equal(-32004, (int)both.Single(answer => answer["error"] is not null)["error"]!["code"]!);
            var history = (await there.CallAsync("GetTask", new JsonObject { ["id"] = (string)asked["id"]! }))["history"]!.AsArray();
            Assert.Equal(2, history.Count(said => (string?)said!["role"] == "ROLE_USER"));
        }
    }

    [ServerFact]
    public async Task A_task_whose_host_is_killed_goes_on_at_the_other_one_under_its_id()
    {
        await using var model = await SlowModel.StartAsync();
        await using var fleet = await Fleet.StartAsync(2, settings: A2ALab.SettingsFor(model));
        for (var round = 0; round < Fleet.Rounds(2); round++)
        {
            var (victim, other) = (round % 2, (round + 1) % 2);
            model.Go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var killed = new PeerClient(fleet.Host(victim).Url, A2ALab.Alice);
            using var peer = new PeerClient(fleet.Host(other).Url, A2ALab.Alice);
            var id = await WorkingAsync(model, killed, $"k-{round}");
            var stream = await A2AServerTests.BegunAsync(peer, id);
            await fleet.KillAsync(victim);
            await model.AskedAsync();
            model.Go.SetResult();
            Assert.Equal("COMPLETED", A2AServerTests.Last(await stream.WaitAsync(HostProcess.Timeout)));
            var task = await A2AServerTests.EndedAsync(peer, id, "COMPLETED");
            Assert.Equal(SlowModel.First + SlowModel.Second, (string?)task["artifacts"]![0]!["parts"]![0]!["text"]);
            await fleet.StartHostAsync(victim);
        }
    }

    private static async Task<string> WorkingAsync(SlowModel model, PeerClient peer, string messageId)
    {
        var sent = (await peer.CallAsync("SendMessage", Send(messageId, "take your time", wait: false, tenant: "slow")))["task"]!;
        await model.AskedAsync();
        return (string)sent["id"]!;
    }
}
