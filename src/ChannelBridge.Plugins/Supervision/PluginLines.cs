namespace ChannelBridge.Plugins.Supervision;

/// <summary>The last lines that a plugin wrote, for <c>plugins logs</c>; masked when they come here.</summary>
internal sealed class PluginLines(TimeProvider time)
{
    private const int Most = 500;
    private readonly Lock _lock = new();
    private readonly Queue<(DateTimeOffset At, string Text)> _lines = new();

    /// <summary>Keeps a line, and lets the oldest go.</summary>
    public void Add(string line)
    {
        lock (_lock)
        {
            if (_lines.Count == Most) _lines.Dequeue();
            _lines.Enqueue((time.GetUtcNow(), line));
        }
    }

    /// <summary>The newest lines, oldest first.</summary>
    public IReadOnlyList<(DateTimeOffset At, string Text)> Last(int count)
    {
        lock (_lock) return [.. _lines.Skip(Math.Max(0, _lines.Count - count))];
    }
}
