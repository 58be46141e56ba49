using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Composition;
using ChannelBridge.OpenClaw;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge openclaw</c>: the package for the gateway, with the channels of installed plugins. Needs no host.</summary>
internal static class OpenClawCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string?> Out = new("--out") { Description = "The package's file [default: channelbridge-openclaw.tgz here]", HelpName = "FILE" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var pack = new Command("pack", "Makes the package that the OpenClaw gateway installs: the built-in channels and those of installed plugins.") { Out };
        Connection.AddTo(pack);
        pack.SetAction((parsed, cancellationToken) => PluginCommand.Guard(() => PackAsync(parsed, cancellationToken)));
        return new Command("openclaw", "What the OpenClaw gateway gets of this host.") { pack };
    }

    private static async Task PackAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var data = Connection.DataFolder(parsed);
        var file = Path.GetFullPath(parsed.GetValue(Out) ?? "channelbridge-openclaw.tgz");
        var package = new OpenClaw.PluginPackage();
        var plugins = new PluginStore(data).List((id, fault) => Console.Error.WriteLine($"left out: {id}: {fault.Message}"));
        var channels = plugins.SelectMany(plugin => plugin.Manifest.Channels.Where(channel => channel.Gateway)
            .Select(channel => new PackagedChannel(
                channel.Id, channel.Label ?? channel.Id, plugin.Manifest.Summary ?? $"A channel of the plugin {plugin.Manifest.Id}.", channel.Account)))
            .ToList();
        bool IsSeen(string method) => channels.Any(channel => method.StartsWith(channel.Id + ".", StringComparison.Ordinal));
        var methods = plugins.SelectMany(plugin => plugin.Manifest.Methods).Where(method => IsSeen(method.Name))
            .Select(method => KeyValuePair.Create(method.Name, method.Scope)).ToList();
        var tools = plugins.Where(plugin => plugin.Manifest.Channels.Any(channel => channel.Gateway)).SelectMany(plugin => plugin.Manifest.Tools)
            .Select(tool => new PackagedTool(tool.Name, tool.Summary, tool.Arguments is { } schema ? JsonNode.Parse(schema.GetRawText())! : new JsonObject { ["type"] = "object" }))
            .ToList();
        var files = GatewayPackage.Make(package, channels, methods, tools);
        var part = file + ".part";
        var output = new FileStream(part, FileMode.Create, FileAccess.Write);
        await using (output.ConfigureAwait(false)) await GatewayPackage.WriteAsync(package, files, output, cancellationToken).ConfigureAwait(false);
        File.Move(part, file, overwrite: true);
        var before = PackedPackage.ChannelsBefore(data) ?? package.Channels;
        PackedPackage.Remember(data, files);
        Console.WriteLine(file);
        var now = GatewayPackage.ChannelsOf(files[OpenClaw.PluginPackage.Manifest]);
        Console.WriteLine($"channels: {string.Join(", ", now)}");
        Console.WriteLine("next:");
        // A key that no channel has is an error of the gateway's configuration: it goes before its channel does.
        foreach (var gone in before.Except(now, StringComparer.Ordinal)) Console.WriteLine($"  openclaw config unset channels.{gone}");
        Console.WriteLine($"  openclaw plugins install npm-pack:{file} --force --accept-capabilities");
        foreach (var fresh in now.Except(before, StringComparer.Ordinal)) Console.WriteLine($"  openclaw config set channels.{fresh}.enabled true");
        Console.WriteLine("  restart the gateway, and this host, which then knows the package as its own");
    }
}
