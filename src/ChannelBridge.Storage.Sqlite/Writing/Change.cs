namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>What of an entry a transition may change; the number is that of its parameter.</summary>
internal enum Field
{
    Place = 4,
    State = 5,
    Attempts = 6,
    NextAttemptAt = 7,
    PushedAt = 8,
    AckedAt = 9,
    DeliveredAt = 10,
    EndedAt = 11,
    ExpiresAt = 12,
    Error = 13,
    History = 14,
    Settled = 15,
    Payload = 16,
}

/// <summary>What becomes of a field.</summary>
internal enum Rule
{
    /// <summary>It gets the value of the change.</summary>
    Set,

    /// <summary>It gets the value, unless there is none (0, null).</summary>
    SetIfGiven,

    /// <summary>It gets the value, unless it has one already.</summary>
    SetIfMissing,

    /// <summary>It gets 0, or NULL.</summary>
    Clear,

    /// <summary>It gets 1.</summary>
    One,

    /// <summary>It gets 2.</summary>
    Two,

    /// <summary>The value is added as a line, if there is one.</summary>
    AddLine,
}

/// <summary>Which entries a transition holds for.</summary>
internal enum Guard
{
    /// <summary>Inbox: its turn isn't finished.</summary>
    Pending,

    /// <summary>Inbox: its turn was given up.</summary>
    GivenUp,

    /// <summary>Outbox: something is still to be done for it.</summary>
    Unsettled,

    /// <summary>Outbox: settled, and the change is better news: pushed → acked → delivered, or a client has what was given up.</summary>
    Upgradable,

    /// <summary>Outbox: expired or dead.</summary>
    Ended,
}

/// <summary>The values of a change; a transition takes those that its rules name.</summary>
internal ref struct Change
{
    public long Place;
    public long State;
    public long Attempts;
    public long NextAttemptAt;
    public long PushedAt;
    public long AckedAt;
    public long DeliveredAt;
    public long EndedAt;
    public string? Error;
    public ReadOnlySpan<byte> Line;

    public readonly long Number(Field field) => field switch
    {
        Field.Place => Place,
        Field.State => State,
        Field.Attempts => Attempts,
        Field.NextAttemptAt => NextAttemptAt,
        Field.PushedAt => PushedAt,
        Field.AckedAt => AckedAt,
        Field.DeliveredAt => DeliveredAt,
        Field.EndedAt => EndedAt,
        _ => throw new ArgumentOutOfRangeException(nameof(field), field, "is no number of a change"),
    };
}
