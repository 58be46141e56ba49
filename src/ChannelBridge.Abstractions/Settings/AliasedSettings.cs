namespace ChannelBridge.Abstractions.Settings;

/// <summary>A source, and behind it the variables that stand for keys of a channel.</summary>
/// <param name="source">The source; null: there is none.</param>
/// <param name="settings">Whose variables.</param>
/// <param name="environment">Gives a variable; null: the process's own.</param>
public sealed class AliasedSettings(ISettingsSource? source, ChannelSettings settings, Func<string, string?>? environment = null) : ISettingsSource
{
    /// <inheritdoc/>
    public string? Get(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (source?.Get(key) is { } value) return value;
        if (!key.StartsWith(settings.Prefix, StringComparison.OrdinalIgnoreCase)) return null;
        var name = key.AsSpan(settings.Prefix.Length);
        foreach (var alias in settings.Aliases)
        {
            if (name.Equals(alias.Name, StringComparison.OrdinalIgnoreCase) && alias.Value(environment ?? Environment.GetEnvironmentVariable) is { } other)
                return other;
        }

        return null;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Children(string key) => source?.Children(key) ?? [];
}
