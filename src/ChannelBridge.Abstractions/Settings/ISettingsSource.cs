namespace ChannelBridge.Abstractions.Settings;

/// <summary>Where settings come from: keys with parts between colons, compared without case.</summary>
public interface ISettingsSource
{
    /// <summary>The value of a key, or null when there is none.</summary>
    string? Get(string key);

    /// <summary>The names directly below a key, such as the accounts of a channel or the places of a list.</summary>
    IReadOnlyList<string> Children(string key);
}
