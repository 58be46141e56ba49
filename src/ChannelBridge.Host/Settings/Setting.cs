namespace ChannelBridge.Host.Settings;

/// <summary>
/// One key that the host understands, as documentation, validation and the warning about unknown keys need it. All but the key itself is made when
/// it is asked for: a start reads a hundred keys and needs the words of none.
/// </summary>
/// <param name="key">The key with <c>&lt;name&gt;</c> for parts that the operator chooses.</param>
/// <param name="describe">Gives the default as it would be written (or a word for it), what it does in one sentence, and a value that works.</param>
internal sealed class Setting(string key, Func<(string Default, string Summary, string Example)> describe)
{
    private readonly Lazy<(string Default, string Summary, string Example)> _words = new(describe);

    /// <summary>One whose words are known.</summary>
    public Setting(string key, string standard, string summary, string example)
        : this(key, () => (standard, summary, example))
    {
    }

    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>The default as it would be written, or a word for it.</summary>
    public string Default => _words.Value.Default;

    /// <summary>What it does; one sentence.</summary>
    public string Summary => _words.Value.Summary;

    /// <summary>A value that works.</summary>
    public string Example => _words.Value.Example;

    /// <summary>The command-line option that sets it, or null.</summary>
    public string? Option { get; init; }

    /// <summary>The key as an environment variable.</summary>
    public string EnvironmentName => "CHANNELBRIDGE__" + Key.ToUpperInvariant().Replace(":", "__", StringComparison.Ordinal);

    /// <summary>True when <paramref name="key"/> is this key or, for a list, one of its items.</summary>
    public bool Matches(string key)
    {
        var pattern = Key.Split(':');
        var parts = key.Split(':');
        if (parts.Length == pattern.Length + 1 && int.TryParse(parts[^1], out _)) parts = parts[..^1];
        if (parts.Length != pattern.Length) return false;
        for (var i = 0; i < parts.Length; i++)
        {
            if (!pattern[i].StartsWith('<') && !string.Equals(pattern[i], parts[i], StringComparison.OrdinalIgnoreCase)) return false;
        }

        return true;
    }
}
