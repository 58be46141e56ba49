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

        return new InstalledPlugin(manifest, folder, Path.Combine(dataFolder, "plugin-data", id)) { SignedBy = state.SignedBy };
    }

    /// <summary>The keys that the operator trusts.</summary>
    public TrustedKeys Trusted { get; } = new(dataFolder);

    /// <summary>
    /// Checks that an installed plugin is still what was signed, and that its signature is one that the host wants.
    /// </summary>
    /// <returns>What is to be told about it: not signed, or by a key that isn't trusted; null when there is nothing.</returns>
    /// <exception cref="BridgeException">It was changed, or isn't signed as it must be.</exception>
    public async Task<string?> VerifyAsync(InstalledPlugin plugin, bool requireSignature, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plugin);
        var key = await PluginSignature.VerifyAsync(plugin.Folder, plugin.Manifest, cancellationToken).ConfigureAwait(false);
        if (key != plugin.SignedBy)
            throw new BridgeException(ErrorCodes.Forbidden, $"plugin {plugin.Manifest.Id} isn't signed as it was when it was installed; install it again");
        return CheckTrust(plugin.Manifest, key, requireSignature);
    }

    /// <summary>True when the operator hasn't disabled it.</summary>
    public bool IsEnabled(string id) => ReadState(id)?.Enabled ?? false;

    /// <summary>Installs a package or a folder, or updates the plugin to it.</summary>
    /// <param name="source">A package's file, or a folder.</param>
    /// <param name="rules">What is taken.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BridgeException">Refused, and by what; nothing was changed.</exception>
    public async Task<InstalledPlugin> InstallAsync(string source, PluginInstallRules rules, CancellationToken cancellationToken = default)
    {
        var installation = await PrepareAsync(source, rules, cancellationToken).ConfigureAwait(false);
        installation.Keep();
        return installation.Plugin;
    }

    /// <summary>The same, but the version that is in use stays so until the caller has seen that the new one is good.</summary>
    /// <exception cref="BridgeException">Refused, and by what; nothing was changed.</exception>
    internal async Task<PluginInstallation> PrepareAsync(string source, PluginInstallRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
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

            var manifest = ManifestReader.ReadFolder(work, rules.Taken);
            if (rules.MustBe is { } id && manifest.Id != id) throw new BridgeException(ErrorCodes.Conflict, $"this is plugin {manifest.Id}, not {id}");
            CheckOthers(manifest);
            var state = ReadState(manifest.Id);
            var key = await PluginSignature.VerifyAsync(work, manifest, cancellationToken).ConfigureAwait(false);
            CheckTrust(manifest, key, rules.RequireSignature);
            if (state?.SignedBy is { } before && before != key)
            {
                throw new BridgeException(
                    ErrorCodes.Forbidden,
                    $"the installed plugin {manifest.Id} is signed by {Show(before)}, this one {(key is null ? "isn't signed" : $"by {Show(key)}")}; "
                    + $"if you know why: 'channelbridge plugins remove {manifest.Id}' first");
            }

            if (state is not null && !rules.AllowOlder && PluginVersion.Compare(manifest.Version, state.Version) < 0)
            {
                throw new BridgeException(
                    ErrorCodes.Conflict,
                    $"plugin {manifest.Id} {manifest.Version} is older than the installed {state.Version}; --allow-older takes it");
            }

            var folder = Path.Combine(_root, manifest.Id, manifest.Version);
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            // The same version again, or what an update that was cut off has left.
            var aside = Directory.Exists(folder) ? Path.Combine(_root, $".old-{Guid.NewGuid():N}") : null;
            if (aside is not null) Directory.Move(folder, aside);
            Directory.Move(work, folder);
            return new PluginInstallation(
                new InstalledPlugin(manifest, folder, Path.Combine(dataFolder, "plugin-data", manifest.Id)) { SignedBy = key },
                state?.Version,
                keep: () =>
                {
                    WriteState(manifest.Id, new PluginDiskState(manifest.Version, state?.Enabled ?? true, key));
                    Sweep(manifest.Id, manifest.Version);
                },
                undo: () =>
                {
                    Directory.Delete(folder, recursive: true);
                    if (aside is not null) Directory.Move(aside, folder);
                });
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

    private string? CheckTrust(PluginManifest manifest, string? key, bool required)
    {
        if (key is not null && Trusted.NameOf(key) is not null) return null;
        var what = key is null ? $"plugin {manifest.Id} isn't signed" : $"plugin {manifest.Id} is signed by {key}, which isn't a trusted key";
        if (!required) return what;
        throw new BridgeException(
            ErrorCodes.Forbidden,
            $"{what}, and this host takes only plugins by trusted keys (Plugins:RequireSignature): 'channelbridge plugins trust NAME PUBKEY' trusts one");
    }

    private string Show(string key) => Trusted.NameOf(key) ?? key;

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

/// <summary>What an installation takes.</summary>
public sealed record PluginInstallRules
{
    /// <summary>Ids of channels that aren't plugins'.</summary>
    public IReadOnlySet<string> Taken { get; init; } = new HashSet<string>();

    /// <summary>Also an older version than the installed one.</summary>
    public bool AllowOlder { get; init; }

    /// <summary>Only what is signed by a trusted key.</summary>
    public bool RequireSignature { get; init; }

    /// <summary>Only this plugin; null: any.</summary>
    public string? MustBe { get; init; }
}

/// <summary>Which version of a plugin is in use, whether it is started, and the key that signed it.</summary>
internal sealed record PluginDiskState(string Version, bool Enabled, string? SignedBy = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PluginDiskState))]
internal sealed partial class PluginDiskJson : JsonSerializerContext;
