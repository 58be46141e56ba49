namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>Where the public keys of others come from: the endpoint's own books, or somebody else's gateway.</summary>
internal interface IPeerKeys
{
    /// <summary>An identity by its certificate, which was checked: its chain ends in a trusted root, its name is the identity's, it is valid now and isn't revoked.</summary>
    /// <param name="aid">The identity.</param>
    /// <param name="fingerprint">Which of its certificates, <c>sha256:…</c>; null: the one in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when there is no such identity or certificate, or it isn't to be trusted.</returns>
    /// <exception cref="Abstractions.Errors.BridgeException">It can't be asked for now.</exception>
    ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken);

    /// <summary>The prekeys of an identity's devices, not checked; empty when it has none.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">They can't be asked for now.</exception>
    ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken);
}
