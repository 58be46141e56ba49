using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>What the client was promised and what it got.</summary>
internal sealed class Ledger
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _accepted = [];
    private readonly HashSet<string> _answered = [];
    private readonly HashSet<string> _acked = [];
    private readonly List<(string Key, string User, string Text)> _pushes = [];

    /// <summary>Keys that came again after their ack had been confirmed.</summary>
    public List<string> PushedAfterAck { get; } = [];

    public int AcceptedCount
    {
        get
        {
            lock (_gate) return _accepted.Count;
        }
    }

    public void Accepted(string text)
    {
        lock (_gate) _accepted.Add(text);
    }

    public void Acked(string key)
    {
        lock (_gate) _acked.Add(key);
    }

    public void Push(JsonObject payload)
    {
        var message = payload["message"]!.AsObject();
        var (key, user, text) = ((string)payload["idempotencyKey"]!, (string)message["userId"]!, (string)message["msg"]!);
        lock (_gate)
        {
            if (_acked.Contains(key)) PushedAfterAck.Add(key);
            _pushes.Add((key, user, text));
            _answered.Add(text.Replace("echo: ", "", StringComparison.Ordinal));
        }
    }

    public Task WaitUntilAnsweredAsync() => WaitAsync(() => _accepted.IsSubsetOf(_answered), () => $"unanswered: {string.Join(", ", _accepted.Except(_answered).Take(10))}");

    public Task WaitUntilAckedAsync(int count) => WaitAsync(() => _acked.Count >= count, () => $"{_acked.Count} acks of {count}");

    public void AssertComplete(int seed)
    {
        lock (_gate)
        {
            Assert.True(_accepted.Count > 0, "nothing was accepted: the test tested nothing");
            Assert.True(PushedAfterAck.Count == 0, $"seed {seed}: pushed again after a confirmed ack: {string.Join(", ", PushedAfterAck.Take(5))}");
            foreach (var text in _pushes.GroupBy(push => push.Text))
            {
                Assert.True(text.Select(push => push.Key).Distinct().Count() == 1, $"seed {seed}: '{text.Key}' came under several keys");
            }

            foreach (var user in _pushes.GroupBy(push => push.User))
            {
                var numbers = user.DistinctBy(push => push.Key).Select(push => int.Parse(push.Text.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture)).ToList();
                Assert.Equal(Enumerable.Range(0, numbers.Count), numbers);
            }
        }
    }

    private async Task WaitAsync(Func<bool> condition, Func<string> what)
    {
        var deadline = DateTime.UtcNow + HostProcess.Timeout;
        while (true)
        {
            lock (_gate)
            {
                if (condition()) return;
                if (DateTime.UtcNow > deadline) Assert.Fail(what());
            }

            await Task.Delay(5);
        }
    }
}
