namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// The split of a conversation into tasks: a text that begins with <c>#task:KEY</c>, <c>#task=KEY</c>, <c>/task:KEY</c>, <c>/task=KEY</c> or
/// <c>/task KEY text</c> belongs to the sub-conversation KEY, <c>[a-z0-9_-]</c>, at most 32 characters, lower-cased.
/// </summary>
internal static class TaskPrefix
{
    public const int MaxKeyLength = 32;

    /// <summary>The task key, and the text behind the prefix; null and the whole text when there is no prefix.</summary>
    public static (string? TaskKey, string Text) Split(string text)
    {
        var rest = text.AsSpan().TrimStart();
        bool slash;
        if (rest.StartsWith("#task", StringComparison.OrdinalIgnoreCase)) slash = false;
        else if (rest.StartsWith("/task", StringComparison.OrdinalIgnoreCase)) slash = true;
        else return (null, text);

        rest = rest["#task".Length..];
        var tagged = rest.TrimStart();
        var spaced = !tagged.IsEmpty && tagged[0] is not (':' or '=');
        if (spaced && (!slash || tagged.Length == rest.Length)) return (null, text);
        if (tagged.IsEmpty) return (null, text);
        if (!spaced) tagged = tagged[1..].TrimStart();

        var length = 0;
        while (length < tagged.Length && IsKeyCharacter(tagged[length])) length++;
        if (length is 0 or > MaxKeyLength) return (null, text);
        var body = tagged[length..];
        // `/task KEY` alone names no message: it is left to the agent. So is a key that runs into other characters.
        if (spaced && (body.IsEmpty || !char.IsWhiteSpace(body[0]))) return (null, text);
        body = body.TrimStart();
        if (spaced && body.IsEmpty) return (null, text);
        return (tagged[..length].ToString().ToLowerInvariant(), body.ToString());
    }

    /// <summary>True for a task key in either case.</summary>
    public static bool IsKey(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.Length > MaxKeyLength) return false;
        foreach (var c in text)
        {
            if (!IsKeyCharacter(c)) return false;
        }

        return true;
    }

    private static bool IsKeyCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';
}
