using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Client;
using ChannelBridge.Identity;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// <c>channelbridge plugins</c>: what is installed, and its installing and removing. With a running host by the methods <c>plugins.*</c>;
/// without one what can be done on disk is done there.
/// </summary>
internal static class PluginsCommand
{
    private const string Trust = "A plugin's process runs as the host's user and can do what that user can: install only what you trust.";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, TypeInfoResolver = CommandJson.Default };
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };
    private static readonly Option<bool> AllowOlder = new("--allow-older") { Description = "Take an older version than the installed one" };
    private static readonly Option<bool> Data = new("--data-too") { Description = "Remove what the plugin keeps on disk, too" };
    private static readonly Argument<string> Id = new("ID") { Description = "The plugin, as list shows it" };
    private static readonly Option<int> Limit = new("--limit") { Description = "The most lines", DefaultValueFactory = _ => 100, HelpName = "N" };
    private static readonly Option<bool> Remove = new("--remove") { Description = "Trust the key of that name no more" };
    private static readonly Argument<string?> Name = new("NAME") { Description = "The name to know the key by", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string?> Key = new("PUBKEY")
    {
        Description = "The public key as 'plugin keygen' prints it, or a PEM file with it",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string> Source = new("PATH") { Description = "A package (.cbplugin) or a plugin's folder" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("plugins", "Shows, installs and removes plugins: channels that run as processes of their own. " + Trust)
    {
        Make("list", "Lists the installed plugins and what they do.", [], [Json], ListAsync),
        Make("install", "Installs a plugin, or updates it. " + Trust, [Source], [AllowOlder, Json], InstallAsync),
        Make("show", "Shows one plugin: its state, what its manifest offers and asks for, who signed it.", [Id], [Json], ShowAsync),
        Make("update", "Updates an installed plugin; what the old version hasn't acked goes to the new one. " + Trust, [Id, Source], [AllowOlder, Json], UpdateAsync),
        Make("logs", "Shows the last lines that a plugin wrote.", [Id], [Limit, Json], LogsAsync),
        Make("trust", "Lists the keys whose plugins are trusted; with NAME and PUBKEY trusts one, with --remove no more.", [Name, Key], [Remove, Json], TrustAsync),
        Make("remove", "Stops a plugin and removes it.", [Id], [Data, Json], RemoveAsync),
        Make("enable", "Enables a plugin and starts it.", [Id], [Json], (parsed, token) => SwitchAsync(parsed, enabled: true, token)),
        Make(
            "disable", "Disables a plugin and stops it; its messages wait.", [Id], [Json],
            (parsed, token) => SwitchAsync(parsed, enabled: false, token)),
        Make("restart", "Stops a plugin's process and starts it anew, also out of quarantine.", [Id], [Json], RestartAsync),
    };

    private static Command Make(
        string name, string description, Argument[] arguments, Option[] options, Func<ParseResult, CancellationToken, Task<JsonNode>> run)
    {
        var command = new Command(name, description);
        foreach (var argument in arguments) command.Arguments.Add(argument);
        Connection.AddTo(command);
        foreach (var option in options) command.Options.Add(option);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                var result = await run(parsed, cancellationToken).ConfigureAwait(false);
                if (parsed.GetValue(Json)) Console.WriteLine(result.ToJsonString(Indented));
                else Write(result);
                return ExitCodes.Ok;
            }
            catch (ManifestException refused)
            {
                Console.Error.WriteLine("error: refused:");
                foreach (var fault in refused.Faults) Console.Error.WriteLine("  " + fault);
                return ExitCodes.Refused;
            }
            catch (BridgeException fault)
            {
                Console.Error.WriteLine($"error: {fault.Message} ({fault.Code})");
                return ExitCodes.Refused;
            }
        });
        return command;
    }

    private static Task<JsonNode> ListAsync(ParseResult parsed, CancellationToken cancellationToken) => CallAsync(
        parsed, "plugins.list", [],
        store =>
        {
            var installed = store.List((id, fault) => Console.Error.WriteLine($"{id}: {fault.Message}"));
            return new JsonObject { ["plugins"] = new JsonArray([.. installed.Select(Describe(store))]) };
        },
        cancellationToken);

    private static Task<JsonNode> InstallAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var source = Path.GetFullPath(parsed.GetValue(Source)!);
        var older = parsed.GetValue(AllowOlder);
        return CallAsync(
            parsed, "plugins.install", new JsonObject { ["source"] = source, ["allowOlder"] = older },
            async store =>
            {
                var rules = new PluginInstallRules { Taken = BuiltIn(), AllowOlder = older };
                return One(await OnDiskAsync(store, await store.InstallAsync(source, rules, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false));
            },
            cancellationToken);
    }

    private static Task<JsonNode> UpdateAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetValue(Id)!;
        var source = Path.GetFullPath(parsed.GetValue(Source)!);
        var older = parsed.GetValue(AllowOlder);
        return CallAsync(
            parsed, "plugins.update", new JsonObject { ["id"] = id, ["source"] = source, ["allowOlder"] = older },
            async store =>
            {
                Require(store.Find(id) is not null, id);
                var rules = new PluginInstallRules { Taken = BuiltIn(), AllowOlder = older, MustBe = id };
                return One(await OnDiskAsync(store, await store.InstallAsync(source, rules, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false));
            },
            cancellationToken);
    }

    private static Task<JsonNode> ShowAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetValue(Id)!;
        return CallAsync(
            parsed, "plugins.show", new JsonObject { ["id"] = id },
            async store =>
            {
                var plugin = store.Find(id);
                Require(plugin is not null, id);
                return One(await OnDiskAsync(store, plugin!).ConfigureAwait(false));
            },
            cancellationToken);
    }

    private static Task<JsonNode> LogsAsync(ParseResult parsed, CancellationToken cancellationToken) => CallAsync(
        parsed, "plugins.logs", new JsonObject { ["id"] = parsed.GetValue(Id)!, ["limit"] = parsed.GetValue(Limit) },
        offline: (Func<PluginStore, JsonNode>?)null, cancellationToken);

    private static Task<JsonNode> TrustAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var name = parsed.GetValue(Name);
        var remove = parsed.GetValue(Remove);
        var key = parsed.GetValue(Key) is { } given ? ReadKey(given) : null;
        if (name is not null && !remove && key is null) throw BridgeException.Invalid("trust what? 'channelbridge plugins trust NAME PUBKEY'");
        return CallAsync(
            parsed, "plugins.trust", new JsonObject { ["name"] = name, ["key"] = key, ["remove"] = remove },
            store =>
            {
                if (name is not null && remove)
                {
                    if (!store.Trusted.Remove(name)) throw new BridgeException(ErrorCodes.NotFound, $"no key is trusted under the name {name}");
                }
                else if (name is not null)
                {
                    store.Trusted.Add(name, key!);
                }

                return new JsonObject { ["keys"] = store.Trusted.ToJson() };
            },
            cancellationToken);
    }

    private static string ReadKey(string text)
    {
        if (!File.Exists(text)) return text;
        try
        {
            return Convert.ToBase64String(IdentityVerifier.FromPem(File.ReadAllText(text)).PublicKey.Span);
        }
        catch (IdentityException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"{text}: {fault.Message}", fault);
        }
    }

    // What the host would warn of at its start, told now.
    private static async Task<JsonObject> OnDiskAsync(PluginStore store, InstalledPlugin plugin)
    {
        var described = Describe(store)(plugin).AsObject();
        described["signedBy"] = plugin.SignedBy;
        if (await store.VerifyAsync(plugin, requireSignature: false).ConfigureAwait(false) is { } doubt) described["warning"] = doubt;
        return described;
    }

    private static Task<JsonNode> RemoveAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetValue(Id)!;
        var data = parsed.GetValue(Data);
        return CallAsync(
            parsed, "plugins.remove", new JsonObject { ["id"] = id, ["data"] = data },
            store =>
            {
                Require(store.Remove(id, data), id);
                return One(new JsonObject { ["id"] = id, ["state"] = "removed" });
            },
            cancellationToken);
    }

    private static Task<JsonNode> SwitchAsync(ParseResult parsed, bool enabled, CancellationToken cancellationToken)
    {
        var id = parsed.GetValue(Id)!;
        return CallAsync(
            parsed, enabled ? "plugins.enable" : "plugins.disable", new JsonObject { ["id"] = id },
            store =>
            {
                Require(store.SetEnabled(id, enabled), id);
                return One(Describe(store)(store.Find(id)!));
            },
            cancellationToken);
    }

    private static Task<JsonNode> RestartAsync(ParseResult parsed, CancellationToken cancellationToken) => CallAsync(
        parsed, "plugins.restart", new JsonObject { ["id"] = parsed.GetValue(Id)! }, offline: (Func<PluginStore, JsonNode>?)null,
            cancellationToken);

    private static Task<JsonNode> CallAsync(
        ParseResult parsed, string method, JsonObject parameters, Func<PluginStore, JsonNode>? offline,
            CancellationToken cancellationToken) =>
        CallAsync(parsed, method, parameters, offline is null ? null : store => Task.FromResult(offline(store)), cancellationToken);

    private static async Task<JsonNode> CallAsync(
        ParseResult parsed, string method, JsonObject parameters, Func<PluginStore, Task<JsonNode>>? offline,
            CancellationToken cancellationToken)
    {
        var options = Connection.Read(parsed, preferSocket: true);
        var client = new ChannelBridgeClient(options);
        await using (client.ConfigureAwait(false))
        {
            try
            {
                await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ChannelBridgeClientException away) when (away.Code == ClientErrorCodes.Unreachable && offline is not null)
            {
                Console.Error.WriteLine("no host is running: this is what is on disk");
                return await offline(new PluginStore(Connection.DataFolder(parsed))).ConfigureAwait(false);
            }

            var body = JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject);
            var answer = await client.CallAsync(method, body, cancellationToken).ConfigureAwait(false);
            return JsonNode.Parse(answer.Span)!;
        }
    }

    // With a running host the host itself knows; what it would refuse at its start is refused here.
    private static HashSet<string> BuiltIn() => ["bncr", "instaclaw", "a2a", "multiclaws", "juji", "aun"];

    private static Func<InstalledPlugin, JsonNode> Describe(PluginStore store) => plugin => new JsonObject
    {
        ["id"] = plugin.Manifest.Id,
        ["version"] = plugin.Manifest.Version,
        ["state"] = store.IsEnabled(plugin.Manifest.Id) ? "stopped" : "disabled",
        ["channels"] = new JsonArray([.. plugin.Manifest.Channels.Select(channel => (JsonNode)channel.Id)]),
    };

    private static JsonObject One(JsonNode plugin) => new JsonObject { ["plugin"] = plugin };

    private static void Require(bool found, string id)
    {
        if (!found) throw new BridgeException(ErrorCodes.NotFound, $"plugin {id} isn't installed");
    }

    private static void Write(JsonNode result)
    {
        if (result["keys"] is JsonArray keys)
        {
            foreach (var key in keys) Console.WriteLine($"{key!["name"]} {key["key"]}");
            if (keys.Count == 0) Console.WriteLine("no key is trusted; trust one with: channelbridge plugins trust NAME PUBKEY");
            return;
        }

        if (result["lines"] is JsonArray lines)
        {
            foreach (var line in lines)
                Console.WriteLine($"{DateTimeOffset.FromUnixTimeMilliseconds(line!["at"]!.GetValue<long>()):yyyy-MM-dd HH:mm:ss.fff}Z {line["line"]}");
            return;
        }

        var plugins = result["plugins"] is JsonArray all ? all.Select(plugin => plugin!) : [result["plugin"]!];
        var any = false;
        foreach (var plugin in plugins)
        {
            any = true;
            var names = plugin["channels"] is JsonArray known ? known.Select(name => name!.GetValue<string>()) : [];
            var channels = names.Any() ? $", channels {string.Join(", ", names)}" : "";
            Console.WriteLine($"{plugin["id"]} {plugin["version"]}: {plugin["state"]}{channels}");
            if (plugin["warning"] is { } warning) Console.WriteLine($"  warning: {warning}");
            if (plugin["summary"] is { } summary) Console.WriteLine($"  {summary}");
            foreach (var name in (string[])["methods", "tools", "events", "agents", "records"])
            {
                if (plugin[name] is JsonArray { Count: > 0 } items) Console.WriteLine($"  {name}: {string.Join(", ", items.Select(item => item!.GetValue<string>()))}");
            }

            foreach (var name in (string[])["folder", "data", "signedBy", "trustedAs"])
            {
                if (plugin[name] is { } value) Console.WriteLine($"  {name}: {value}");
            }

            if (plugin["detail"] is { } detail) Console.WriteLine($"  says: {detail}");
            if (plugin["lastEnd"] is { } end) Console.WriteLine($"  last ended because {end}");
            if (plugin["lastUpdate"] is { } update) Console.WriteLine($"  last update: {update}");
        }

        if (!any) Console.WriteLine("no plugin is installed; install one with: channelbridge plugins install PATH");
    }
}
