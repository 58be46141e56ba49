using System.Text.Json.Nodes;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>A task that was accepted is there whatever kills the host, under its id, and ends once.</summary>
public sealed class A2AKillTests
{
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_ROUNDS"), out var rounds) ? rounds : 4;

    [Fact]
    public async Task Tasks_in_every_state_survive_a_kill_and_go_on_under_their_ids()
    {
        await using var lab = await A2ALab.StartAsync();
        using var peer = lab.Peer();
        for (var round = 0; round < Rounds; round++)
        {
            lab.Model.Go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var done = (await peer.CallAsync("SendMessage", Send($"done-{round}", "hello")))["task"]!;
            var asks = (await peer.CallAsync("SendMessage", Send($"tck-input-required-{round}", "book", tenant: "conformance")))["task"]!;
            var leaves = (await peer.CallAsync("SendMessage", Send($"tck-input-required-b{round}", "book", tenant: "conformance")))["task"]!;
            await peer.CallAsync("CancelTask", new JsonObject { ["id"] = (string)leaves["id"]! });
            var works = await lab.WorkingAsync(peer, $"works-{round}");
            var waits = (await peer.CallAsync("SendMessage", Send($"waits-{round}", "after it", wait: false, context: (string)works["contextId"]!)))["task"]!;
            var goes = (await peer.CallAsync("SendMessage", Send($"goes-{round}", "after it, too", wait: false, context: (string)works["contextId"]!)))["task"]!;

            await lab.KillAndStartAsync();

            // The turn runs again, under the same id.
            await lab.Model.AskedAsync();
            Assert.Equal(done.ToJsonString(), (await GetAsync(peer, done)).ToJsonString());
            Assert.Equal("CANCELED", State(await GetAsync(peer, leaves)));
            Assert.Equal("INPUT_REQUIRED", State(await GetAsync(peer, asks)));
            await A2AServerTests.EndedAsync(peer, (string)works["id"]!, "WORKING");
            Assert.Equal("SUBMITTED", State(await GetAsync(peer, waits)));
            // Accepted before the kill, and cancelled after it.
            Assert.Equal("CANCELED", State(await peer.CallAsync("CancelTask", new JsonObject { ["id"] = (string)goes["id"]! })));
            // A repeated send finds its task.
            var again = await peer.CallAsync("SendMessage", Send($"works-{round}", "take your time", wait: false, tenant: "slow"));
            Assert.Equal((string)works["id"]!, (string?)again["task"]!["id"]);
            var stream = await A2AServerTests.BegunAsync(peer, (string)works["id"]!);
            lab.Model.Go.SetResult();
            Assert.Equal("COMPLETED", A2AServerTests.Last(await stream.WaitAsync(HostProcess.Timeout)));
            var ended = await A2AServerTests.EndedAsync(peer, (string)works["id"]!, "COMPLETED");
            Assert.Equal(SlowModel.First + SlowModel.Second, (string?)ended["artifacts"]![0]!["parts"]![0]!["text"]);
            Assert.Equal("echo: after it", (string?)(await A2AServerTests.EndedAsync(peer, (string)waits["id"]!, "COMPLETED"))["artifacts"]![0]!["parts"]![0]!["text"]);
            var answered = (await peer.CallAsync("SendMessage", Send($"answer-{round}", "for two", task: (string)asks["id"]!)))["task"]!;
            Assert.Equal(((string)asks["id"]!, "COMPLETED"), ((string)answered["id"]!, State(answered)));
        }

        Assert.Equal(Rounds * 6, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
    }

    /// <summary>Sends at full speed and kills at a random moment: what was answered is there, what is there ends, and the same message is never two tasks.</summary>
    [Fact]
    public async Task Killed_at_random_moments_no_accepted_task_is_lost_or_doubled()
    {
        const int Senders = 8;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_SEED"), out var chosen) ? chosen : 20261129;
        var random = new Random(seed);
        await using var lab = await A2ALab.StartAsync();
        var sent = new int[Senders];
        var accepted = new System.Collections.Concurrent.ConcurrentDictionary<string, string>();
        for (var round = 0; round < Rounds; round++)
        {
            using var peer = lab.Peer();
            var goal = accepted.Count + random.Next(20, 200);
            var stop = false;
            var senders = Enumerable.Range(0, Senders).Select(async sender =>
            {
                while (!Volatile.Read(ref stop))
                {
                    var message = $"k-{sender}-{sent[sender]}";
                    try
                    {
                        var wait = sent[sender] % 2 == 0;
                        var task = (await peer.CallAsync("SendMessage", Send(message, "hello", wait, context: $"lane-{sender}")))["task"]!;
                        if (wait) Assert.Equal("COMPLETED", State(task));
                        Assert.Equal((string)task["id"]!, accepted.GetOrAdd(message, (string)task["id"]!));
                        sent[sender]++;
                    }
                    catch (HttpRequestException)
                    {
                        // Killed: the same message is sent again in the next round.
                        return;
                    }
                }
            }).ToArray();
            using var timeout = new CancellationTokenSource(HostProcess.Timeout);
            while (accepted.Count < goal) await Task.Delay(1, timeout.Token);
            await lab.KillAndStartAsync();
            Volatile.Write(ref stop, true);
            await Task.WhenAll(senders).WaitAsync(HostProcess.Timeout);
        }

        using var last = lab.Peer();
        // What was cut off is sent once more.
        for (var sender = 0; sender < Senders; sender++)
        {
            var message = $"k-{sender}-{sent[sender]}";
            accepted[message] = (string)(await last.CallAsync("SendMessage", Send(message, "hello", context: $"lane-{sender}")))["task"]!["id"]!;
        }

        foreach (var (_, id) in accepted)
        {
            var task = await A2AServerTests.EndedAsync(last, id, "COMPLETED");
            Assert.Single(task["artifacts"]!.AsArray());
        }

        Assert.Equal(accepted.Count, (int)(await last.CallAsync("ListTasks", new JsonObject { ["pageSize"] = 1 }))["totalSize"]!);
    }

    private static Task<JsonNode> GetAsync(PeerClient peer, JsonNode task) => peer.CallAsync("GetTask", new JsonObject { ["id"] = (string)task["id"]! });
}
