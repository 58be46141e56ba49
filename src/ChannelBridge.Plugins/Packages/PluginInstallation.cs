using ChannelBridge.Plugins.Hosting;

namespace ChannelBridge.Plugins.Packages;

/// <summary>
/// A version that lies on the disk and isn't in use yet. <see cref="Keep"/> makes it the one in use, <see cref="Undo"/> takes it away again. A host that
/// dies in between starts the version that was in use before.
/// </summary>
internal sealed class PluginInstallation
{
    private readonly Action _keep;
    private readonly Action _undo;
    private bool _isUndone;

    internal PluginInstallation(InstalledPlugin plugin, string? before, Action keep, Action undo)
    {
        Plugin = plugin;
        Before = before;
        _keep = keep;
        _undo = undo;
    }

    /// <summary>The new version.</summary>
    public InstalledPlugin Plugin { get; }

    /// <summary>The version that is in use until then; null when the plugin wasn't installed.</summary>
    public string? Before { get; }

    /// <summary>It is in use from now on; other versions go.</summary>
    public void Keep() => _keep();

    /// <summary>It goes, and what it took the place of is there again. Once is enough.</summary>
    public void Undo()
    {
        if (_isUndone) return;
        _isUndone = true;
        _undo();
    }
}
