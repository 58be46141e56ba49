namespace ChannelBridge.Protocol.Json;

/// <summary>Bounds on the shape of one JSON message, checked while it is read and before anything is built from it.</summary>
public sealed record JsonLimits
{
    /// <summary>The deepest nesting that any setting may allow.</summary>
    public const int DepthCeiling = 128;

    /// <summary>The defaults.</summary>
    public static JsonLimits Default { get; } = new();

    /// <summary>The deepest nesting of objects and arrays; 1 to 128, default 64.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>The longest string in bytes as it stands in the message; default 26,214,400.</summary>
    public int MaxStringBytes { get; init; } = 26_214_400;

    /// <summary>The longest member name in bytes; default 1,024.</summary>
    public int MaxNameBytes { get; init; } = 1024;

    /// <summary>The most members of one object; default 4,096.</summary>
    public int MaxMembersPerObject { get; init; } = 4096;

    /// <summary>The most values in a message, members and array items together; default 100,000.</summary>
    public int MaxValues { get; init; } = 100_000;

    /// <summary>The longest id of a request in bytes as it stands in the message; default 512.</summary>
    public int MaxIdBytes { get; init; } = 512;
}
