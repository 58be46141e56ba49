using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Host.Composition;
using ChannelBridge.OpenClaw;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge openclaw</c>: the package for the gateway, with the channels of installed plugins. Needs no host.</summary>
internal static class OpenClawCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string?> Out = new("--out") { Description = "The package's file [default: channelbridge-openclaw.tgz here]", HelpName = "FILE" };

    private static readonly Option<bool> Install = new("--install") { Description = "Do the steps that are printed otherwise, by the gateway's own command" };
    private static readonly Option<string> Program = new("--openclaw")
    {
        Description = "The gateway's command, for --install",
        HelpName = "FILE",
        DefaultValueFactory = _ => "openclaw",
    };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var pack = new Command("pack", "Makes the package that the OpenClaw gateway installs: the built-in channels and those of installed plugins.")
        {
            Out, Install, Program,
        };
        Connection.AddTo(pack);
        pack.SetAction((parsed, cancellationToken) => PluginCommand.Guard(() => PackAsync(parsed, cancellationToken)));
        return new Command("openclaw", "What the OpenClaw gateway gets of this host.") { pack };
    }

    private static async Task PackAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var data = Connection.DataFolder(parsed);
        // Before anything is written: without the gateway's command there is nothing to install with.
        var program = parsed.GetValue(Install) ? Find(parsed.GetValue(Program)!) : null;
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
        Console.WriteLine(file);
        var now = GatewayPackage.ChannelsOf(files[OpenClaw.PluginPackage.Manifest]);
        Console.WriteLine($"channels: {string.Join(", ", now)}");
        var steps = new OpenClawSteps(file, [.. before.Except(now, StringComparer.Ordinal)], [.. now.Except(before, StringComparer.Ordinal)]);
        // What a gateway hasn't got isn't what the host expects of it, and the next try has the same steps.
        if (program is not null) await steps.RunAsync(program, cancellationToken).ConfigureAwait(false);
        PackedPackage.Remember(data, files);
        if (program is null) steps.Print();
    }

    private static string Find(string program)
    {
        if (program.Contains(Path.DirectorySeparatorChar) || program.Contains(Path.AltDirectorySeparatorChar))
            return File.Exists(program) ? Path.GetFullPath(program) : throw new BridgeException(ErrorCodes.NotFound, $"there is no {program}");
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] names = OperatingSystem.IsWindows() ? [program + ".cmd", program + ".exe"] : [program];
        return folders.SelectMany(folder => names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists) ?? throw new BridgeException(
            ErrorCodes.NotFound,
            $"there is no program {program} on the PATH: name it by --openclaw FILE, or run this where the gateway is; without --install the steps are printed");
    }
}
