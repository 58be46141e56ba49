namespace ChannelBridge.Host.Settings;

/// <summary>One of the places from which settings come.</summary>
/// <param name="Kind">What it is: <c>file</c>, <c>environment</c> or <c>command line</c>.</param>
/// <param name="Values">The keys with their values and where exactly each stands.</param>
internal sealed record SettingsLayer(string Kind, IReadOnlyDictionary<string, SettingValue> Values)
{
    /// <summary>The options of the command line.</summary>
    public static SettingsLayer OfCommandLine(IReadOnlyDictionary<string, string?> keys)
    {
        const string Name = "command line";
        return new SettingsLayer(
            Name, keys.ToDictionary(pair => pair.Key, pair => new SettingValue(pair.Value, Name, ""), StringComparer.OrdinalIgnoreCase));
    }
}

/// <summary>A value and where it stands.</summary>
/// <param name="Value">The value; null takes away what earlier places say.</param>
/// <param name="Source">What the place is: <c>file</c>, <c>environment</c> or <c>command line</c>.</param>
/// <param name="Place">Which one it is: the file, the variable; empty for the command line.</param>
internal sealed record SettingValue(string? Value, string Source, string Place);
