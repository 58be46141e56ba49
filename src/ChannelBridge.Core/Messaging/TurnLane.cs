using ChannelBridge.Abstractions.Messaging;
namespace ChannelBridge.Core.Messaging;

/// <summary>A message that waits for its turn.</summary>
/// <param name="Id">The inbox id.</param>
/// <param name="Ordinal">Its number in the lane's inbox.</param>
/// <param name="Message">The message.</param>
/// <param name="Attempts">Turns that were tried and failed.</param>
/// <param name="NotBefore">Unix ms.</param>
/// <param name="Size">Bytes of its stored form, for the memory bound.</param>
/// <param name="FailingFor">For how long its turns have been failing, see <see cref="TurnVerdict"/>.</param>
internal sealed record TurnItem(Guid Id, long Ordinal, InboundMessage Message, int Attempts, long NotBefore, int Size, TimeSpan FailingFor = default);

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
    public Queue<TurnItem> Urgent { get; } = new();

    /// <summary>Messages that were ended out of their turn: the lane passes over what it holds of them. Null: none.</summary>
    public HashSet<long>? Ended { get; set; }

    /// <summary>Another host may work on the lane from now on: nothing that is in memory counts any more.</summary>
    public void GiveUp()
    {
        Busy = false;
        Head = null;
        Claim = 0;
        Ended = null;
        Window.Forget();
    }

    public void Dispose() => Retry?.Dispose();
}
