using System.Collections;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Host.Terminal;
using ChannelBridge.Protocol;

namespace ChannelBridge.Host.Settings;

/// <summary>Settings of the environment: <c>CHANNELBRIDGE__SECTION__KEY</c>, and the variables of other programs that channels understand.</summary>
internal static class EnvironmentSettings
{
    private const string Kind = "environment";
    private const string Product = "CHANNELBRIDGE";

    /// <summary>The process's own environment.</summary>
    public static IReadOnlyDictionary<string, string> OfProcess()
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables()) result[(string)entry.Key] = (string?)entry.Value ?? "";
        return result;
    }

    /// <summary>The variables of our own.</summary>
    public static SettingsLayer Own(IReadOnlyDictionary<string, string> variables)
    {
        var values = new Dictionary<string, SettingValue>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in variables)
        {
            if (KeyOf(name) is { } key) values[key] = new SettingValue(value, Kind, name);
        }

        return new SettingsLayer(Kind, values);
    }

    /// <summary>The variables of other programs that channels understand.</summary>
    public static SettingsLayer Aliases(IReadOnlyDictionary<string, string> variables, IEnumerable<ChannelSettings> channels)
    {
        var values = new Dictionary<string, SettingValue>(StringComparer.OrdinalIgnoreCase);
        foreach (var channel in channels)
        {
            foreach (var alias in channel.Aliases)
            {
                if (alias.Value(variables.GetValueOrDefault) is { } value)
                    values[channel.Prefix + alias.Name] = new SettingValue(value, Kind, alias.Variable);
            }
        }

        return new SettingsLayer(Kind, values);
    }

    /// <summary>Warns about variables that begin as ours do and name nothing.</summary>
    public static IEnumerable<string> Unknown(IReadOnlyDictionary<string, string> variables, MergedSettings settings, SettingsIndex index)
    {
        // An agent's key may stand in any variable.
        var named = settings.Values
            .Where(pair => pair.Key.EndsWith(":KeyVariable", StringComparison.OrdinalIgnoreCase))
            .Select(pair => pair.Value.Value)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var name in variables.Keys.Order(StringComparer.Ordinal))
        {
            if (!name.StartsWith(Product, StringComparison.OrdinalIgnoreCase) || KeyOf(name) is not null || named.Contains(name)) continue;
            var nearest = index.Settings.MinBy(setting => Nearest.Distance(setting.EnvironmentName, name.ToUpperInvariant()))!;
            yield return $"the environment variable {SoundText.Cut(name, 120, "…")} names no setting, ignored; did you mean {nearest.EnvironmentName}?";
        }
    }

    private static string? KeyOf(string name) =>
        name.Length > SettingsLoader.EnvironmentPrefix.Length && name.StartsWith(SettingsLoader.EnvironmentPrefix, StringComparison.OrdinalIgnoreCase)
            ? name[SettingsLoader.EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal)
            : null;
}
