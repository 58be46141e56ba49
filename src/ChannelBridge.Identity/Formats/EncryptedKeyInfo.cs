using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Identity.Formats;

/// <summary>PBES2 (RFC 8018): PBKDF2 and AES-CBC, which is what Node, OpenSSL and Python write.</summary>
internal static class EncryptedKeyInfo
{
    private const int Rounds = 600_000;
    /// <summary>A file that asks for more would keep the processor busy for minutes.</summary>
    private const int MaxRounds = 10_000_000;
    private const int SaltLength = 16;
    private const int KeyLength = 32;
    private const int BlockLength = 16;

    /// <summary>The passphrase doesn't fit.</summary>
    public static IdentityException WrongPassphrase(Exception? inner = null) =>
        new(IdentityFault.PassphraseWrong, "the passphrase doesn't open this key", inner);

    public static byte[] Encrypt(byte[] plain, string passphrase)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        var vector = RandomNumberGenerator.GetBytes(BlockLength);
        using var aes = Aes.Create();
        aes.Key = Derive(passphrase, salt, Rounds, HashAlgorithmName.SHA256, KeyLength);
        var encrypted = aes.EncryptCbc(plain, vector);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(Oids.Pbes2);
                using (writer.PushSequence())
                {
                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Oids.Pbkdf2);
                        using (writer.PushSequence())
                        {
                            writer.WriteOctetString(salt);
                            writer.WriteInteger(Rounds);
                            using (writer.PushSequence())
                            {
                                writer.WriteObjectIdentifier(Oids.HmacSha256);
                                writer.WriteNull();
                            }
                        }
                    }

                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Oids.Aes256Cbc);
                        writer.WriteOctetString(vector);
                    }
                }
            }

            writer.WriteOctetString(encrypted);
        }

        return writer.Encode();
    }

    public static byte[] Decrypt(byte[] content, string passphrase)
    {
        Scheme scheme;
        try
        {
            scheme = Scheme.Read(content);
        }
        catch (AsnContentException fault)
        {
            throw new IdentityException(IdentityFault.Malformed, "the encrypted key is damaged", fault);
        }

        if (scheme.Rounds is < 1 or > MaxRounds)
            throw new IdentityException(IdentityFault.Unsupported, $"the key asks for {scheme.Rounds} rounds of PBKDF2; at most {MaxRounds} are done");
        using var aes = Aes.Create();
        aes.Key = Derive(passphrase, scheme.Salt, scheme.Rounds, scheme.Hash, scheme.KeyLength);
        try
        {
            return aes.DecryptCbc(scheme.Encrypted, scheme.Vector);
        }
        catch (Exception fault) when (fault is CryptographicException or ArgumentException)
        {
            throw WrongPassphrase(fault);
        }
    }

    private static byte[] Derive(string passphrase, byte[] salt, int rounds, HashAlgorithmName hash, int length)
    {
        var bytes = Encoding.UTF8.GetBytes(passphrase);
        try
        {
            return Rfc2898DeriveBytes.Pbkdf2(bytes, salt, rounds, hash, length);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private sealed record Scheme(byte[] Salt, int Rounds, HashAlgorithmName Hash, int KeyLength, byte[] Vector, byte[] Encrypted)
    {
        public static Scheme Read(byte[] content)
        {
            var info = new AsnReader(content, AsnEncodingRules.BER).ReadSequence();
            var algorithm = info.ReadSequence();
            var encrypted = info.ReadOctetString();
            Expect(algorithm.ReadObjectIdentifier(), Oids.Pbes2);
            var parameters = algorithm.ReadSequence();
            var derivation = parameters.ReadSequence();
            Expect(derivation.ReadObjectIdentifier(), Oids.Pbkdf2);
            var pbkdf2 = derivation.ReadSequence();
            var salt = pbkdf2.ReadOctetString();
            if (!pbkdf2.TryReadInt32(out var rounds)) rounds = int.MaxValue;
            // The key's length is told by the cipher, too.
            if (pbkdf2.HasData && pbkdf2.PeekTag().HasSameClassAndValue(Asn1Tag.Integer)) pbkdf2.ReadEncodedValue();
            var hash = pbkdf2.HasData ? HashOf(pbkdf2.ReadSequence().ReadObjectIdentifier()) : HashAlgorithmName.SHA1;
            var cipher = parameters.ReadSequence();
            var length = LengthOf(cipher.ReadObjectIdentifier());
            return new Scheme(salt, rounds, hash, length, cipher.ReadOctetString(), encrypted);
        }

        private static void Expect(string oid, string expected)
        {
            if (oid != expected) throw Unknown(oid);
        }

        private static HashAlgorithmName HashOf(string oid) => oid switch
        {
            Oids.HmacSha1 => HashAlgorithmName.SHA1,
            Oids.HmacSha256 => HashAlgorithmName.SHA256,
            Oids.HmacSha384 => HashAlgorithmName.SHA384,
            Oids.HmacSha512 => HashAlgorithmName.SHA512,
            _ => throw Unknown(oid),
        };

        private static int LengthOf(string oid) => oid switch
        {
            Oids.Aes128Cbc => 16,
            Oids.Aes192Cbc => 24,
            Oids.Aes256Cbc => 32,
            _ => throw Unknown(oid),
        };

        private static IdentityException Unknown(string oid) => new(
            IdentityFault.Unsupported, $"the key is encrypted by {oid}; what is read here is PBES2 with PBKDF2 and AES-CBC, e.g. from: openssl pkcs8 -topk8 -v2 aes-256-cbc");
    }
}
