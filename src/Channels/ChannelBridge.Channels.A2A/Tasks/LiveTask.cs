using System.Diagnostics.CodeAnalysis;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>A task in memory. What changes is changed under <see cref="Gate"/>.</summary>
/// <param name="key">Whose and which.</param>
internal sealed class LiveTask((string Peer, string Id) key)
{
    public readonly Lock Gate = new();
    public int Holds;
    public int Followed;

    public (string Peer, string Id) Key => key;

    /// <summary>Its events; null while nobody looks.</summary>
    public TaskFeed? Feed { get; private set; }

    /// <summary>Its turn while it runs here.</summary>
    public RunView? Run { get; set; }

    /// <summary>How its turn ends, once that is durable.</summary>
    public TaskEnd? Final { get; set; }

    /// <summary>Its turn, where it was accepted here.</summary>
    public Guid? Turn { get; set; }

    /// <summary>The task as its last message's commit, which was made here, writes it; null where there was none since it is in memory.</summary>
    public TaskBegin? Begun { get; set; }

    /// <summary>The version of its record up to which the feed knows everything.</summary>
    public long Version { get; private set; }

    /// <summary>Grows with everything that happened: a record read before must be read again.</summary>
    public int Changes { get; private set; }

    /// <summary>Begins to tell, unless somebody does so already.</summary>
    public TaskFeed Begin(A2ATask task, long version, TaskBounds bounds)
    {
        if (Feed is { } known) return known;
        Version = version;
        Feed = new TaskFeed(task, bounds);
        foreach (var item in Run?.SoFar() ?? []) Feed.Publish(item);
        return Feed;
    }

    /// <summary>Something has happened that may stand in the record.</summary>
    public void Touch() => Changes++;

    /// <summary>The record has another version; whoever looks is to be told of it by <paramref name="tell"/>. An older one tells nothing.</summary>
    public void Learn(long version, Action<TaskFeed>? tell)
    {
        if (version <= Version) return;
        Version = version;
        Changes++;
        if (Feed is { } feed) tell?.Invoke(feed);
    }
}

/// <summary>What a task is when the message of its turn is accepted.</summary>
/// <param name="Task">The task.</param>
/// <param name="Record">Its record in the commit that accepts the message.</param>
internal sealed record TaskBegin(StoredTask Task, RecordPut Record)
{
    /// <summary>True once it is durable.</summary>
    public bool IsWritten => Record is { Version: > 0, Conflict: false };
}

/// <summary>How a task's turn ends.</summary>
/// <param name="Turn">The turn.</param>
/// <param name="Task">The task as it is then.</param>
/// <param name="Record">Its record in the commit that ends the turn.</param>
internal sealed record TaskEnd(Guid Turn, A2ATask Task, RecordPut Record)
{
    /// <summary>True once it is durable. False may also mean that nobody knows.</summary>
    public bool IsWritten => Record is { Version: > 0, Conflict: false };
}

/// <summary>Keeps a task in memory until it is disposed.</summary>
internal sealed class LiveHold(LiveTask live, Action leave) : IDisposable
{
    private int _left;

    public LiveTask Live => live;

    /// <summary>Its events.</summary>
    public TaskFeed Feed => live.Feed!;

    /// <summary>Reads the task's events; the hold ends with the reading.</summary>
    public IA2AEvents Read() => new Events(live.Feed!.Read(), this);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0) leave();
    }

    private sealed class Events(IA2AEvents inner, LiveHold hold) : IA2AEvents
    {
        public ValueTask<FeedEvent?> NextAsync(CancellationToken cancellationToken) => inner.NextAsync(cancellationToken);

        public bool TryNext([NotNullWhen(true)] out FeedEvent? item) => inner.TryNext(out item);

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync().ConfigureAwait(false);
            hold.Dispose();
        }
    }
}
