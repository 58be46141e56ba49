using System.IO.Compression;
using ChannelBridge.Identity;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Packages;

/// <summary>
/// Plugins as one file: a zip archive of the plugin's folder. The same folder gives the same bytes. Unpacking writes nothing outside of
/// its folder, whatever the archive says.
/// </summary>
public static class PluginPackage
{
    /// <summary>The extension of packages.</summary>
    public const string Extension = ".cbplugin";

    private const int RegularFile = 0x8000;
    private const int TypeMask = 0xF000;
    private const int UserExecute = 0x40;

    // What editors, version control and Python leave isn't the plugin's.
    private static readonly string[] LeftOut = [".git", ".vs", "__pycache__"];

    // The first time that a zip archive can say.
    private static readonly DateTimeOffset Time = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Packs a plugin's folder after checking it, and signs it when there is a key.</summary>
    /// <param name="folder">The plugin's folder.</param>
    /// <param name="output">Gets the package.</param>
    /// <param name="key">The author's key, or null: then the package isn't signed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ManifestException">The manifest or a file's name can't be taken.</exception>
    public static async Task<PluginManifest> PackAsync(
        string folder, Stream output, IdentityKey? key = null, CancellationToken cancellationToken = default)
    {
        var manifest = ManifestReader.ReadFolder(folder);
        // A signature that lies in the folder is of another day.
        var files = Files(folder).Where(name => name != PluginSignature.FileName);
        var signature = key is null ? null : await PluginSignature.SignAsync(folder, key, cancellationToken).ConfigureAwait(false);
        var archive = await ZipArchive.CreateAsync(
            output, ZipArchiveMode.Create, leaveOpen: true, entryNameEncoding: null, cancellationToken)
            .ConfigureAwait(false);
        await using var archiveClosing = archive.ConfigureAwait(false);
        foreach (var name in files)
        {
            var path = Path.Combine(folder, name);
            var entry = archive.CreateEntry(name, CompressionLevel.Optimal);
            entry.LastWriteTime = Time;
            entry.ExternalAttributes = (RegularFile | (IsExecutable(path) ? 0x1ED : 0x1A4)) << 16;
            var source = File.OpenRead(path);
            await using var sourceClosing = source.ConfigureAwait(false);
            var target = await entry.OpenAsync(cancellationToken).ConfigureAwait(false);
            await using var targetClosing = target.ConfigureAwait(false);
            await source.CopyToAsync(target, cancellationToken).ConfigureAwait(false);
        }

        if (signature is not null)
        {
            var entry = archive.CreateEntry(PluginSignature.FileName, CompressionLevel.Optimal);
            entry.LastWriteTime = Time;
            entry.ExternalAttributes = (RegularFile | 0x1A4) << 16;
            var target = await entry.OpenAsync(cancellationToken).ConfigureAwait(false);
            await using var targetClosing = target.ConfigureAwait(false);
            await target.WriteAsync(signature, cancellationToken).ConfigureAwait(false);
        }

        return manifest;
    }

    /// <summary>Unpacks a package into an empty folder.</summary>
    /// <exception cref="ManifestException">The archive holds what can't be taken; the folder is to be thrown away.</exception>
    public static async Task UnpackAsync(Stream package, string folder, CancellationToken cancellationToken = default)
    {
        var rules = new PackageRules();
        try
        {
            var archive = await ZipArchive.CreateAsync(
                package, ZipArchiveMode.Read, leaveOpen: true, entryNameEncoding: null, cancellationToken)
                .ConfigureAwait(false);
            await using var archiveClosing = archive.ConfigureAwait(false);
            foreach (var entry in archive.Entries)
            {
                // Folders come with their files.
                if (entry.FullName.EndsWith('/') && entry.Length == 0) continue;
                var mode = entry.ExternalAttributes >> 16;
                if ((mode & TypeMask) is not (0 or RegularFile)) throw Refused(new SchemaFault(entry.FullName, "is a link or a device"));
                if (rules.Add(entry.FullName) is { } fault) throw Refused(fault);
                // Such a file would be run and be in no list of what is signed.
                if (entry.FullName.Split('/').Any(part => LeftOut.Contains(part, StringComparer.OrdinalIgnoreCase)))
                    throw Refused(new SchemaFault(entry.FullName, "isn't a plugin's file; 'plugin pack' leaves it out"));
                var path = Path.Combine([folder, .. entry.FullName.Split('/')]);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var source = await entry.OpenAsync(cancellationToken).ConfigureAwait(false);
                await using (source.ConfigureAwait(false))
                {
                    await CopyAsync(source, path, entry.FullName, rules, cancellationToken).ConfigureAwait(false);
                }

                SetMode(path, (mode & UserExecute) != 0);
            }
        }
        catch (InvalidDataException fault)
        {
            throw Refused(new SchemaFault("the package", $"isn't a whole zip archive ({fault.Message.Split('.')[0]})"));
        }
    }

    /// <summary>Copies a plugin's folder into an empty one, by the same rules.</summary>
    /// <exception cref="ManifestException">The folder holds what can't be taken.</exception>
    internal static async Task CopyAsync(string from, string folder, CancellationToken cancellationToken)
    {
        var rules = new PackageRules();
        foreach (var name in Files(from))
        {
            var source = Path.Combine(from, name);
            var path = Path.Combine([folder, .. name.Split('/')]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var content = File.OpenRead(source);
            await using (content.ConfigureAwait(false))
            {
                await CopyAsync(content, path, name, rules, cancellationToken).ConfigureAwait(false);
            }

            SetMode(path, IsExecutable(source));
        }
    }

    // The files of a folder by name, so that the order is the same everywhere.
    internal static List<string> Files(string folder, bool all = false)
    {
        var rules = new PackageRules();
        var names = new List<string>();
        Walk(new DirectoryInfo(folder), "", depth: 0);
        names.Sort(StringComparer.Ordinal);
        return names;

        void Walk(DirectoryInfo directory, string prefix, int depth)
        {
            foreach (var entry in directory.EnumerateFileSystemInfos())
            {
                var name = prefix + entry.Name;
                if (entry.LinkTarget is not null) throw Refused(new SchemaFault(name, "is a link"));
                if (entry is DirectoryInfo below)
                {
                    if (depth > 20) throw Refused(new SchemaFault(name, "folders are nested too deep"));
                    if (all || !LeftOut.Contains(entry.Name)) Walk(below, name + "/", depth + 1);
                }
                else if (rules.Add(name) is { } fault)
                {
                    throw Refused(fault);
                }
                else
                {
                    names.Add(name);
                }
            }
        }
    }

    private static async Task CopyAsync(Stream source, string path, string name, PackageRules rules, CancellationToken cancellationToken)
    {
        // What an archive says of its sizes isn't believed.
        var buffer = new byte[64 * 1024];
        var target = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        await using var targetClosing = target.ConfigureAwait(false);
        while (await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
        {
            if (rules.Count(name, read) is { } fault) throw Refused(fault);
            await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
        }
    }

    private static bool IsExecutable(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != UnixFileMode.None;

    private static void SetMode(string path, bool executable)
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        File.SetUnixFileMode(
            path, executable ? Plain | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : Plain);
    }

    private static ManifestException Refused(SchemaFault fault) => new("the package", [fault]);
}
