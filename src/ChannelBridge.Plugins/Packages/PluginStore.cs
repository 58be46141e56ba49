using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Packages;

/// <summary>The plugins on disk: <c>DIR/plugins/&lt;id&gt;/&lt;version&gt;</c>, and which version of each is in use.</summary>
/// <param name="dataFolder">The host's data folder.</param>
public sealed class PluginStore(string dataFolder)
{
    private const string StateFile = "state.json";
    private readonly string _root = Path.Combine(dataFolder, "plugins");

    /// <summary>What is installed. Whatever can't be taken is told, and the others are there.</summary>
    /// <param name="onFault">Told the plugin's id and what is wrong.</param>
    public IReadOnlyList<InstalledPlugin> List(Action<string, BridgeException> onFault)
    {
        ArgumentNullException.ThrowIfNull(onFault);
        if (!Directory.Exists(_root)) return [];
        var found = new List<InstalledPlugin>();
        foreach (var folder in Directory.GetDirectories(_root).Order(StringComparer.Ordinal))
        {
            var id = Path.GetFileName(folder);
            if (id.StartsWith('.')) continue;
            try
            {
                if (Find(id) is { } plugin) found.Add(plugin);
            }
            catch (BridgeException fault)
            {
                onFault(id, fault);
            }
        }

        return found;
    }

    /// <summary>One plugin in the version that is in use, or null.</summary>
    /// <exception cref="ManifestException">It is there and can't be taken.</exception>
    public InstalledPlugin? Find(string id)
    {
        if (ReadState(id) is not { } state) return null;
        var folder = Path.Combine(_root, id, state.Version);
        var manifest = ManifestReader.ReadFolder(folder);
        if (manifest.Id != id || manifest.Version != state.Version)
        {
            throw new ManifestException(
                Path.Combine(folder, PluginManifest.FileName), [new SchemaFault(
                    "$.id", $"is {manifest.Id} {manifest.Version}, the folder says {id} {state.Version}")]);
        }

        return new InstalledPlugin(manifest, folder, Path.Combine(dataFolder, "plugin-data", id));
    }

    /// <summary>True when the operator hasn't disabled it.</summary>
    public bool IsEnabled(string id) => ReadState(id)?.Enabled ?? false;

    /// <summary>Installs a package or a folder, or updates the plugin to it.</summary>
    /// <param name="source">A package's file, or a folder.</param>
    /// <param name="taken">Ids of channels that aren't plugins'.</param>
    /// <param name="allowOlder">Takes an older version than the installed one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BridgeException">Refused, and by what; nothing was changed.</exception>
    public async Task<InstalledPlugin> InstallAsync(
        string source, IReadOnlySet<string> taken, bool allowOlder = false, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(_root);
        var work = Path.Combine(_root, $".new-{Guid.NewGuid():N}");
        Directory.CreateDirectory(work);
        try
        {
            if (Directory.Exists(source))
            {
                await PluginPackage.CopyAsync(source, work, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                if (!File.Exists(source)) throw new BridgeException(ErrorCodes.NotFound, $"there is neither a file nor a folder {source}");
                var package = File.OpenRead(source);
                await using var packageClosing = package.ConfigureAwait(false);
                await PluginPackage.UnpackAsync(package, work, cancellationToken).ConfigureAwait(false);
            }

            var manifest = ManifestReader.ReadFolder(work, taken);
            CheckOthers(manifest);
            var state = ReadState(manifest.Id);
            if (state is not null && !allowOlder && PluginVersion.Compare(manifest.Version, state.Version) < 0)
            {
                throw new BridgeException(
                    ErrorCodes.Conflict,
                    $"plugin {manifest.Id} {manifest.Version} is older than the installed {state.Version}; --allow-older takes it");
            }

            var folder = Path.Combine(_root, manifest.Id, manifest.Version);
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            if (Directory.Exists(folder)) Directory.Move(folder, Path.Combine(_root, $".old-{Guid.NewGuid():N}"));
            Directory.Move(work, folder);
            WriteState(manifest.Id, new PluginDiskState(manifest.Version, state?.Enabled ?? true));
            Sweep(manifest.Id, manifest.Version);
            return Find(manifest.Id)!;
        }
        finally
        {
            if (Directory.Exists(work)) Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Removes a plugin; its data folder stays unless it is named, too. False when there is none.</summary>
    public bool Remove(string id, bool withData)
    {
        if (ReadState(id) is null) return false;
        // First it isn't installed any more, then its files go.
        var gone = Path.Combine(_root, $".old-{Guid.NewGuid():N}");
        Directory.Move(Path.Combine(_root, id), gone);
        Directory.Delete(gone, recursive: true);
        var data = Path.Combine(dataFolder, "plugin-data", id);
        if (withData && Directory.Exists(data)) Directory.Delete(data, recursive: true);
        return true;
    }

    /// <summary>Says whether a plugin is to be started. False when there is none.</summary>
    public bool SetEnabled(string id, bool enabled)
    {
        if (ReadState(id) is not { } state) return false;
        WriteState(id, state with { Enabled = enabled });
        return true;
    }

    private void CheckOthers(PluginManifest manifest)
    {
        foreach (var other in List((_, _) => { }))
        {
            if (other.Manifest.Id == manifest.Id) continue;
            for (var i = 0; i < manifest.Channels.Count; i++)
            {
                var id = manifest.Channels[i].Id;
                if (other.Manifest.Channels.Any(channel => channel.Id == id))
                    throw new ManifestException(
                        $"plugin {manifest.Id}",
                        [new SchemaFault($"$.channels[{i}].id", $"plugin {other.Manifest.Id} has a channel {id}")]);
            }
        }
    }

    // Older versions and what an update that was cut off has left.
    private void Sweep(string id, string version)
    {
        foreach (var folder in Directory.GetDirectories(Path.Combine(_root, id)))
        {
            if (Path.GetFileName(folder) != version) Directory.Delete(folder, recursive: true);
        }

        foreach (var folder in Directory.GetDirectories(_root, ".old-*")) Directory.Delete(folder, recursive: true);
    }

    private PluginDiskState? ReadState(string id)
    {
        if (id.Length == 0 || id.Any(character => !char.IsAsciiLetterLower(character) && !char.IsAsciiDigit(character) && character != '-'))
            return null;
        try
        {
            using var file = File.OpenRead(Path.Combine(_root, id, StateFile));
            return JsonSerializer.Deserialize(file, PluginDiskJson.Default.PluginDiskState);
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException)
        {
            throw new ManifestException(
                Path.Combine(_root, id, StateFile), [new SchemaFault("$", "isn't what the host wrote; install the plugin again")]);
        }
    }

    private void WriteState(string id, PluginDiskState state)
    {
        var path = Path.Combine(_root, id, StateFile);
        var part = path + ".part";
        using (var file = new FileStream(part, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, state, PluginDiskJson.Default.PluginDiskState);
            file.Flush(flushToDisk: true);
        }

        File.Move(part, path, overwrite: true);
    }
}

/// <summary>Which version of a plugin is in use, and whether it is started.</summary>
internal sealed record PluginDiskState(string Version, bool Enabled);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PluginDiskState))]
internal sealed partial class PluginDiskJson : JsonSerializerContext;
