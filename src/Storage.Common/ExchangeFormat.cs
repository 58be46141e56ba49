namespace ChannelBridge.Storage.Common;

/// <summary>What a column of an exported store holds.</summary>
internal enum ExchangeKind
{
    /// <summary>A whole number; true and false are 1 and 0.</summary>
    Number,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Sixteen bytes: an id or a key.</summary>
    Id,

    /// <summary>Bytes, in base64.</summary>
    Bytes,
}

/// <summary>A table of an exported store: its columns have the same names in each engine.</summary>
internal sealed class ExchangeTable(string name, string order, params (string Name, ExchangeKind Kind)[] columns)
{
    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>In which order SQLite gives its rows.</summary>
    public string Order { get; } = order;

    /// <summary>Its columns.</summary>
    public IReadOnlyList<(string Name, ExchangeKind Kind)> Columns { get; } = columns;

    /// <summary>Their names, for a statement.</summary>
    public string ColumnList { get; } = string.Join(", ", columns.Select(column => column.Name));
}

/// <summary>
/// A store as text that no engine owns: JSON arrays, one a line. The first is a header, then come the rows, each with its table's name first, and at the
/// end how many they were and the SHA-256 of everything before, so that a file that was cut off or changed is noticed before anything of it counts.
/// </summary>
internal static class ExchangeFormat
{
    /// <summary>What a file begins with.</summary>
    public const string Name = "channelbridge-store";

    /// <summary>The version that this program writes and reads.</summary>
    public const int Version = 1;

    /// <summary>The table whose column <c>dedupe</c> PostgreSQL keeps elsewhere.</summary>
    public const string Inbox = "inbox";

    /// <summary>The tables, in the order in which they are written; later ones refer to earlier ones.</summary>
    public static readonly IReadOnlyList<ExchangeTable> Tables =
    [
        new("account", "id", ("id", ExchangeKind.Number), ("channel", ExchangeKind.Text), ("account", ExchangeKind.Text)),
        new(
            "lane", "id", ("id", ExchangeKind.Number), ("account", ExchangeKind.Number), ("session_key", ExchangeKind.Text), ("last_in", ExchangeKind.Number),
            ("last_out", ExchangeKind.Number)),
        new(
            Inbox, "id", ("uuid", ExchangeKind.Id), ("lane", ExchangeKind.Number), ("ordinal", ExchangeKind.Number), ("state", ExchangeKind.Number),
            ("attempts", ExchangeKind.Number), ("next_attempt_at", ExchangeKind.Number), ("accepted_at", ExchangeKind.Number), ("ended_at", ExchangeKind.Number),
            ("dedupe_until", ExchangeKind.Number), ("dedupe", ExchangeKind.Id), ("error", ExchangeKind.Text), ("payload", ExchangeKind.Bytes)),
        new(
            "outbox", "id", ("uuid", ExchangeKind.Id), ("account", ExchangeKind.Number), ("lane", ExchangeKind.Number), ("seq", ExchangeKind.Number),
            ("state", ExchangeKind.Number), ("settled", ExchangeKind.Number), ("attempts", ExchangeKind.Number), ("next_attempt_at", ExchangeKind.Number),
            ("accepted_at", ExchangeKind.Number), ("expires_at", ExchangeKind.Number), ("pushed_at", ExchangeKind.Number), ("acked_at", ExchangeKind.Number),
            ("delivered_at", ExchangeKind.Number), ("ended_at", ExchangeKind.Number), ("reply_to", ExchangeKind.Id), ("error", ExchangeKind.Text),
            ("history", ExchangeKind.Bytes), ("payload", ExchangeKind.Bytes)),
        new(
            "record", "ns, key", ("ns", ExchangeKind.Text), ("key", ExchangeKind.Text), ("version", ExchangeKind.Number), ("updated_at", ExchangeKind.Number),
            ("expires_at", ExchangeKind.Number), ("idx", ExchangeKind.Text), ("value", ExchangeKind.Bytes)),
        new("sequence", "name", ("name", ExchangeKind.Text), ("value", ExchangeKind.Number)),
        new("log", "id", ("id", ExchangeKind.Number), ("name", ExchangeKind.Text), ("last", ExchangeKind.Number)),
        new(
            "log_entry", "id", ("log", ExchangeKind.Number), ("number", ExchangeKind.Number), ("once", ExchangeKind.Text), ("expires_at", ExchangeKind.Number),
            ("value", ExchangeKind.Bytes)),
    ];
}
