namespace ChannelBridge.Channels.Juji;

/// <summary>Account ids: compared without case, shown in their own. They stand in session keys and paths, so they are plain words.</summary>
internal static class AccountIds
{
    /// <summary>The account where none is named.</summary>
    public const string Default = "default";

    /// <summary>1 to 64 letters, digits, <c>_</c>, <c>-</c> or <c>.</c>, not beginning with a dot.</summary>
    public static bool IsValid(string id) =>
        id.Length is > 0 and <= 64 && id[0] != '.' && id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');

    /// <summary>What two spellings of one account have in common.</summary>
    public static string Key(string id) => id.ToLowerInvariant();
}
