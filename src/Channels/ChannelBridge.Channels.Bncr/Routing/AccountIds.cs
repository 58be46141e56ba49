namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>Account ids: compared without case, shown in their own; blank, <c>default</c> and <c>primary</c> are <c>Primary</c>.</summary>
internal static class AccountIds
{
    public const string Primary = "Primary";

    public const int MaxLength = 64;

    /// <summary>The id to show for what a client wrote.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">It is too long or has characters that no id may have.</exception>
    public static string Normalize(string? accountId)
    {
        var id = accountId.AsSpan().Trim();
        if (id.IsEmpty || id.Equals("default", StringComparison.OrdinalIgnoreCase) || id.Equals(Primary, StringComparison.OrdinalIgnoreCase)) return Primary;
        if (!Text.IsIdentifier(id, MaxLength) || id.ContainsAny('|', '/', '\\'))
        {
            throw Refusals.Invalid(
                "account-id", $"accountId must be at most {MaxLength} characters without control characters, '|', '/' or '\\', e.g. \"Primary\"");
        }

        return id.Length == accountId!.Length ? accountId : id.ToString();
    }

    /// <summary>What two spellings of one account have in common.</summary>
    public static string Key(string displayId) => displayId.ToLowerInvariant();
}
