using System.CommandLine;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge plugin</c>: for authors. Needs no host.</summary>
internal static class PluginCommand
{
    private static readonly Argument<string> Folder = new("FOLDER")
    {
        Description = "The plugin's folder, with channelbridge.plugin.json in it",
    };

    private static readonly Option<string?> Out = new("--out")
    {
        Description = "The package's file [default: ID-VERSION.cbplugin here]",
        HelpName = "FILE",
    };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create()
    {
        var check = new Command("check", "Checks a plugin's manifest, and that what it runs is there.") { Folder };
        check.SetAction(parsed => Guard(() =>
        {
            var manifest = ManifestReader.ReadFolder(Path.GetFullPath(parsed.GetValue(Folder)!));
            Console.WriteLine($"{manifest.Id} {manifest.Version} is fine");
            return Task.CompletedTask;
        }));
        var pack = new Command("pack", "Makes one file of a plugin's folder; the same folder gives the same bytes.") { Folder, Out };
        pack.SetAction((parsed, cancellationToken) => Guard(() => PackAsync(parsed, cancellationToken)));
        var schema = new Command("schema", "Prints the JSON Schema of channelbridge.plugin.json.");
        schema.SetAction(_ => Console.Out.Write(ManifestReader.Schema));
        return new Command("plugin", "Checks and packs a plugin that you write.") { check, pack, schema };
    }

    private static async Task PackAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var folder = Path.GetFullPath(parsed.GetValue(Folder)!);
        var manifest = ManifestReader.ReadFolder(folder);
        var file = Path.GetFullPath(parsed.GetValue(Out) ?? $"{manifest.Id}-{manifest.Version}{PluginPackage.Extension}");
        var part = file + ".part";
        var output = new FileStream(part, FileMode.Create, FileAccess.Write);
        await using (output.ConfigureAwait(false))
        {
            await PluginPackage.PackAsync(folder, output, cancellationToken).ConfigureAwait(false);
        }

        File.Move(part, file, overwrite: true);
        Console.WriteLine(file);
    }

    private static async Task<int> Guard(Func<Task> run)
    {
        try
        {
            await run().ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        catch (ManifestException refused)
        {
            Console.Error.WriteLine("error: this isn't a plugin as it should be:");
            foreach (var fault in refused.Faults) Console.Error.WriteLine("  " + fault);
            return ExitCodes.Refused;
        }
    }
}
