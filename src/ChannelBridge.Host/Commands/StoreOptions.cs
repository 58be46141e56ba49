using System.CommandLine;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// The options of a command that opens the store itself. What isn't given stays as the settings say, so that the command opens the store that the
/// host would open.
/// </summary>
internal static class StoreOptions
{
    private static readonly Option<string?> Data = new("--data", "-d")
    {
        Description = $"The data folder [default: as the settings say, or {Defaults.DataDirectoryText}]",
        HelpName = "DIR",
    };

    private static readonly Option<string?> Store = new("--store")
    {
        Description = "PostgreSQL: its connection string; prefer Store:ConnectionFile when it holds a password [default: as the "
            + "settings say, or SQLite in DIR]",
        HelpName = "CONNECTION",
    };

    /// <summary>Adds them to a command.</summary>
    public static void AddTo(Command command)
    {
        command.Options.Add(Data);
        command.Options.Add(Store);
    }

    /// <summary>Reads and checks the settings, these options before all others.</summary>
    /// <exception cref="SettingsException">At least one value doesn't fit.</exception>
    public static HostSettings Load(ParseResult parsed) => SettingsLoader.Load(Read(parsed));

    /// <summary>The settings that the command line gives.</summary>
    public static Dictionary<string, string?> Read(ParseResult parsed)
    {
        // A null takes away what the other sources say, so a key stands here only when its option was typed.
        var result = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        if (parsed.GetResult(Data) is not null) result["Store:Data"] = parsed.GetValue(Data) ?? "";
        if (parsed.GetResult(Store) is not null)
        {
            result["Store:Connection"] = parsed.GetValue(Store) ?? "";
            result["Store:ConnectionFile"] = null;
        }

        return result;
    }
}
