using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Channels;

/// <summary>
/// How a channel's accounts are written. Ids are compared without case everywhere; an account is shown as the channel reports it, and one that it doesn't
/// report as it was written.
/// </summary>
public sealed record AccountSpelling
{
    /// <summary>No default account; any id of at most 64 characters without control characters.</summary>
    public static AccountSpelling AsWritten { get; } = new();

    /// <summary>The account that is meant where none is named, or null: then one must be named.</summary>
    public string? Default { get; init; }

    /// <summary>Other words for <see cref="Default"/>, compared without case.</summary>
    public IReadOnlyList<string> DefaultAliases { get; init; } = [];

    /// <summary>The longest id, in UTF-16 units. Default 64.</summary>
    public int MaxLength { get; init; } = 64;

    /// <summary>Characters that no id may have, besides control characters. Default none.</summary>
    public string Forbidden { get; init; } = "";

    /// <summary>The id that was meant by what was written.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.InvalidRequest"/>: no account can have this id.</exception>
    public string Apply(string? written)
    {
        var id = written?.Trim() ?? "";
        if (Default is { } usual && (id.Length == 0 || Equals(id, usual) || DefaultAliases.Any(alias => Equals(id, alias)))) return usual;
        if (id.Length > MaxLength || id.AsSpan().ContainsAny(Forbidden) || id.Any(char.IsControl))
        {
            var without = Forbidden.Length == 0 ? "" : $" and without {string.Join(' ', Forbidden.AsEnumerable())}";
            throw BridgeException.Invalid($"accountId must have at most {MaxLength} characters, without control characters{without}");
        }

        return id;
    }

    private static bool Equals(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);
}
