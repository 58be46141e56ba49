using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Client;
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
    private static readonly Argument<string> Source = new("PATH") { Description = "A package (.cbplugin) or a plugin's folder" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("plugins", "Shows, installs and removes plugins: channels that run as processes of their own. " + Trust)
    {
        Make("list", "Lists the installed plugins and what they do.", [], [Json], ListAsync),
        Make("install", "Installs a plugin, or updates it. " + Trust, [Source], [AllowOlder, Json], InstallAsync),
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
                var installed = await store.InstallAsync(source, BuiltIn(), older, cancellationToken).ConfigureAwait(false);
                return One(Describe(store)(installed));
            },
            cancellationToken);
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
        var plugins = result["plugins"] is JsonArray all ? all.Select(plugin => plugin!) : [result["plugin"]!];
        var any = false;
        foreach (var plugin in plugins)
        {
            any = true;
            var names = plugin["channels"] is JsonArray known ? known.Select(name => name!.GetValue<string>()) : [];
            var channels = names.Any() ? $", channels {string.Join(", ", names)}" : "";
            Console.WriteLine($"{plugin["id"]} {plugin["version"]}: {plugin["state"]}{channels}");
            if (plugin["detail"] is { } detail) Console.WriteLine($"  says: {detail}");
            if (plugin["lastEnd"] is { } end) Console.WriteLine($"  last ended because {end}");
        }

        if (!any) Console.WriteLine("no plugin is installed; install one with: channelbridge plugins install PATH");
    }
}
