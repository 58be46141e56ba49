using ChannelBridge.OpenClaw;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// The package for the gateway as <c>channelbridge openclaw pack</c> made it last: what differs from the built-in one, in the data folder. A host
/// that starts takes a gateway's package for its own when it is that one.
/// </summary>
internal static class PackedPackage
{
    private const string Folder = "openclaw-package";
    private static readonly string[] Names = [PluginPackage.Manifest, "plugin-manifest/offers.json"];

    /// <summary>Writes down what was made.</summary>
    public static void Remember(string data, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(data, Folder)).FullName;
        foreach (var name in Names) File.WriteAllBytes(Path.Combine(folder, Path.GetFileName(name)), files[name].Span);
    }

    /// <summary>The channels of the one that was made last, or null.</summary>
    public static IReadOnlyList<string>? ChannelsBefore(string data)
    {
        var file = Path.Combine(data, Folder, PluginPackage.Manifest);
        return File.Exists(file) ? GatewayPackage.ChannelsOf(File.ReadAllBytes(file)) : null;
    }

    /// <summary>The package that belongs to a host with this data folder.</summary>
    public static PluginPackage Read(string data)
    {
        var package = new PluginPackage();
        var folder = Path.Combine(data, Folder);
        if (!Names.All(name => File.Exists(Path.Combine(folder, Path.GetFileName(name))))) return package;
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(package.Files, StringComparer.Ordinal);
        foreach (var name in Names) files[name] = File.ReadAllBytes(Path.Combine(folder, Path.GetFileName(name)));
        package.Expect(files);
        return package;
    }
}
