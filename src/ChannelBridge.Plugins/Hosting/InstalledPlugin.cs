using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>A plugin on this machine's disk.</summary>
/// <param name="Manifest">Its checked manifest.</param>
/// <param name="Folder">The folder of this version.</param>
/// <param name="DataFolder">Where it may keep files.</param>
public sealed record InstalledPlugin(PluginManifest Manifest, string Folder, string DataFolder)
{
    /// <summary>The public key that signed it, in base64; null when it isn't signed.</summary>
    public string? SignedBy { get; init; }
}
