using System.CommandLine;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Identity;
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

    private static readonly Option<string?> Sign = new("--sign")
    {
        Description = "Sign it with this private key, as 'plugin keygen' makes one",
        HelpName = "KEY",
    };

    private static readonly Argument<string> KeyFile = new("FILE") { Description = "The file for the private key; it must not be there yet" };

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
        var pack = new Command("pack", "Makes one file of a plugin's folder; the same folder gives the same bytes.") { Folder, Out, Sign };
        pack.SetAction((parsed, cancellationToken) => Guard(() => PackAsync(parsed, cancellationToken)));
        var schema = new Command("schema", "Prints the JSON Schema of channelbridge.plugin.json.");
        schema.SetAction(_ => Console.Out.Write(ManifestReader.Schema));
        var keygen = new Command("keygen", "Makes a key to sign packages with, and prints its public half for 'plugins trust'.") { KeyFile };
        keygen.SetAction(parsed => Guard(() => GenerateKey(Path.GetFullPath(parsed.GetValue(KeyFile)!))));
        return new Command("plugin", "Checks, runs, packs and signs a plugin that you write.") { check, PluginRun.Create(), pack, keygen, schema };
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
            using var key = parsed.GetValue(Sign) is { } keyFile ? IdentityKeyFile.Read(Path.GetFullPath(keyFile)) : null;
            await PluginPackage.PackAsync(folder, output, key, cancellationToken).ConfigureAwait(false);
        }

        File.Move(part, file, overwrite: true);
        Console.WriteLine(file);
    }

    private static Task GenerateKey(string file)
    {
        if (File.Exists(file)) throw new IdentityException(IdentityFault.File, $"{file} is there already; a key isn't overwritten");
        using var key = IdentityKeyFile.ReadOrCreate(file);
        Console.WriteLine(Convert.ToBase64String(key.PublicKey.Span));
        return Task.CompletedTask;
    }

    internal static async Task<int> Guard(Func<Task> run)
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
        catch (Exception refused) when (refused is IdentityException or BridgeException)
        {
            Console.Error.WriteLine($"error: {refused.Message}");
            return ExitCodes.Refused;
        }
    }
}
