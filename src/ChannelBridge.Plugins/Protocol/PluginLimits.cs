namespace ChannelBridge.Plugins.Protocol;

/// <summary>What one end of a connection takes from the other.</summary>
public sealed record PluginLimits
{
    /// <summary>The defaults.</summary>
    public static PluginLimits Default { get; } = new();

    /// <summary>Calls of the other end that are answered at the same time; one more is answered <c>BUSY</c>. Default 256.</summary>
    public int MaxOpenRequests { get; init; } = 256;

    /// <summary>
    /// Bytes that wait until the other end reads them. Calls and streams wait for room; answers that find none end the connection. Default
    /// 4 MiB.
    /// </summary>
    public int MaxUnreadBytes { get; init; } = 4 * 1024 * 1024;
}
