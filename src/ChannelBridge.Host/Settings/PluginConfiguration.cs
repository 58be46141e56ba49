using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Host.Commands;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// Reads <c>Plugins:&lt;id&gt;</c>: how a plugin's process is held, and its own settings, whose types are in the plugin's manifest. Read
/// when a plugin is started, because it may be installed later than the host is started.
/// </summary>
internal static class PluginConfiguration
{
    private static readonly string[] Known = ["Enabled", "Command", "Environment", "Paths", "MaxMemory", "MaxDisk", "MaxFiles", "Settings"];

    /// <summary>The keys, for the catalogue. What a plugin itself takes is in its manifest.</summary>
    public static readonly IReadOnlyList<Setting> Keys =
    [
        new("Plugins:RequireSignature", "auto",
            "Install and start only plugins that are signed by a trusted key: `true`, `false` (a warning says so), or `auto`: where an "
                + "address of the host can be reached from other machines.", "true"),
        new("Plugins:<id>:Enabled", "true", "Start the plugin's process.", "false") { Kind = SettingKind.Flag },
        // Which of them are secrets is in manifests that this list doesn't know.
        new("Plugins:<id>:Settings", "none", "The plugin's own settings, checked against the schema in its manifest.", "{}") { Kind = SettingKind.Open, IsSecret = true },
        new("Plugins:<id>:Command", "none",
            "Program and arguments in front of the plugin's own, for another user or a container; they hand stdin and stdout on.",
            "sudo, -u, chat") { Kind = SettingKind.List },
        new("Plugins:<id>:Environment", "none",
            "Names of environment variables that the process gets beside PATH, HOME, TMPDIR, LANG, TZ and DOTNET_ROOT.",
            "HTTPS_PROXY") { Kind = SettingKind.List },
        new("Plugins:<id>:Paths", "none",
            "Paths of endpoints that the plugin may have beside those below its channels' ids, each with what is below it.",
            "/hooks") { Kind = SettingKind.List },
        new("Plugins:<id>:MaxMemory", "512 MiB", "Over it, the process is ended and started again.", "1 GiB") { Kind = SettingKind.Size },
        new("Plugins:<id>:MaxDisk", "1 GiB",
            "The most that its data folder may hold; over it, it is stopped until there is room and `plugins restart` is said.", "10 GiB") { Kind = SettingKind.Size },
        new("Plugins:<id>:MaxFiles", "4096", "Open files of the process, on Linux.", "1024") { Kind = SettingKind.Number },
    ];

    /// <summary>The settings of one plugin.</summary>
    /// <exception cref="BridgeException">A value can't be read; the message names its key.</exception>
    public static PluginSettings Read(IConfiguration configuration, string defaultAgent, PluginManifest manifest)
    {
        var section = configuration.GetSection($"Plugins:{manifest.Id}");
        var plain = new PluginOptions();
        foreach (var child in section.GetChildren())
        {
            if (!Known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                throw BridgeException.Invalid($"{child.Path}: there is no such setting; there are {string.Join(", ", Known)}");
        }

        var own = section.GetSection("Settings");
        return new PluginSettings
        {
            Options = new PluginOptions
            {
                Enabled = Flag(section, "Enabled", plain.Enabled),
                Command = List(section, "Command"),
                Environment = List(section, "Environment"),
                Paths = List(section, "Paths"),
                MaxMemory = Size(section, "MaxMemory", plain.MaxMemory, "512 MiB"),
                MaxDisk = Size(section, "MaxDisk", plain.MaxDisk, "1 GiB"),
                MaxFiles = section["MaxFiles"] is { } files ? ReadFiles(section, files) : plain.MaxFiles,
            },
            Settings = manifest.Settings is { } schema
                ? JsonSerializer.SerializeToElement(ToJson(own, schema), CommandJson.Default.JsonNode) : null,
            AgentOf = channel => configuration[$"Channels:{channel}:Agent"] is { Length: > 0 } agent ? agent : defaultAgent,
        };
    }

    /// <summary><c>Plugins:RequireSignature</c>: <c>auto</c> (by whether others can reach the host), <c>true</c> or <c>false</c>.</summary>
    /// <exception cref="SettingsException">It is something else.</exception>
    public static bool ReadRequireSignature(IConfiguration configuration, bool isPublic) =>
        configuration["Plugins:RequireSignature"] is not { Length: > 0 } text || string.Equals(text, "auto", StringComparison.OrdinalIgnoreCase) ? isPublic
        : bool.TryParse(text, out var chosen) ? chosen
        : throw new SettingsException(["Plugins:RequireSignature: this value can't be read; example: true, false or auto"]);

    // A configuration has texts only; the schema says what they are.
    private static JsonNode? ToJson(IConfigurationSection section, JsonElement schema)
    {
        var children = section.GetChildren().ToList();
        var type = schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var given)
            && given.ValueKind == JsonValueKind.String
            ? given.GetString()
            : children.Count > 0 ? "object" : "string";
        switch (type)
        {
            case "object":
                var result = new JsonObject();
                var properties = default(JsonElement);
                var hasProperties = schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("properties", out properties);
                foreach (var child in children)
                {
                    // Names of settings are known in any case.
                    var known = hasProperties ? Find(properties, child.Key) : default;
                    var isKnown = known.Value.ValueKind != JsonValueKind.Undefined;
                    result[isKnown ? known.Name : child.Key] = ToJson(child, isKnown ? known.Value : default);
                }

                return result;
            case "array":
                var items = schema.TryGetProperty("items", out var item) ? item : default;
                return new JsonArray([.. children.Select(child => ToJson(child, items))]);
            case "integer" when long.TryParse(section.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number):
                return JsonValue.Create(number);
            case "number" when double.TryParse(section.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var real):
                return JsonValue.Create(real);
            case "boolean" when bool.TryParse(section.Value, out var flag):
                return JsonValue.Create(flag);
            default:
                // What doesn't fit is told by the check against the schema.
                return JsonValue.Create(section.Value);
        }
    }

    private static JsonProperty Find(JsonElement properties, string name) =>
        properties.EnumerateObject().FirstOrDefault(property => string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase));

    private static List<string> List(IConfigurationSection section, string key) => section[key] is { } text
        ? [.. text.Split([',', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)]
        : [.. section.GetSection(key).GetChildren().Select(child => child.Value).OfType<string>()];

    private static long Size(IConfigurationSection section, string key, long otherwise, string example) =>
        section[key] is not { } text ? otherwise : SettingText.ParseSize(text) ?? throw Wrong(section, key, example);

    private static int ReadFiles(IConfigurationSection section, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var most) && most > 15 ? most : throw Wrong(section, "MaxFiles", "4096");

    private static bool Flag(IConfigurationSection section, string key, bool otherwise) =>
        section[key] is not { } text ? otherwise : bool.TryParse(text, out var flag) ? flag : throw Wrong(section, key, "true");

    private static BridgeException Wrong(IConfigurationSection section, string key, string example) =>
        BridgeException.Invalid($"{section.Path}:{key}: this value can't be read; example: {example}");
}
