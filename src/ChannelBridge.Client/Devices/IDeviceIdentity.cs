namespace ChannelBridge.Client.Devices;

/// <summary>
/// Who the client is to a gateway or a host: an Ed25519 key, and the tokens that were issued to it. The package <c>ChannelBridge.Client.Identity</c> brings
/// one that keeps both in a file; a key in a keyring or a TPM implements this. Used by one connection at a time.
/// </summary>
public interface IDeviceIdentity
{
    /// <summary>The public key's 32 bytes. They don't change.</summary>
    ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Signs <paramref name="payload"/> with the key (Ed25519, 64 bytes).</summary>
    /// <exception cref="Exception">Whatever keeps it from signing; the client doesn't connect then and says why.</exception>
    ValueTask<byte[]> SignAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);

    /// <summary>The token that is kept for a role; null when there is none.</summary>
    ValueTask<DeviceToken?> ReadTokenAsync(string role, CancellationToken cancellationToken);

    /// <summary>Keeps a token in the place of the one of its role. When it returns, the token outlives a crash.</summary>
    ValueTask WriteTokenAsync(DeviceToken token, CancellationToken cancellationToken);

    /// <summary>Forgets a token that is refused. Another token of that role, which someone has stored meanwhile, stays.</summary>
    ValueTask ForgetTokenAsync(DeviceToken token, CancellationToken cancellationToken);
}

/// <summary>A token that was issued to a device. It is a secret: without the device's key it is worth nothing, but it isn't logged either.</summary>
/// <param name="Role">The role that it is for, e.g. <c>operator</c>.</param>
/// <param name="Token">The token.</param>
/// <param name="Scopes">The scopes that were approved with it.</param>
public sealed record DeviceToken(string Role, string Token, IReadOnlyList<string> Scopes)
{
    /// <summary>Everything but the token.</summary>
    public override string ToString() => $"{nameof(DeviceToken)} {{ {Role}: {string.Join(", ", Scopes)} }}";
}
