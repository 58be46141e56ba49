namespace ChannelBridge.Abstractions.Messaging;

/// <summary>When a push is tried again, when it waits for its user, and when it is given up.</summary>
public sealed record DeliveryPolicy
{
    /// <summary>Failed pushes before an entry becomes a dead letter. Being offline costs no attempt. Default 10.</summary>
    public int MaxAttempts { get; init; } = 10;

    /// <summary>Wait after the first failure. Default 1 s.</summary>
    public TimeSpan BaseDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>By what the wait grows with each failure. Default 2.</summary>
    public double Factor { get; init; } = 2;

    /// <summary>The longest wait, except where the client asks for a longer one. Default 512 s.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(512);

    /// <summary>Share of the wait, 0…1, that is random (added). Default 0.</summary>
    public double Jitter { get; init; }

    /// <summary>How long a pushed message waits for its ack. Default 30 s.</summary>
    public TimeSpan AckTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a message is worth delivering; null means for ever. Default null.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Errors by which a client refuses a message for good, as if it had said <c>fatal</c>; see <see cref="Names"/>. Default none.</summary>
    public IReadOnlyList<string> Permanent { get; init; } = [];

    /// <summary>
    /// Errors by which a client says that the platform takes the message only after the user has written again; see <see cref="Names"/>. The message
    /// is held, at no cost of an attempt, until the next message of its conversation has come in. Default none.
    /// </summary>
    public IReadOnlyList<string> HoldUntilInbound { get; init; } = [];

    /// <summary>
    /// For clients that never ack: a push counts once the client was heard this long after it, or its connection stayed open for
    /// <see cref="ConfirmOpenFor"/>; until then a broken connection puts it back. Default 1 s.
    /// </summary>
    public TimeSpan ConfirmHeardAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>See <see cref="ConfirmHeardAfter"/>; longer than the keep-alive of the doors. Default 45 s.</summary>
    public TimeSpan ConfirmOpenFor { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>The wait after a number of failures.</summary>
    /// <param name="failures">1 or more.</param>
    /// <param name="random">0…1, for the jitter.</param>
    public TimeSpan DelayAfter(int failures, double random)
    {
        var milliseconds = Math.Min(BaseDelay.TotalMilliseconds * Math.Pow(Factor, Math.Max(0, failures - 1)), MaxDelay.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(milliseconds * (1 + (Jitter * random)));
    }

    /// <summary>
    /// True when an error is one of a list: the same without regard to case, or beginning with it and going on with something that is neither a letter
    /// nor a digit nor a hyphen (<c>window-closed</c> names <c>window-closed: 24 h have passed</c>).
    /// </summary>
    public static bool Names(IReadOnlyList<string> list, string? error)
    {
        if (error is null) return false;
        foreach (var name in list)
        {
            if (!error.StartsWith(name, StringComparison.OrdinalIgnoreCase)) continue;
            if (error.Length == name.Length || !(char.IsLetterOrDigit(error[name.Length]) || error[name.Length] is '-' or '_')) return true;
        }

        return false;
    }
}
