using System.Net.WebSockets;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.Faults;

/// <summary>
/// A bridge as bridges should be: what the host refuses for a while is sent again under its id, what it pushes is acked, and a ledger notes every promise.
/// </summary>
internal sealed class FaultyBridge(Ledger ledger, int lanes) : IAsyncDisposable
{
    private const string Account = "Primary";
    private readonly WireClient _client = new();
    private readonly int[] _refusals = new int[lanes];

    /// <summary>The next number of each lane; kept over several bridges.</summary>
    public int[] Next { get; init; } = new int[lanes];

    /// <summary>Codes of the refusals seen.</summary>
    public System.Collections.Concurrent.ConcurrentDictionary<string, int> Codes { get; } = new();

    /// <summary>Refusals of each lane so far.</summary>
    public int[] Refusals => [.. Enumerable.Range(0, lanes).Select(lane => Volatile.Read(ref _refusals[lane]))];

    public async Task ConnectAsync(HostProcess host)
    {
        _client.OnEvent = (name, payload) =>
        {
            if (!name.EndsWith("bncr.push", StringComparison.Ordinal)) return;
            ledger.Push(payload);
            _ = AckAsync((string)payload["messageId"]!);
        };
        await _client.ConnectAsync(host.WebSocketUrl, host.Token);
        await _client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = Account, ["clientId"] = "fault-test", ["ack"] = true });
    }

    /// <summary>Every lane's user writes one message after the other.</summary>
    public Task LoadAsync(CancellationToken stop) => Task.WhenAll(Enumerable.Range(0, lanes).Select(lane => LoadAsync(lane, stop)));

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private async Task LoadAsync(int lane, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var number = Next[lane];
            var answer = await _client.RequestAsync("bncr.inbound", new JsonObject
            {
                ["accountId"] = Account,
                ["clientId"] = "fault-test",
                ["platform"] = "lab",
                ["userId"] = $"user{lane}",
                ["msgId"] = $"{lane}-{number}",
                ["msg"] = $"{lane}/{number}",
            });
            if ((bool?)answer["ok"] == true)
            {
                Assert.True((bool?)answer["payload"]!["accepted"], answer.ToJsonString());
                ledger.Accepted($"{lane}/{number}");
                Next[lane]++;
                continue;
            }

            var error = answer["error"]!;
            Assert.True((bool?)error["retryable"], answer.ToJsonString());
            Codes.AddOrUpdate((string)error["code"]!, 1, (_, count) => count + 1);
            Interlocked.Increment(ref _refusals[lane]);
            await Task.Delay(5, CancellationToken.None);
        }
    }

    private async Task AckAsync(string messageId)
    {
        try
        {
            var answer = await _client.RequestAsync("bncr.ack", new JsonObject { ["accountId"] = Account, ["clientId"] = "fault-test", ["messageId"] = messageId, ["ok"] = true });
            // Refused acks come to nothing: the message is pushed again, and acked again.
            if ((bool?)answer["ok"] == true) ledger.Acked(messageId);
        }
        catch (Exception fault) when (fault is WebSocketException or ObjectDisposedException)
        {
            // Killed before the answer: nothing is claimed.
        }
    }
}
