using System.Formats.Asn1;
using System.Security.Cryptography;

namespace ChannelBridge.Identity.Formats;

/// <summary>A private key as PKCS#8 (RFC 5958 and RFC 8410), plain or encrypted.</summary>
internal static class PrivateKeyInfo
{
    private const string PlainLabel = "PRIVATE KEY";
    private const string EncryptedLabel = "ENCRYPTED PRIVATE KEY";

    /// <summary>The seed, and the public key where the file has one (version 2).</summary>
    public static byte[] ReadPem(string pem, string? passphrase, out byte[]? publicKey)
    {
        if (Pem.Find(pem, PlainLabel, EncryptedLabel) is not var (label, content)) throw NoKey(pem);
        var plain = content;
        try
        {
            if (label == EncryptedLabel)
            {
                if (string.IsNullOrEmpty(passphrase))
                    throw new IdentityException(IdentityFault.PassphraseNeeded, "the key is encrypted; give its passphrase");
                plain = EncryptedKeyInfo.Decrypt(content, passphrase);
            }

            try
            {
                return Parse(plain, out publicKey);
            }
            catch (AsnContentException fault)
            {
                // A wrong passphrase leaves valid padding behind in one of some 250 cases.
                throw label == EncryptedLabel
                    ? EncryptedKeyInfo.WrongPassphrase(fault)
                    : new IdentityException(IdentityFault.Malformed, "the private key is damaged", fault);
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
            CryptographicOperations.ZeroMemory(content);
        }
    }

    public static string WritePem(ReadOnlySpan<byte> seed, string? passphrase)
    {
        var inner = new AsnWriter(AsnEncodingRules.DER);
        inner.WriteOctetString(seed);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(0);
            using (writer.PushSequence()) writer.WriteObjectIdentifier(Oids.Ed25519);
            writer.WriteOctetString(inner.Encode());
        }

        var plain = writer.Encode();
        try
        {
            return string.IsNullOrEmpty(passphrase)
                ? Pem.Write(PlainLabel, plain)
                : Pem.Write(EncryptedLabel, EncryptedKeyInfo.Encrypt(plain, passphrase));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    private static byte[] Parse(byte[] content, out byte[]? publicKey)
    {
        var reader = new AsnReader(content, AsnEncodingRules.BER);
        var info = reader.ReadSequence();
        reader.ThrowIfNotEmpty();
        if (!info.TryReadInt32(out var version) || version is not (0 or 1))
            throw new IdentityException(IdentityFault.Unsupported, "a PKCS#8 key of a version that isn't known");
        var algorithm = info.ReadSequence().ReadObjectIdentifier();
        if (algorithm != Oids.Ed25519) throw new IdentityException(IdentityFault.Unsupported, $"this is a key of the algorithm {algorithm}, not of Ed25519");
        var inner = new AsnReader(info.ReadOctetString(), AsnEncodingRules.BER);
        var seed = inner.ReadOctetString();
        inner.ThrowIfNotEmpty();
        publicKey = null;
        while (info.HasData)
        {
            // [0] are attributes, which nobody needs; [1] is the public key.
            if (info.PeekTag().HasSameClassAndValue(new Asn1Tag(TagClass.ContextSpecific, 1)))
                publicKey = info.ReadBitString(out _, new Asn1Tag(TagClass.ContextSpecific, 1));
            else
                info.ReadEncodedValue();
        }

        return seed;
    }

    private static IdentityException NoKey(string pem) => Pem.FirstLabel(pem) switch
    {
        "OPENSSH PRIVATE KEY" => new IdentityException(
            IdentityFault.Unsupported, "this is a key in OpenSSH's own form; make a PKCS#8 one, e.g. with: openssl genpkey -algorithm ed25519"),
        { } label => new IdentityException(IdentityFault.Unsupported, $"this is a {label}, not a PRIVATE KEY in PKCS#8"),
        null => new IdentityException(IdentityFault.Malformed, "there is no PRIVATE KEY in this text"),
    };
}
