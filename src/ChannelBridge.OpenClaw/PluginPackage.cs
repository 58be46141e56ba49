using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The plugin's package as it was when this host was built: what OpenClaw loads, and the hash by which the host tells whether that is
/// what a gateway has installed. A package with further channels differs in its manifest and in <c>offers.json</c>; whoever makes one
/// says its hash by <see cref="Expect"/>.
/// </summary>
public sealed class PluginPackage
{
    /// <summary>The manifest's name in the package.</summary>
    public const string Manifest = "openclaw.plugin.json";

    /// <summary>What is said of an installed package that belongs to this host.</summary>
    public const string Current = "current";

    /// <summary>What is said of one that doesn't.</summary>
    public const string Other = "other";

    private const string Prefix = "plugin/";
    private const string Beside = "package/";

    private volatile string _expected;
    private volatile IReadOnlyList<string> _channels;

    /// <summary>Reads the files that this assembly carries.</summary>
    public PluginPackage()
    {
        Files = ReadFiles(Prefix, "");
        _expected = HashOf(Files);
        _channels = ChannelsOf(Files[Manifest]);
    }

    /// <summary>The manifest and the files of <c>plugin-manifest/</c>, by their names in the package.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <summary>The package's <c>package.json</c>, which isn't part of its hash.</summary>
    public ReadOnlyMemory<byte> Description { get; } = Read("package/package.json");

    /// <summary>Texts for agents that travel with the package and aren't part of its hash either, by their names in it.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Skills { get; } = ReadFiles(Beside, "plugin-manifest/skills/");

    /// <summary>The hash of the package that belongs to this host.</summary>
    public string Hash => _expected;

    /// <summary>
    /// Judges an installed package: <see cref="Current"/> or <see cref="Other"/>. One that doesn't say its hash is an old one.
    /// </summary>
    public string Judge(string? hash) => string.Equals(hash, _expected, StringComparison.OrdinalIgnoreCase) ? Current : Other;

    /// <summary>The channels that its manifest names.</summary>
    public IReadOnlyList<string> Channels => _channels;

    /// <summary>Another package belongs to this host from now on: one that was made with its plugins' channels.</summary>
    public void Expect(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        _channels = ChannelsOf(files[Manifest]);
        _expected = HashOf(files);
    }

    /// <summary>
    /// SHA-256 over the names and contents of a package's files, in the order of their names; the entry computes the same (manifest.mjs).
    /// </summary>
    /// <param name="files">The manifest and the files of <c>plugin-manifest/</c>, by name.</param>
    public static string HashOf(IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var lines = new StringBuilder();
        foreach (var (name, content) in files.OrderBy(file => file.Key, StringComparer.Ordinal))
            lines.Append(name).Append('\n').Append(Convert.ToHexStringLower(SHA256.HashData(content.Span))).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines.ToString())));
    }

    private static List<string> ChannelsOf(ReadOnlyMemory<byte> manifest)
    {
        using var document = JsonDocument.Parse(manifest);
        return [.. document.RootElement.GetProperty("channels").EnumerateArray().Select(channel => channel.GetString() ?? "")];
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> ReadFiles(string prefix, string below)
    {
        var assembly = typeof(PluginPackage).Assembly;
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var name in assembly.GetManifestResourceNames())
        {
            if (!name.StartsWith(prefix + below, StringComparison.Ordinal)) continue;
            files[name[prefix.Length..]] = Read(name);
        }

        return files;
    }

    private static ReadOnlyMemory<byte> Read(string resource)
    {
        using var stream = typeof(PluginPackage).Assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
