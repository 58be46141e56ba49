namespace ChannelBridge.Host.Settings;

/// <summary>What was found of settings, whether they allow a start or not.</summary>
/// <param name="Merged">Every key with its value and where it stands.</param>
/// <param name="Settings">The settings; null when they could not be read at all.</param>
/// <param name="Problems">What doesn't allow a start, one line each.</param>
/// <param name="Warnings">What should be looked at, one line each.</param>
internal sealed record SettingsReport(MergedSettings Merged, HostSettings? Settings, IReadOnlyList<string> Problems, IReadOnlyList<string> Warnings);
