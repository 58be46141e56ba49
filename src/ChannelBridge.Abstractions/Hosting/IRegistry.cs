namespace ChannelBridge.Abstractions.Hosting;

/// <summary>
/// What the host is made of at this moment. It may change while the host runs; whoever reads it takes one <see cref="RegistrySnapshot"/> and works with that.
/// </summary>
public interface IRegistry
{
    /// <summary>The contributors as they are now.</summary>
    RegistrySnapshot Current { get; }

    /// <summary>Adds contributors, all or none. They are removed when the result is disposed.</summary>
    /// <exception cref="InvalidOperationException">Two channels, methods or tools have the same name, two receive the binary messages of one channel, or two
    /// endpoints have one path.</exception>
    IDisposable Add(IReadOnlyCollection<IContributor> contributors);

    /// <summary>Calls back after each change, until the result is disposed. The call must be quick and must not throw.</summary>
    IDisposable OnChange(Action<RegistrySnapshot> changed);
}
