using ChannelBridge.Abstractions.Messaging;
namespace ChannelBridge.Core.Messaging;

/// <summary>A message that waits for its turn.</summary>
/// <param name="Id">The inbox id.</param>
/// <param name="Ordinal">Its number in the lane's inbox.</param>
/// <param name="Message">The message.</param>
/// <param name="Attempts">Turns that were tried and failed.</param>
/// <param name="Due">Not before this timestamp of the clock (<see cref="TimeProvider.GetTimestamp"/>), which no change of the time of day touches; 0 at once.</param>
/// <param name="Size">Bytes of its stored form, for the memory bound.</param>
/// <param name="FailingFor">For how long its turns have been failing, see <see cref="TurnVerdict"/>.</param>
internal sealed record TurnItem(Guid Id, long Ordinal, InboundMessage Message, int Attempts, long Due, int Size, TimeSpan FailingFor = default);

/// <summary>A word that passes its lane.</summary>
/// <param name="item">The word.</param>
/// <param name="about">The message whose turn it is about: the one that the lane was at when the word came.</param>
internal sealed class PassingWord(TurnItem item, TurnItem about)
{
    public TurnItem Item => item;

    public TurnItem About => about;

    /// <summary>True when it has stopped that turn: what is tried again after that only says so.</summary>
    public bool Stopped { get; set; }
}

/// <summary>The turn cursor of a lane: one turn at a time, in order.</summary>
internal sealed class TurnLane(long id, LaneKey key, int window, LaneMemory memory) : IDisposable
{
    public long Id { get; } = id;

    public LaneKey Key { get; } = key;

    public Lock Gate { get; } = new();

    public LaneWindow<TurnItem> Window { get; } = new(window, memory);

    /// <summary>True while the lane is queued, loading, running or waiting for a retry: exactly one of them, and it holds a pin.</summary>
    public bool Busy { get; set; }

    /// <summary>The claim under which the lane is worked on while it is busy; 0 while it rests.</summary>
    public long Claim { get; set; }

    /// <summary>The head's own attempts and wait, when they are newer than what its window item says.</summary>
    public TurnItem? Head { get; set; }

    public ITimer? Retry { get; set; }

    /// <summary>1 while <see cref="Retry"/> is what the lane waits for.</summary>
    public int Waiting;

    /// <summary>Messages that pass the others now, one after the other.</summary>
    public Queue<PassingWord> Urgent { get; } = new();

    /// <summary>
    /// True while the lane is busy with nothing but the words that pass it. They write under its claim, so it is kept until the last of them is done, or until
    /// there is something else to do.
    /// </summary>
    public bool Parked { get; set; }

    /// <summary>True when something that the lane has passed over is still to be done: it reads the store anew before its next step.</summary>
    public bool Reread { get; set; }

    /// <summary>Messages that were ended out of their turn: the lane passes over what it holds of them. Null: none.</summary>
    public HashSet<long>? Ended { get; set; }

    /// <summary>Another host may work on the lane from now on: nothing that is in memory counts any more, but the words that are under way.</summary>
    public void GiveUp()
    {
        Busy = false;
        Parked = false;
        Head = null;
        Claim = 0;
        Ended = Urgent.Count == 0 ? null : [.. Urgent.Select(word => word.Item.Ordinal)];
        Window.Forget();
    }

    /// <summary>A message that was to end out of its turn hasn't: the lane, which may have passed over it, comes to it again.</summary>
    public void TakeBack(long ordinal)
    {
        Ended?.Remove(ordinal);
        Reread = true;
    }

    public void Dispose() => Retry?.Dispose();
}
