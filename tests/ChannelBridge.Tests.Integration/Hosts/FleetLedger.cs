using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>What the users were promised and what they got, over all hosts.</summary>
internal sealed class FleetLedger
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _accepted = [];
    private readonly HashSet<string> _answered = [];
    private readonly List<(string Key, string Lane, string Text)> _first = [];
    private readonly HashSet<string> _keys = [];
    private readonly ConcurrentQueue<string> _trouble = new();

    public int AcceptedCount
    {
        get
        {
            lock (_gate) return _accepted.Count;
        }
    }

    public int AnsweredCount
    {
        get
        {
            lock (_gate) return _answered.Count;
        }
    }

    /// <summary>Pushes of a message that had come before.</summary>
    public int Repeated { get; private set; }

    public void Accepted(string text)
    {
        lock (_gate) _accepted.Add(text);
    }

    public void Push(JsonObject payload)
    {
        var message = payload["message"]!.AsObject();
        var (key, text) = ((string)payload["idempotencyKey"]!, ((string)message["msg"]!).Replace("echo: ", "", StringComparison.Ordinal));
        lock (_gate)
        {
            if (!_keys.Add(key))
            {
                Repeated++;
                return;
            }

            if (!_answered.Add(text)) _trouble.Enqueue($"'{text}' came under several keys");
            _first.Add((key, text[..text.LastIndexOf('/')], text));
        }
    }

    /// <summary>Waits until every message that was accepted has its answer.</summary>
    public async Task WaitUntilAnsweredAsync(Func<string> details)
    {
        var deadline = DateTime.UtcNow + HostProcess.Timeout;
        while (true)
        {
            lock (_gate)
            {
                if (_accepted.IsSubsetOf(_answered)) return;
                if (DateTime.UtcNow > deadline)
                    Assert.Fail(
                        $"of {_accepted.Count} accepted, {_accepted.Except(_answered).Count()} are unanswered: {string.Join(", ", _accepted.Except(_answered).Take(20))}\n{details()}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>Waits until so many more are accepted.</summary>
    public async Task WaitForTrafficAsync(int more)
    {
        var goal = AcceptedCount + more;
        var deadline = DateTime.UtcNow + HostProcess.Timeout;
        while (AcceptedCount < goal)
        {
            if (DateTime.UtcNow > deadline) Assert.Fail($"only {AcceptedCount} messages were accepted, {goal} were expected");
            await Task.Delay(2);
        }
    }

    /// <summary>Nothing accepted was lost, nothing reordered within a lane, nothing doubled but under its key.</summary>
    public void AssertComplete(string seed)
    {
        lock (_gate)
        {
            Assert.True(_accepted.Count > 0, "nothing was accepted: the test tested nothing");
            Assert.True(_trouble.IsEmpty, $"{seed}: {string.Join("; ", _trouble)}");
            foreach (var lane in _first.GroupBy(push => push.Lane))
            {
                var numbers = lane.Select(push => int.Parse(push.Text.AsSpan(push.Text.LastIndexOf('/') + 1), CultureInfo.InvariantCulture)).ToList();
                Assert.True(Enumerable.Range(0, numbers.Count).SequenceEqual(numbers), $"{seed}: lane {lane.Key} came as {string.Join(" ", numbers)}");
            }
        }
    }
}
