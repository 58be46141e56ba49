namespace ChannelBridge.Abstractions.Settings;

/// <summary>
/// One key that the host understands, as documentation, validation and the warning about unknown keys need it. All but the key itself is made when
/// it is asked for: a start reads a hundred keys and needs the words of none.
/// </summary>
/// <param name="key">The key with <c>&lt;name&gt;</c> for parts that the operator chooses.</param>
/// <param name="kind">How its value is written.</param>
/// <param name="describe">Gives its words.</param>
public sealed class Setting(string key, SettingKind kind, Func<SettingWords> describe)
{
    private readonly Lazy<SettingWords> _words = new(describe);

    /// <summary>One whose words are known.</summary>
    /// <param name="key">The key with <c>&lt;name&gt;</c> for parts that the operator chooses.</param>
    /// <param name="standard">The default as it would be written, or a word for it.</param>
    /// <param name="summary">What it does; one sentence.</param>
    /// <param name="example">A value that works.</param>
    public Setting(string key, string standard, string summary, string example)
        : this(key, SettingKind.Text, () => new SettingWords(standard, summary, example))
    {
    }

    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>How its value is written.</summary>
    public SettingKind Kind { get; init; } = kind;

    /// <summary>True when the value is a secret, which is neither shown nor logged.</summary>
    public bool IsSecret { get; init; }

    /// <summary>The default as it would be written, or a word for it.</summary>
    public string Default => _words.Value.Default;

    /// <summary>What it does, with its range; one sentence.</summary>
    public string Summary => _words.Value.Summary;

    /// <summary>A value that works.</summary>
    public string Example => _words.Value.Example;

    /// <summary>The smallest value as it would be written, or null.</summary>
    public string? Minimum => _words.Value.Minimum;

    /// <summary>The greatest value as it would be written, or null.</summary>
    public string? Maximum => _words.Value.Maximum;

    /// <summary>The words of which the value is one; empty for any.</summary>
    public IReadOnlyList<string> Choices => _words.Value.Choices;

    /// <summary>The command-line option that sets it, or null.</summary>
    public string? Option { get; init; }

    /// <summary>The key as an environment variable.</summary>
    public string EnvironmentName => "CHANNELBRIDGE__" + Key.ToUpperInvariant().Replace(":", "__", StringComparison.Ordinal);
}

/// <summary>The words of a setting.</summary>
/// <param name="Default">The default as it would be written, or a word for it.</param>
/// <param name="Summary">What it does; one sentence.</param>
/// <param name="Example">A value that works.</param>
public sealed record SettingWords(string Default, string Summary, string Example)
{
    /// <summary>The smallest value as it would be written, or null.</summary>
    public string? Minimum { get; init; }

    /// <summary>The greatest value as it would be written, or null.</summary>
    public string? Maximum { get; init; }

    /// <summary>The words of which the value is one; empty for any.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];
}
