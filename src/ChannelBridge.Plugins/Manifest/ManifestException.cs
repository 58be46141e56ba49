namespace ChannelBridge.Plugins.Manifest;

/// <summary>A manifest or a package that can't be taken, with every fault found and its place.</summary>
public sealed class ManifestException : BridgeException
{
    /// <summary>Creates it.</summary>
    /// <param name="what">What was read, for people: a file or a package.</param>
    /// <param name="faults">At least one.</param>
    public ManifestException(string what, IReadOnlyList<SchemaFault> faults)
        : base(ErrorCodes.InvalidRequest, $"{what}: {string.Join("; ", faults)}") => Faults = faults;

    /// <summary>The faults.</summary>
    public IReadOnlyList<SchemaFault> Faults { get; }
}
