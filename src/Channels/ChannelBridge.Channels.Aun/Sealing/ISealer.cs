using System.Security.Cryptography;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>
/// Seals and opens messages of identities whose key this host holds: agents of the endpoint, accounts of the connector. Prekeys, replays and their records are its own.
/// </summary>
internal interface ISealer
{
    /// <summary>What is to be published for an identity: a new prekey when there is none or the current one is an hour old, else null. Called at connect and then by time.</summary>
    ValueTask<PublicPrekey?> RenewAsync(HeldIdentity self, CancellationToken cancellationToken);

    /// <summary>Opens a message.</summary>
    /// <returns>The payload as UTF-8 JSON.</returns>
    /// <exception cref="SealException">It can't be opened; nothing of it may be shown. Counted by the sealer.</exception>
    ValueTask<ReadOnlyMemory<byte>> OpenAsync(HeldIdentity self, IPeerDirectory peers, SealedMessage message, CancellationToken cancellationToken);

    /// <summary>Seals a payload for each device of a receiver. A failure to seal is an error, never plain text.</summary>
    /// <param name="self">Who sends.</param>
    /// <param name="peers">Where keys are found.</param>
    /// <param name="to">Who receives.</param>
    /// <param name="messageId">The message's id, which stands in the authenticated data.</param>
    /// <param name="timestamp">Its time (Unix ms), as well.</param>
    /// <param name="payload">The payload as UTF-8 JSON.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SealException">It can't be sealed.</exception>
    ValueTask<SealedPayload> SealAsync(
        HeldIdentity self, IPeerDirectory peers, string to, string messageId, long timestamp, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);
}

/// <summary>Where a sealer finds others' keys: the endpoint's own book, or the gateway that a connector is connected to.</summary>
internal interface IPeerDirectory
{
    /// <summary>
    /// The public key of an identity's certificate, checked: chain to a trusted root, time, not revoked, its name; null when there is none such.
    /// </summary>
    /// <param name="aid">Whose.</param>
    /// <param name="fingerprint"><c>sha256:…</c> of the public key, or null: the current one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<PeerKey?> KeyAsync(string aid, string? fingerprint, CancellationToken cancellationToken);

    /// <summary>The prekeys of an identity's devices as they are published; their signatures are the sealer's to check. Empty: none.</summary>
    ValueTask<IReadOnlyList<PublicPrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken);
}

/// <summary>An identity whose private key this host holds.</summary>
/// <param name="Aid">Its name.</param>
/// <param name="DeviceId">The device that this host is for it; empty: none.</param>
/// <param name="Signing">Signs, and is the key of the certificate.</param>
/// <param name="Agreement">The same key for ECDH.</param>
/// <param name="Fingerprint"><c>sha256:</c> and the SHA-256 of its public key's SPKI in lower-case hexadecimal.</param>
internal sealed record HeldIdentity(string Aid, string DeviceId, ECDsa Signing, ECDiffieHellman Agreement, string Fingerprint);

/// <summary>Another identity's public key.</summary>
/// <param name="Aid">Whose.</param>
/// <param name="Spki">The key as DER SPKI.</param>
/// <param name="Fingerprint">As in <see cref="HeldIdentity.Fingerprint"/>.</param>
internal sealed record PeerKey(string Aid, ReadOnlyMemory<byte> Spki, string Fingerprint);

/// <summary>A prekey as it is published.</summary>
/// <param name="DeviceId">The device; empty: none is named.</param>
/// <param name="PrekeyId">Its id.</param>
/// <param name="PublicKey">Base64 of the DER SPKI.</param>
/// <param name="Signature">Base64 of the DER signature by the identity's key.</param>
/// <param name="CreatedAt">When it was made (Unix ms); null: it isn't said, and not signed then.</param>
/// <param name="Fingerprint">The identity's fingerprint as the uploader named it, or null.</param>
internal sealed record PublicPrekey(string DeviceId, string PrekeyId, string PublicKey, string Signature, long? CreatedAt, string? Fingerprint);

/// <summary>A message that came sealed.</summary>
/// <param name="From">Its sender by the connection, not by what stands in it.</param>
/// <param name="MessageId">Its id outside of the envelope.</param>
/// <param name="Envelope">The envelope as UTF-8 JSON: <c>payload</c> of <c>e2ee.encrypted</c>.</param>
/// <param name="Pushed">True: its time must be within 300 s of now; false: it was pulled, and isn't held to that.</param>
internal sealed record SealedMessage(string From, string MessageId, ReadOnlyMemory<byte> Envelope, bool Pushed);

/// <summary>What goes into <c>message.send</c>.</summary>
/// <param name="Type"><c>e2ee.encrypted</c> or <c>e2ee.multi_device</c>.</param>
/// <param name="Payload">The payload as UTF-8 JSON.</param>
internal sealed record SealedPayload(string Type, ReadOnlyMemory<byte> Payload);

/// <summary>A message can't be opened or sealed.</summary>
/// <param name="reason">A stable word, e.g. <c>bad_signature</c>, <c>replay</c>, <c>unknown_prekey</c>, <c>no_prekey</c>; no secrets.</param>
/// <param name="message">What is wrong, in words; nothing of the message.</param>
internal sealed class SealException(string reason, string message) : Exception(message)
{
    /// <summary>The stable word.</summary>
    public string Reason => reason;

    /// <summary>True: it may work later as it is (a directory that can't be reached, no prekeys yet).</summary>
    public bool Retryable { get; init; }
}
