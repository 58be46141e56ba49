namespace ChannelBridge.OpenClaw;

/// <summary>
/// How many bytes of files have crossed the link, as they are and in base64. With a plugin that takes binary messages the second stays 0.
/// </summary>
internal sealed class LinkTraffic
{
    private long _binary;
    private long _base64;

    public long Binary => Interlocked.Read(ref _binary);

    public long Base64 => Interlocked.Read(ref _base64);

    public void Count(long bytes, bool binary) => Interlocked.Add(ref binary ? ref _binary : ref _base64, bytes);
}
