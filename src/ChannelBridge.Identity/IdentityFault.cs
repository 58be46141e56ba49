namespace ChannelBridge.Identity;

/// <summary>What went wrong with a key.</summary>
public enum IdentityFault
{
    /// <summary>The text or the bytes are no Ed25519 key, or not in a form that is read here.</summary>
    Malformed,

    /// <summary>A key of another algorithm, or encrypted in a way that is not read here.</summary>
    Unsupported,

    /// <summary>The key is encrypted and no passphrase was given.</summary>
    PassphraseNeeded,

    /// <summary>The passphrase doesn't open the key.</summary>
    PassphraseWrong,

    /// <summary>A public key that must not be trusted: of small order, or not the one way of writing its point.</summary>
    Untrustworthy,

    /// <summary>A key file that others than its owner may read.</summary>
    NotPrivate,

    /// <summary>A key file that can't be read or written.</summary>
    File,

    /// <summary>The native library isn't there for this platform.</summary>
    LibraryMissing,
}
