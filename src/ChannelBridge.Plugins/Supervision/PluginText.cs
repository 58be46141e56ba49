namespace ChannelBridge.Plugins.Supervision;

/// <summary>Texts of plugins, cut to what is shown.</summary>
internal static class PluginText
{
    /// <summary>The text, or its beginning without half a character.</summary>
    public static string Cut(string text, int length)
    {
        if (text.Length <= length) return text;
        return text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
    }
}
