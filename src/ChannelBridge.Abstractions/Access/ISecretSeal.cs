namespace ChannelBridge.Abstractions.Access;

/// <summary>
/// Seals secrets that a channel keeps in its records (a key that another host gave, a private key), so that a copy of the store alone gives none of them away. The
/// host's key for it lies in <c>DIR/key</c>, or where <c>Access:SealKeyFile</c> says; hosts of one store name one file.
/// </summary>
public interface ISecretSeal
{
    /// <summary>Seals a secret.</summary>
    /// <param name="secret">The secret.</param>
    /// <param name="purpose">What it is and whose, e.g. <c>mychat.key/main</c>: it opens for the same purpose only, so that one can't be put in another's place.</param>
    byte[] Seal(ReadOnlySpan<byte> secret, string purpose);

    /// <summary>Opens what was sealed.</summary>
    /// <exception cref="Errors.BridgeException"><c>UNAVAILABLE</c>: it was sealed with another key or for another purpose, or was changed.</exception>
    byte[] Open(ReadOnlySpan<byte> sealedSecret, string purpose);
}
