namespace ChannelBridge.Abstractions.Hosting;

/// <summary>Where the host listens, for a channel that tells others how to reach it.</summary>
public interface IHostAddresses
{
    /// <summary>The addresses of the open listeners as they are bound (<c>http://0.0.0.0:7788</c>, <c>http://127.0.0.1:7788</c>); empty before they are open.</summary>
    IReadOnlyList<string> Listening { get; }
}
