namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>Native commands: a text whose first word is <c>/name</c>. Authority is decided where the command is run.</summary>
internal static class Commands
{
    /// <summary>True when the text is a command; <c>/help</c> becomes <c>/commands</c>, which is its name at the gateway.</summary>
    public static bool IsCommand(ref string text)
    {
        var trimmed = text.AsSpan().TrimStart();
        if (trimmed.Length < 2 || trimmed[0] != '/' || !char.IsAsciiLetter(trimmed[1])) return false;
        var end = 1;
        while (end < trimmed.Length && (char.IsAsciiLetterOrDigit(trimmed[end]) || trimmed[end] is '_' or '-')) end++;
        // `/etc/passwd` is a path, not a command.
        if (end < trimmed.Length && !char.IsWhiteSpace(trimmed[end]) && trimmed[end] is not (':' or '@')) return false;
        var name = trimmed[..end];
        text = name.Equals("/help", StringComparison.OrdinalIgnoreCase) ? string.Concat("/commands", trimmed[end..]) : trimmed.ToString();
        return true;
    }
}
