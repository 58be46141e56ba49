using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>Seals and opens single envelopes. It knows keys and bytes; where they come from, and what was seen before, is others' business.</summary>
internal static class EnvelopeCipher
{
    private static readonly byte[] LongTermInfo = "aun-longterm-v2"u8.ToArray();

    /// <summary>Seals.</summary>
    /// <param name="sender">The sender.</param>
    /// <param name="recipient">The receiver's identity.</param>
    /// <param name="prekey">The receiver's prekey, already checked; null: with the identities' keys alone.</param>
    /// <param name="prekeyKey">The prekey's key.</param>
    /// <param name="to">What stands as the receiver: for a copy for the sender's own devices another one than whose key it is.</param>
    /// <param name="messageId">The message's id.</param>
    /// <param name="timestamp">Its time (Unix ms).</param>
    /// <param name="text">What is sealed.</param>
    /// <param name="agreements">What static pairs agreed on before.</param>
    public static Envelope Seal(
        IdentityKeys sender, PeerIdentity recipient, DevicePrekey? prekey, ECDiffieHellman? prekeyKey, string to, string messageId, long timestamp,
        ReadOnlySpan<byte> text, Agreements agreements)
    {
        using var ephemeral = P256.NewPair();
        var aad = new EnvelopeAad
        {
            From = sender.Aid,
            To = to,
            MessageId = messageId,
            Timestamp = timestamp,
            Mode = prekey is null ? Envelope.LongTermMode : Envelope.PrekeyMode,
            Suite = Envelope.SuiteName,
            EphemeralKey = Convert.ToBase64String(P256.WritePoint(ephemeral)),
            // The receiver compares it with its own word for itself, which it may have published with the prekey.
            RecipientFingerprint = recipient.Is(prekey?.CertFingerprint) ? prekey!.CertFingerprint! : recipient.Fingerprint,
            SenderFingerprint = sender.Fingerprint,
            PrekeyId = prekey?.Id,
        };
        var key = prekey is null
            ? Derive(LongTermInfo, Raw(ephemeral, recipient.Agreement), agreements.Of(sender, recipient))
            : Derive(
                InfoOf(prekey.Id), Raw(ephemeral, prekeyKey!), Raw(ephemeral, recipient.Agreement), agreements.Of(sender, prekey.PublicKey, prekeyKey!),
                agreements.Of(sender, recipient));
        try
        {
            var nonce = RandomNumberGenerator.GetBytes(Envelope.NonceLength);
            var ciphertext = new byte[text.Length];
            var tag = new byte[Envelope.TagLength];
            var aadBytes = aad.ToBytes();
            using (var cipher = new AesGcm(key, Envelope.TagLength)) cipher.Encrypt(nonce, text, ciphertext, tag, aadBytes);
            return new Envelope { Aad = aad, Nonce = nonce, Ciphertext = ciphertext, Tag = tag, Signature = sender.Sign(Signed(ciphertext, tag, aadBytes)) };
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Looks at the sender's signature.</summary>
    /// <exception cref="SealingException">It is wrong.</exception>
    public static void Verify(Envelope envelope, PeerIdentity sender)
    {
        if (!sender.Verify(Signed(envelope.Ciphertext, envelope.Tag, envelope.Aad.ToBytes()), envelope.Signature))
            throw new SealingException(SealingFault.SignatureWrong, "the sender's signature is wrong");
    }

    /// <summary>Opens; the signature was looked at before.</summary>
    /// <param name="envelope">What came.</param>
    /// <param name="recipient">Whose it is.</param>
    /// <param name="prekey">The private half of its prekey; null with the identities' keys alone.</param>
    /// <param name="sender">The sender's identity.</param>
    /// <param name="agreements">What static pairs agreed on before.</param>
    /// <exception cref="SealingException">It can't be opened.</exception>
    public static byte[] Open(Envelope envelope, IdentityKeys recipient, ECDiffieHellman? prekey, PeerIdentity sender, Agreements agreements)
    {
        byte[] key;
        try
        {
            if (!P256.TryReadBase64(envelope.Aad.EphemeralKey, P256.PointLength, out var point)) throw new CryptographicException("no base64 of a point");
            using var ephemeral = P256.ReadPoint(point);
            key = prekey is null
                ? Derive(LongTermInfo, recipient.Agree(ephemeral), agreements.Of(recipient, sender))
                : Derive(
                    InfoOf(envelope.Aad.PrekeyId!), Raw(prekey, ephemeral), recipient.Agree(ephemeral), agreements.Of(envelope.Aad.PrekeyId!, prekey, sender),
                    agreements.Of(recipient, sender));
        }
        catch (CryptographicException fault)
        {
            throw new SealingException(SealingFault.Malformed, "the message's own key is no point of P-256", fault);
        }

        try
        {
            var text = new byte[envelope.Ciphertext.Length];
            using var cipher = new AesGcm(key, Envelope.TagLength);
            cipher.Decrypt(envelope.Nonce, envelope.Ciphertext, envelope.Tag, text, envelope.Aad.ToBytes());
            return text;
        }
        catch (CryptographicException fault)
        {
            throw new SealingException(SealingFault.NotOpened, "it can't be opened; something of it was changed", fault);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static byte[] InfoOf(string prekeyId) => Encoding.UTF8.GetBytes("aun-prekey-v2:" + prekeyId);

    private static byte[] Raw(ECDiffieHellman own, ECDiffieHellman other) => own.DeriveRawSecretAgreement(other.PublicKey);

    private static byte[] Derive(byte[] info, params ReadOnlySpan<byte[]> agreed)
    {
        Span<byte> all = stackalloc byte[agreed.Length * P256.Length];
        for (var i = 0; i < agreed.Length; i++) agreed[i].CopyTo(all[(i * P256.Length)..]);
        var key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, all, key, salt: [], info);
        CryptographicOperations.ZeroMemory(all);
        return key;
    }

    private static byte[] Signed(byte[] ciphertext, byte[] tag, byte[] aad) => [.. ciphertext, .. tag, .. aad];
}
