namespace ChannelBridge.Host.Settings;

/// <summary>The settings don't allow a start. Each problem is one line that names the key, what is wrong, and an example.</summary>
internal sealed class SettingsException(IReadOnlyList<string> problems) : Exception(string.Join(Environment.NewLine, problems))
{
    /// <summary>The problems.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}
