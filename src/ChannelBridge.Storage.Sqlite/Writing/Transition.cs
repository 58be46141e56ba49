using System.Globalization;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Young;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// A change of an entry's state, written once: as SQL for entries that are in their table, and as it is for those of the nursery. What both do follows from
/// the same rules, so it can't differ.
/// </summary>
internal sealed class Transition(Guard guard, params (Field Field, Rule Rule)[] rules)
{
    // SQLite decides by a statement's text which indexes an update touches, so what is fixed stands in it as a number, and each outcome is a statement.
    public static readonly Transition Retry = new(Guard.Pending, (Field.Attempts, Rule.Set), (Field.NextAttemptAt, Rule.Set), (Field.Error, Rule.SetIfGiven));

    public static readonly Transition Done = new(
        Guard.Pending, (Field.State, Rule.One), (Field.Attempts, Rule.Set), (Field.NextAttemptAt, Rule.Clear), (Field.EndedAt, Rule.Set), (Field.Error, Rule.SetIfGiven),
        (Field.Payload, Rule.Clear));

    /// <summary>Given up: the payload stays, for a replay.</summary>
    public static readonly Transition GiveUp = new(
        Guard.Pending, (Field.State, Rule.Two), (Field.Attempts, Rule.Set), (Field.NextAttemptAt, Rule.Clear), (Field.EndedAt, Rule.Set), (Field.Error, Rule.SetIfGiven));

    public static readonly Transition ReplayInbox = new(
        Guard.GivenUp, (Field.Place, Rule.Set), (Field.State, Rule.Clear), (Field.Attempts, Rule.Clear), (Field.NextAttemptAt, Rule.Clear), (Field.EndedAt, Rule.Clear),
        (Field.Error, Rule.Clear));

    public static readonly Transition DiscardInbox = new(Guard.GivenUp, (Field.State, Rule.One), (Field.Payload, Rule.Clear));

    /// <summary>Not settled: what is pending stays so.</summary>
    public static readonly Transition Progress = new(Guard.Unsettled, [.. Steps()]);

    /// <summary>Settled well: the payload isn't needed any more.</summary>
    public static readonly Transition Settle = new(Guard.Unsettled, [.. Steps(), (Field.Settled, Rule.One), (Field.Payload, Rule.Clear)]);

    /// <summary>Dead or expired: the payload stays, for a replay.</summary>
    public static readonly Transition End = new(Guard.Unsettled, [.. Steps(), (Field.Settled, Rule.One)]);

    public static readonly Transition Upgrade = new(
        Guard.Upgradable, (Field.State, Rule.Set), (Field.PushedAt, Rule.SetIfGiven), (Field.AckedAt, Rule.SetIfMissing), (Field.DeliveredAt, Rule.SetIfGiven),
        (Field.EndedAt, Rule.Clear), (Field.Payload, Rule.Clear));

    /// <summary>Its time to live counted from the first acceptance; who replays it wants it delivered, so it has none any more.</summary>
    public static readonly Transition ReplayOutbox = new(
        Guard.Ended, (Field.Place, Rule.Set), (Field.State, Rule.Clear), (Field.Settled, Rule.Clear), (Field.Attempts, Rule.Clear), (Field.NextAttemptAt, Rule.Clear),
        (Field.ExpiresAt, Rule.Clear), (Field.EndedAt, Rule.Clear), (Field.Error, Rule.Clear), (Field.History, Rule.AddLine));

    private static IEnumerable<(Field, Rule)> Steps() =>
    [
        (Field.State, Rule.Set), (Field.Attempts, Rule.Set), (Field.NextAttemptAt, Rule.Set), (Field.Error, Rule.SetIfGiven), (Field.History, Rule.AddLine),
        (Field.PushedAt, Rule.SetIfGiven), (Field.AckedAt, Rule.SetIfGiven), (Field.DeliveredAt, Rule.SetIfGiven), (Field.EndedAt, Rule.SetIfGiven),
    ];

    /// <summary>The transition of an inbox update.</summary>
    public static Transition Of(InboxUpdate write) => write.State switch
    {
        TurnState.Pending => Retry,
        TurnState.Done => Done,
        _ => GiveUp,
    };

    /// <summary>The transition of an outbox update of what isn't settled.</summary>
    public static Transition Of(OutboxUpdate write) => (write.Settled, write.State) switch
    {
        (false, _) => Progress,
        (true, DeliveryState.Dead or DeliveryState.Expired) => End,
        (true, _) => Settle,
    };

    /// <summary>The values of an update.</summary>
    public static Change ChangeOf(InboxUpdate write) => new()
    {
        Attempts = write.Attempts,
        NextAttemptAt = write.NextAttemptAt,
        EndedAt = write.At,
        Error = write.Error,
    };

    /// <summary>The values of an update of what isn't settled.</summary>
    public static Change ChangeOf(OutboxUpdate write) => new()
    {
        State = (long)write.State,
        Attempts = write.Attempts,
        NextAttemptAt = write.NextAttemptAt,
        PushedAt = write.PushedAt == 0 && write.State == DeliveryState.Pushed ? write.At : write.PushedAt,
        AckedAt = write.State is DeliveryState.Acked or DeliveryState.Delivered ? write.At : 0,
        DeliveredAt = write.State == DeliveryState.Delivered ? write.At : 0,
        EndedAt = write.State is DeliveryState.Expired or DeliveryState.Dead ? write.At : 0,
        Error = write.Error,
        Line = write.HistoryLine.Span,
    };

    /// <summary>The values of better news about what is settled.</summary>
    public static Change UpgradeOf(OutboxUpdate write) => new()
    {
        State = (long)write.State,
        PushedAt = write.PushedAt,
        AckedAt = write.At,
        DeliveredAt = write.State == DeliveryState.Delivered ? write.At : 0,
    };

    /// <summary>The statement for entries in their table.</summary>
    /// <param name="database">The writer's connection.</param>
    /// <param name="table"><c>inbox</c> or <c>outbox</c>.</param>
    /// <param name="where">Which entry, by the parameters 1 to 3; with the guard where that isn't known otherwise.</param>
    public SqliteStatement Prepare(SqliteDatabase database, string table, string where) =>
        database.Prepare($"UPDATE {table} SET {string.Join(", ", rules.Select(rule => Assignment(table, rule.Field, rule.Rule)))} WHERE {where}");

    /// <summary>The guard as SQL.</summary>
    public string Condition => guard switch
    {
        Guard.Pending => "state = 0",
        Guard.GivenUp => "state = 2",
        Guard.Unsettled => "settled = 0",
        Guard.Upgradable => $"settled = 1 AND state >= 1 AND (state < ?{(int)Field.State} OR state >= 4)",
        _ => "state >= 4 AND settled = 1",
    };

    /// <summary>Binds what the statement's rules take; the caller has bound the entry.</summary>
    public SqliteStatement Bind(SqliteStatement statement, in Change change)
    {
        foreach (var (field, rule) in rules)
        {
            if (rule is Rule.Clear or Rule.One or Rule.Two) continue;
            switch (field)
            {
                case Field.Error: statement.Bind((int)field, change.Error); break;
                case Field.History: statement.Bind((int)field, change.Line); break;
                default: statement.Bind((int)field, change.Number(field)); break;
            }
        }

        return statement;
    }

    /// <summary>True when it holds for an inbox entry of the nursery.</summary>
    public bool HoldsFor(in InboxState state) => guard == Guard.Pending ? state.State == TurnState.Pending : state.State == TurnState.Dead;

    /// <summary>True when it holds for an outbox entry of the nursery.</summary>
    public bool HoldsFor(in OutboxState state, in Change change) => guard switch
    {
        Guard.Unsettled => !state.Settled,
        Guard.Upgradable => state.Settled && state.State >= DeliveryState.Pushed && ((long)state.State < change.State || state.State >= DeliveryState.Expired),
        _ => state is { Settled: true, State: >= DeliveryState.Expired },
    };

    /// <summary>What an inbox entry of the nursery becomes.</summary>
    public InboxState Apply(InboxState state, in Change change)
    {
        foreach (var (field, rule) in rules)
        {
            switch (field)
            {
                case Field.Place: state.Ordinal = Next(rule, state.Ordinal, field, change); break;
                case Field.State: state.State = (TurnState)Next(rule, (long)state.State, field, change); break;
                case Field.Attempts: state.Attempts = (int)Next(rule, state.Attempts, field, change); break;
                case Field.NextAttemptAt: state.NextAttemptAt = Next(rule, state.NextAttemptAt, field, change); break;
                case Field.EndedAt: state.EndedAt = Next(rule, state.EndedAt, field, change); break;
                case Field.Error: state.Error = Next(rule, state.Error, change.Error); break;
                case Field.Payload: state.PayloadDropped = true; break;
                default: throw new ArgumentOutOfRangeException(nameof(change), field, "an inbox entry has no such field");
            }
        }

        return state;
    }

    /// <summary>What an outbox entry of the nursery becomes.</summary>
    public OutboxState Apply(OutboxState state, in Change change)
    {
        foreach (var (field, rule) in rules)
        {
            switch (field)
            {
                case Field.Place: state.Seq = Next(rule, state.Seq, field, change); break;
                case Field.State: state.State = (DeliveryState)Next(rule, (long)state.State, field, change); break;
                case Field.Attempts: state.Attempts = (int)Next(rule, state.Attempts, field, change); break;
                case Field.NextAttemptAt: state.NextAttemptAt = Next(rule, state.NextAttemptAt, field, change); break;
                case Field.PushedAt: state.PushedAt = Next(rule, state.PushedAt, field, change); break;
                case Field.AckedAt: state.AckedAt = Next(rule, state.AckedAt, field, change); break;
                case Field.DeliveredAt: state.DeliveredAt = Next(rule, state.DeliveredAt, field, change); break;
                case Field.EndedAt: state.EndedAt = Next(rule, state.EndedAt, field, change); break;
                case Field.ExpiresAt: state.ExpiresAt = Next(rule, state.ExpiresAt, field, change); break;
                case Field.Settled: state.Settled = Next(rule, 0, field, change) != 0; break;
                case Field.Error: state.Error = Next(rule, state.Error, change.Error); break;
                case Field.History: if (!change.Line.IsEmpty) state.History = [.. state.History ?? [], .. change.Line, (byte)'\n']; break;
                case Field.Payload: state.PayloadDropped = true; break;
                default: throw new ArgumentOutOfRangeException(nameof(change), field, "an outbox entry has no such field");
            }
        }

        return state;
    }

    private static long Next(Rule rule, long now, Field field, in Change change) => rule switch
    {
        Rule.Set => change.Number(field),
        Rule.SetIfGiven => change.Number(field) is not 0 and var given ? given : now,
        Rule.SetIfMissing => now != 0 ? now : change.Number(field),
        Rule.One => 1,
        Rule.Two => 2,
        _ => 0,
    };

    private static string? Next(Rule rule, string? now, string? given) => rule == Rule.Clear ? null : given is null ? now : SoundText.Storable(given);

    // No history and no line are NULL; || makes text of its parts, hence the cast.
    private static string Assignment(string table, Field field, Rule rule)
    {
        var column = Column(table, field);
        var value = "?" + ((int)field).ToString(CultureInfo.InvariantCulture);
        var isNumber = field is not (Field.Error or Field.History or Field.Payload);
        return column + " = " + rule switch
        {
            Rule.Set => value,
            Rule.SetIfGiven => isNumber ? $"CASE {value} WHEN 0 THEN {column} ELSE {value} END" : $"coalesce({value}, {column})",
            Rule.SetIfMissing => $"CASE {column} WHEN 0 THEN {value} ELSE {column} END",
            Rule.AddLine => $"CASE WHEN {value} IS NULL THEN {column} ELSE CAST(coalesce({column}, '') || {value} || x'0A' AS BLOB) END",
            Rule.One => "1",
            Rule.Two => "2",
            _ => isNumber ? "0" : "NULL",
        };
    }

    private static string Column(string table, Field field) => field switch
    {
        Field.Place => table == "inbox" ? "ordinal" : "seq",
        Field.State => "state",
        Field.Attempts => "attempts",
        Field.NextAttemptAt => "next_attempt_at",
        Field.PushedAt => "pushed_at",
        Field.AckedAt => "acked_at",
        Field.DeliveredAt => "delivered_at",
        Field.EndedAt => "ended_at",
        Field.ExpiresAt => "expires_at",
        Field.Error => "error",
        Field.History => "history",
        Field.Settled => "settled",
        _ => "payload",
    };
}
