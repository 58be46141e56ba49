using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>A copy of the store that is made while messages flow is whole: a second host on it knows everything that the first had confirmed before.</summary>
public sealed class BackupUnderLoadTests
{
    private const int Lanes = 4;
    private const int Before = 80;

    [Fact]
    public async Task Backup_WhileMessagesFlow_HasAllThatWasConfirmedBefore()
    {
        var restored = HostProcess.NewDataFolder();
        var copy = Path.Combine(restored, "channelbridge.db");
        string[] accepted, acked;
        ConcurrentDictionary<string, string> replies;
        await using (var host = await HostProcess.StartAsync())
        {
            await using var bridge = new Bridge();
            await bridge.ConnectAsync(host);
            using var stop = new CancellationTokenSource();
            var senders = Enumerable.Range(0, Lanes).Select(lane => bridge.SendAsync(lane, stop.Token)).ToArray();
            await UntilAsync(() => bridge.Accepted.Count >= Before && bridge.Acked.Count >= Before, senders);
            (accepted, acked) = ([.. bridge.Accepted], [.. bridge.Acked]);
            var backup = await HostProcess.RunAsync(["store", "backup", copy, "--data", host.Data]);
            Assert.True(backup.ExitCode is 0, backup.Errors);
            // The flow went on meanwhile, and goes on after it.
            var during = bridge.Accepted.Count;
            Assert.True(during > accepted.Length, "nothing was accepted while the copy was made");
            await UntilAsync(() => bridge.Accepted.Count > during, senders);
            await stop.CancelAsync();
            await Task.WhenAll(senders);
            replies = bridge.Replies;
            Assert.Equal(0, await host.StopAsync());
        }

        var check = await HostProcess.RunAsync(["store", "check", copy]);
        Assert.True(check.ExitCode is 0, check.Errors);
        await using var second = await HostProcess.StartAsync(restored);
        await using var again = new Bridge();
        await again.ConnectAsync(second);

        // What was accepted is known, and what was acked is acked, and isn't pushed again.
        foreach (var message in accepted) Assert.True(await again.SendOneAsync(message), $"{message} was accepted before the copy, and the second host doesn't know it");
        foreach (var id in acked) await again.AssertAckedAsync(id);

        // What had no ack yet comes, in order, and the host serves new messages in the same conversations.
        for (var lane = 0; lane < Lanes; lane++)
        {
            Assert.False(await again.SendOneAsync($"{lane}/1000000"));
            await UntilAsync(() => again.Answered.Contains($"{lane}/1000000"), []);
        }

        Assert.Empty(acked.Intersect(again.Pushed));
        // What didn't come was acked in the moment of the copy.
        foreach (var message in accepted.Except(again.Answered)) await again.AssertAckedAsync(replies[message]);
        Assert.Equal(0, await second.StopAsync());
    }

    private static async Task UntilAsync(Func<bool> condition, Task[] senders)
    {
        for (var deadline = DateTime.UtcNow + HostProcess.Timeout; !condition(); await Task.Delay(5))
        {
            foreach (var sender in senders.Where(sender => sender.IsFaulted)) await sender;
            Assert.True(DateTime.UtcNow < deadline, "it didn't happen in time");
        }
    }

    /// <summary>A client that acks, and remembers what was confirmed to it.</summary>
    private sealed class Bridge : IAsyncDisposable
    {
        public WireClient Client { get; } = new();

        public ConcurrentQueue<string> Accepted { get; } = new();

        /// <summary>The ids of pushes whose acks are confirmed.</summary>
        public ConcurrentQueue<string> Acked { get; } = new();

        public ConcurrentQueue<string> Pushed { get; } = new();

        public ConcurrentQueue<string> Answered { get; } = new();

        /// <summary>The ids of the answers, by the message.</summary>
        public ConcurrentDictionary<string, string> Replies { get; } = new();

        public async Task ConnectAsync(HostProcess host)
        {
            Client.OnEvent = (name, payload) =>
            {
                if (!name.EndsWith("bncr.push", StringComparison.Ordinal)) return;
                var id = (string)payload["messageId"]!;
                Pushed.Enqueue(id);
                var message = ((string)payload["message"]!["msg"]!).Replace("echo: ", "", StringComparison.Ordinal);
                Replies[message] = id;
                Answered.Enqueue(message);
                _ = AckAsync(id);
            };
            await Client.ConnectAsync(host.WebSocketUrl, host.Token);
            await Client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = "Primary", ["clientId"] = "backup-test", ["ack"] = true });
        }

        public async Task SendAsync(int lane, CancellationToken stop)
        {
            for (var number = 0; !stop.IsCancellationRequested; number++) await SendOneAsync($"{lane}/{number}");
        }

        /// <summary>Sends a message; true when the host had it before.</summary>
        public async Task<bool> SendOneAsync(string message)
        {
            var result = await Client.CallAsync("bncr.inbound", new JsonObject
            {
                ["accountId"] = "Primary",
                ["clientId"] = "backup-test",
                ["platform"] = "lab",
                ["userId"] = "user" + message.Split('/')[0],
                ["msgId"] = message,
                ["msg"] = message,
            });
            Assert.True((bool?)result["accepted"], result.ToJsonString());
            Accepted.Enqueue(message);
            return (bool?)result["duplicated"] == true;
        }

        public async Task AssertAckedAsync(string id) =>
            Assert.Equal("acked", (string?)(await Client.CallAsync("outbox.get", new JsonObject { ["messageId"] = id }))["state"]);

        public ValueTask DisposeAsync() => Client.DisposeAsync();

        private async Task AckAsync(string id)
        {
            try
            {
                var result = await Client.CallAsync("bncr.ack", new JsonObject { ["accountId"] = "Primary", ["clientId"] = "backup-test", ["messageId"] = id });
                if ((bool?)result["ok"] == true) Acked.Enqueue(id);
            }
            catch (Exception fault) when (fault is System.Net.WebSockets.WebSocketException or ObjectDisposedException or InvalidOperationException)
            {
                // The host stops: nothing is claimed.
            }
        }
    }
}
