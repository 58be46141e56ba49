using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.OpenClaw;

/// <summary>A channel that is to be seen in the gateway beside the built-in ones.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Label">The name that people see.</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="Account">The account that is there without being set up.</param>
public sealed record PackagedChannel(string Id, string Label, string Description, string Account);

/// <summary>A tool of such a channel, for the gateway's agent.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does, in words for the agent.</param>
/// <param name="Parameters">The JSON Schema of its arguments.</param>
public sealed record PackagedTool(string Name, string Description, JsonNode Parameters);

/// <summary>
/// Makes the npm package of the OpenClaw plugin with further channels: the gateway reads channels, methods and tools from files, and those
/// are what differs. The same channels give the same bytes.
/// </summary>
public static class GatewayPackage
{
    private const string Offers = "plugin-manifest/offers.json";
    private const string Template = "multiclaws";

    // Ids and aliases of the gateway's own catalogue (2026.9.6): a channel of one of these names would be shown as that one, or not at all.
    private static readonly string[] Core =
    [
        "a2a", "buzz", "clickclack", "discord", "enterprise-wechat", "feishu", "gchat", "google-chat", "googlechat", "imap", "imessage", "imsg",
        "internet-relay-chat", "irc", "lark", "line", "matrix", "mattermost", "msteams", "nc", "nc-talk", "nextcloud-talk", "nostr", "openclaw-weixin",
        "openclaw-zaloclawbot", "qqbot", "qywx", "raft", "reef", "signal", "slack", "sms", "synology-chat", "teams", "telegram", "tencent-yuanbao",
        "tlon", "twitch", "twitch-chat", "wechat", "wecom", "weixin", "wework", "whatsapp", "yb", "yuanbao", "zalo", "zalo-clawbot", "zaloclawbot",
        "zalouser", "zl", "zlu",
    ];

    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The files of a package with further channels, by their names, as <see cref="PluginPackage.Expect"/> takes them.</summary>
    /// <param name="package">The built-in package.</param>
    /// <param name="channels">The channels.</param>
    /// <param name="methods">Their methods with the scope that each needs.</param>
    /// <param name="tools">Their tools.</param>
    /// <exception cref="BridgeException">An id is the gateway's own, or there twice.</exception>
    public static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Make(
        PluginPackage package, IReadOnlyList<PackagedChannel> channels, IReadOnlyList<KeyValuePair<string, string>> methods, IReadOnlyList<PackagedTool> tools)
    {
        ArgumentNullException.ThrowIfNull(package);
        ArgumentNullException.ThrowIfNull(channels);
        ArgumentNullException.ThrowIfNull(methods);
        ArgumentNullException.ThrowIfNull(tools);
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(package.Files, StringComparer.Ordinal);
        if (channels.Count == 0) return files;
        var manifest = JsonNode.Parse(files[PluginPackage.Manifest].Span)!.AsObject();
        var offers = JsonNode.Parse(files[Offers].Span)!.AsObject();
        var names = manifest["channels"]!.AsArray();
        var configs = manifest["channelConfigs"]!.AsObject();
        foreach (var channel in channels)
        {
            if (Core.Contains(channel.Id, StringComparer.OrdinalIgnoreCase))
                throw new BridgeException(ErrorCodes.Conflict, $"the gateway has a channel {channel.Id} of its own; the plugin's author must choose another id");
            if (configs.ContainsKey(channel.Id)) throw new BridgeException(ErrorCodes.Conflict, $"the package has a channel {channel.Id} already");
            names.Add((JsonNode)channel.Id);
            configs[channel.Id] = Config(configs[Template]!.AsObject(), channel);
        }

        foreach (var (name, scope) in methods) offers["methods"]![name] = scope;
        var contracts = manifest["contracts"]!["tools"]!.AsArray();
        foreach (var tool in tools)
        {
            if (offers["tools"]!.AsObject().ContainsKey(tool.Name)) throw new BridgeException(ErrorCodes.Conflict, $"the package has a tool {tool.Name} already");
            contracts.Add((JsonNode)tool.Name);
            offers["tools"]![tool.Name] = new JsonObject
            {
                ["label"] = tool.Name,
                ["description"] = tool.Description,
                ["parameters"] = tool.Parameters.DeepClone(),
            };
        }

        files[PluginPackage.Manifest] = Bytes(manifest);
        files[Offers] = Bytes(offers);
        return files;
    }

    /// <summary>The ids of the channels that a manifest of a package names.</summary>
    public static IReadOnlyList<string> ChannelsOf(ReadOnlyMemory<byte> manifest) =>
        [.. JsonNode.Parse(manifest.Span)!["channels"]!.AsArray().Select(channel => (string)channel!)];

    /// <summary>Writes the archive that <c>openclaw plugins install npm-pack:FILE</c> takes.</summary>
    public static async Task WriteAsync(
        PluginPackage package, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, Stream archive, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(package);
        ArgumentNullException.ThrowIfNull(files);
        var all = files.Append(KeyValuePair.Create("package.json", package.Description)).Concat(package.Skills).OrderBy(file => file.Key, StringComparer.Ordinal);
        var zip = new GZipStream(archive, CompressionLevel.Optimal, leaveOpen: true);
        await using (zip.ConfigureAwait(false))
        {
            var tar = new TarWriter(zip, TarEntryFormat.Ustar, leaveOpen: true);
            await using (tar.ConfigureAwait(false))
            {
                foreach (var (name, content) in all)
                {
                    var entry = new UstarTarEntry(TarEntryType.RegularFile, $"package/{name}")
                    {
                        DataStream = new MemoryStream(content.ToArray(), writable: false),
                        // One time for all: the same content is the same archive.
                        ModificationTime = DateTimeOffset.UnixEpoch.AddYears(15),
                        Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
                    };
                    await tar.WriteEntryAsync(entry, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private static JsonObject Config(JsonObject template, PackagedChannel channel)
    {
        var config = template.DeepClone().AsObject();
        config["label"] = channel.Label;
        config["description"] = channel.Description;
        var hints = config["uiHints"]!.AsObject();
        Hint(hints, "dmPolicy", "pairing: who writes for the first time gets a code that you approve; allowlist: only who is listed; "
            + "open: everybody (needs \"*\" in the list); disabled: nobody.");
        Hint(hints, "allowFrom", "Senders as the channel names them, \"*\" for all of them.");
        Hint(hints, "groupAllowFrom", "Groups as the channel names them, \"*\" for all of them.");
        Hint(hints, "accounts", "Settings of single accounts; what one doesn't set comes from above.");
        hints["allowFrom"]!.AsObject().Remove("placeholder");
        hints["allowFrom"]!["label"] = "Allowed senders";
        hints["accounts"]!["placeholder"] = channel.Account;
        return config;
    }

    private static void Hint(JsonObject hints, string name, string help) => hints[name]!["help"] = help;

    private static ReadOnlyMemory<byte> Bytes(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString(Written) + "\n");
}
