using System.Net.WebSockets;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>The promise of the product: what was accepted is answered, in order, whatever kills the host.</summary>
public sealed class KillTests
{
    /// <summary>Rounds in which the host is killed at a random moment; <c>.ci/soak</c> asks for hundreds.</summary>
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_ROUNDS"), out var rounds) ? rounds : 20;

    [Fact]
    public async Task KilledAtRandomMoments_LosesNothingAcceptedAndReordersNothing()
    {
        const int Lanes = 8;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_SEED"), out var chosen) ? chosen : 20261120;
        var random = new Random(seed);
        var data = HostProcess.NewDataFolder();
        var ledger = new Ledger();
        var next = new int[Lanes];
        for (var round = 0; round <= Rounds; round++)
        {
            await using var host = await HostProcess.StartAsync(data);
            await using var client = await ConnectAsync(host, ledger);
            using var stop = new CancellationTokenSource();
            var senders = Enumerable.Range(0, Lanes).Select(lane => SendAsync(client, ledger, lane, next, stop.Token)).ToArray();
            if (round < Rounds)
            {
                // The moment counts from the load's own progress, so that a slow machine is killed in the same states as a fast one.
                var goal = ledger.AcceptedCount + random.Next(1, 200);
                while (ledger.AcceptedCount < goal && !client.Closed.IsCompleted) await Task.Delay(1);
                await host.KillAsync();
                await stop.CancelAsync();
                await Task.WhenAll(senders);
                continue;
            }

            // The last round: no more load, no kill; everything that was ever accepted must arrive.
            await stop.CancelAsync();
            await Task.WhenAll(senders);
            await ledger.WaitUntilAnsweredAsync();
            Assert.Equal(0, await host.StopAsync());
        }

        ledger.AssertComplete(seed);
    }

    [Fact]
    public async Task AckedBeforeTheKill_IsNeverPushedAgain()
    {
        var data = HostProcess.NewDataFolder();
        var ledger = new Ledger();
        for (var round = 0; round < 5; round++)
        {
            await using var host = await HostProcess.StartAsync(data);
            await using var client = await ConnectAsync(host, ledger);
            await AcceptAsync(client, ledger, lane: 0, number: round);
            await ledger.WaitUntilAnsweredAsync();
            await ledger.WaitUntilAckedAsync(round + 1);
            await host.KillAsync();
        }

        await using var last = await HostProcess.StartAsync(data);
        await using var watcher = await ConnectAsync(last, ledger);
        await AcceptAsync(watcher, ledger, lane: 0, number: 5);
        await ledger.WaitUntilAckedAsync(6);
        Assert.Empty(ledger.PushedAfterAck);
        ledger.AssertComplete(seed: 0);
    }

    [Fact]
    public async Task Offline_RepliesWaitAndComeInOrderAfterTheReconnect()
    {
        var data = HostProcess.NewDataFolder();
        var ledger = new Ledger();
        await using (var host = await HostProcess.StartAsync(data))
        {
            // It says that it acks and doesn't: no reply is confirmed here, however long it takes. (One that only sends is pushed to as well, and taken at its flush.)
            await using var sender = new WireClient();
            await sender.ConnectAsync(host.WebSocketUrl, host.Token);
            await sender.CallAsync("bncr.connect", new JsonObject { ["accountId"] = "Primary", ["clientId"] = "kill-test", ["ack"] = true });
            for (var number = 0; number < 30; number++) await AcceptAsync(sender, ledger, lane: number % 3, number: number / 3);
            Assert.Equal(0, await host.StopAsync());
        }

        await using var again = await HostProcess.StartAsync(data);
        await using var bridge = await ConnectAsync(again, ledger);
        await ledger.WaitUntilAnsweredAsync();
        ledger.AssertComplete(seed: 0);
    }

    private static async Task<WireClient> ConnectAsync(HostProcess host, Ledger ledger)
    {
        var client = new WireClient();
        client.OnEvent = (name, payload) =>
        {
            if (!name.EndsWith("bncr.push", StringComparison.Ordinal)) return;
            ledger.Push(payload);
            _ = AckAsync(client, ledger, (string)payload["messageId"]!);
        };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = "Primary", ["clientId"] = "kill-test", ["ack"] = true });
        return client;
    }

    private static async Task AckAsync(WireClient client, Ledger ledger, string messageId)
    {
        try
        {
            var result = await client.CallAsync("bncr.ack", new JsonObject { ["accountId"] = "Primary", ["clientId"] = "kill-test", ["messageId"] = messageId, ["ok"] = true });
            if ((bool?)result["ok"] == true) ledger.Acked(messageId);
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Killed before the answer: the ack may or may not be on disk, so nothing is claimed.
        }
    }

    /// <summary>One lane's user: sends 0, 1, 2 …; what wasn't accepted is sent again under its id after the reconnect, as bridges do.</summary>
    private static async Task SendAsync(WireClient client, Ledger ledger, int lane, int[] next, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await AcceptAsync(client, ledger, lane, next[lane]);
                next[lane]++;
            }
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException)
        {
            // The host was killed; the next round goes on with the same number.
        }
    }

    private static async Task AcceptAsync(WireClient client, Ledger ledger, int lane, int number)
    {
        var result = await client.CallAsync("bncr.inbound", new JsonObject
        {
            ["accountId"] = "Primary",
            ["clientId"] = "kill-test",
            ["platform"] = "lab",
            ["groupId"] = "0",
            ["userId"] = $"user{lane}",
            ["msgId"] = $"{lane}-{number}",
            ["msg"] = $"{lane}/{number}",
        });
        Assert.True((bool?)result["accepted"], result.ToJsonString());
        ledger.Accepted($"{lane}/{number}");
    }
}
