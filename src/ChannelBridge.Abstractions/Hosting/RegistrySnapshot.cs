using System.Collections.Concurrent;

namespace ChannelBridge.Abstractions.Hosting;

/// <summary>The contributors at one moment; never changed.</summary>
/// <param name="version">0 for an empty registry; grows with each change.</param>
/// <param name="contributors">The contributors, in the order in which they were added.</param>
public sealed class RegistrySnapshot(long version, IReadOnlyList<IContributor> contributors)
{
    private readonly ConcurrentDictionary<Type, object> _byKind = new();

    /// <summary>Grows with each change.</summary>
    public long Version => version;

    /// <summary>All contributors.</summary>
    public IReadOnlyList<IContributor> All => contributors;

    /// <summary>The contributors of one kind, e.g. all channels, in the order in which they were added.</summary>
    public IReadOnlyList<T> Of<T>()
        where T : class, IContributor =>
        (IReadOnlyList<T>)_byKind.GetOrAdd(typeof(T), static (_, all) => all.OfType<T>().ToArray(), contributors);
}
