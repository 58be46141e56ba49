namespace ChannelBridge.Endpoints.Connections;

/// <summary>A quick hash of a request's id; equality is checked on the bytes, so it needs no secret.</summary>
internal static class IdHash
{
    /// <summary>FNV-1a, 64 bits.</summary>
    public static ulong Compute(ReadOnlySpan<byte> id)
    {
        var hash = 0xcbf29ce484222325;
        foreach (var b in id) hash = (hash ^ b) * 0x100000001b3;
        return hash;
    }
}
