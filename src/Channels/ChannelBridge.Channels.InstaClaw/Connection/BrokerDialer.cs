using ChannelBridge.Abstractions.Dialing;
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
    Task<IDialedSocket> DialAsync(Uri url, Profile profile, Action heard, Action<long> ponged, CancellationToken cancellationToken);
}

/// <summary>Dials a broker with the host's dialer. The credentials travel as headers of the upgrade.</summary>
internal sealed class BrokerDialer(IDialer dialer, int maxMessageBytes) : IBrokerDialer
{
    public Task<IDialedSocket> DialAsync(Uri url, Profile profile, Action heard, Action<long> ponged, CancellationToken cancellationToken) => dialer.DialAsync(
        new DialRequest
        {
            Url = url,
            Headers = [.. profile.Headers.Select(header => KeyValuePair.Create(header.Name, header.Value))],
            MaxMessageBytes = maxMessageBytes,
            Heard = heard,
            Ponged = ponged
        }, cancellationToken);
}
