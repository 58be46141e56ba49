using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>Writes that one statement can do.</summary>
internal enum StageKind
{
    /// <summary>Messages for agents.</summary>
    InboxAppend,

    /// <summary>Messages for bridges.</summary>
    OutboxAppend,

    /// <summary>What became of turns.</summary>
    InboxUpdate,

    /// <summary>How far messages got.</summary>
    OutboxUpdate,

    /// <summary>Values of numbered logs.</summary>
    LogAppend,

    /// <summary>Anything else: a statement for each.</summary>
    Single,
}

/// <summary>Writes of one kind that don't touch the same entry.</summary>
internal sealed class Stage(StageKind kind)
{
    /// <summary>The kind.</summary>
    public StageKind Kind { get; } = kind;

    /// <summary>The writes, in the order in which numbers are given out.</summary>
    public List<StoreWrite> Writes { get; } = [];

    /// <summary>What they touch.</summary>
    public HashSet<(UInt128, long)> Keys { get; } = [];
}

/// <summary>
/// Sorts the writes of a group into stages, each one statement, so that thousands of rows cost a handful of statements. A unit's own order holds:
/// each of its writes is in the same stage as the one before, or in a later one. Units are concurrent, so any order among them is right.
/// </summary>
internal sealed class GroupPlan
{
    /// <summary>The stages, in order.</summary>
    public List<Stage> Stages { get; } = [];

    /// <summary>Writes that are made only if others took place (<see cref="RecordWrite.With"/>): after the stages, in the same transaction.</summary>
    public List<RecordWrite> Following { get; } = [];

    /// <summary>Makes the plan of a group.</summary>
    public static GroupPlan Make(IReadOnlyList<CommitUnit> units)
    {
        var plan = new GroupPlan();
        foreach (var unit in units)
        {
            if (unit.Single is { } single) plan.Place(single, 0);
            else plan.Add(unit.Batch!);
        }

        return plan;
    }

    /// <summary>Adds a unit's writes.</summary>
    public void Add(IReadOnlyList<StoreWrite> unit)
    {
        var from = 0;
        for (var i = 0; i < unit.Count; i++)
        {
            if (unit[i] is RecordWrite { With: not null } following) Following.Add(following);
            else from = Place(unit[i], from);
        }
    }

    /// <summary>Adds a write that stands for itself.</summary>
    public void Place(StoreWrite write) => Place(write, Stages.Count == 0 ? 0 : write is SequenceAppend ? 0 : Stages.Count);

    // The first stage of its kind, not before the given one, that doesn't touch the same entry; else a new one at the end. Returns where it went.
    private int Place(StoreWrite write, int from)
    {
        var kind = KindOf(write);
        var (first, second) = KeysOf(write);
        for (; kind != StageKind.Single && from < Stages.Count; from++)
        {
            var stage = Stages[from];
            if (stage.Kind != kind || (first is { } entry && stage.Keys.Contains(entry)) || (second is { } key && stage.Keys.Contains(key))) continue;
            Add(stage, write, first, second);
            return from;
        }

        Stages.Add(new Stage(kind));
        Add(Stages[^1], write, first, second);
        return Stages.Count - 1;
    }

    private static void Add(Stage stage, StoreWrite write, (UInt128, long)? first, (UInt128, long)? second)
    {
        stage.Writes.Add(write);
        if (first is { } entry) stage.Keys.Add(entry);
        if (second is { } key) stage.Keys.Add(key);
    }

    private static StageKind KindOf(StoreWrite write) => write switch
    {
        InboxAppend => StageKind.InboxAppend,
        OutboxAppend => StageKind.OutboxAppend,
        InboxUpdate => StageKind.InboxUpdate,
        OutboxUpdate => StageKind.OutboxUpdate,
        SequenceAppend => StageKind.LogAppend,
        _ => StageKind.Single,
    };

    private static ((UInt128 Entry, long Number)? First, (UInt128 Entry, long Number)? Second) KeysOf(StoreWrite write) => write switch
    {
        InboxAppend w => ((w.DedupeKey, 0), null),
        OutboxAppend w => ((KeyBytes.ToKey(w.Id), 0), null),
        InboxUpdate w => (((UInt128)w.LaneId, w.Ordinal), null),
        OutboxUpdate w => (((UInt128)w.LaneId, w.Seq), w.Id == Guid.Empty ? null : (KeyBytes.ToKey(w.Id), -1)),
        // Two texts with the same hash only cost a statement.
        SequenceAppend w => (w.Once is null ? null : ((UInt128)(uint)HashCode.Combine(SoundText.Storable(w.Sequence), SoundText.Storable(w.Once)), 0), null),
        _ => ((0, 0), null),
    };
}
