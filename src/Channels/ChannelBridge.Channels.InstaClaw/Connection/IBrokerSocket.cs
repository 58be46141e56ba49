using ChannelBridge.Channels.InstaClaw.Registration;

namespace ChannelBridge.Channels.InstaClaw.Connection;

/// <summary>Opens connections to a broker.</summary>
internal interface IBrokerDialer
{
    /// <summary>Connects with an account's credentials.</summary>
    /// <param name="url">The broker.</param>
    /// <param name="profile">Whose credentials.</param>
    /// <param name="heard">Called for whatever arrives.</param>
    /// <param name="ponged">Called with the number of each ping frame that was answered.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    Task<IBrokerSocket> DialAsync(Uri url, Profile profile, Action heard, Action<long> ponged, CancellationToken cancellationToken);
}

/// <summary>One connection. Reading is one caller's; sending is anybody's, one message after the other.</summary>
internal interface IBrokerSocket : IAsyncDisposable
{
    /// <summary>The next text message; null when the broker has closed.</summary>
    ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Sends a text message; completes when it is handed to the network.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>Sends a ping frame that carries a number.</summary>
    ValueTask PingAsync(long number, CancellationToken cancellationToken);

    /// <summary>Says goodbye in an orderly way; reading ends soon after, whatever the broker does. Never throws.</summary>
    ValueTask CloseAsync();

    /// <summary>Why the broker closed, for the status; null when it said nothing.</summary>
    string? CloseReason { get; }

    /// <summary>Breaks the connection at once.</summary>
    void Abort();
}
