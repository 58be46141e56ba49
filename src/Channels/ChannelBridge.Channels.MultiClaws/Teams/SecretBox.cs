using System.Security.Cryptography;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>Seals a secret for the holder of a key: a key of one use agrees with it (ECDH), HKDF makes the key of it, AES-256-GCM seals.</summary>
internal static class SecretBox
{
    private const int PointBytes = 64;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeadBytes = PointBytes + NonceBytes + TagBytes;
    private const int MaxText = 1024;

    /// <summary>Seals.</summary>
    /// <param name="to">Who opens it.</param>
    /// <param name="secret">The secret.</param>
    /// <param name="about">What it belongs to: it opens with the same only.</param>
    public static string Seal(MemberPublicKey to, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> about)
    {
        using var once = MemberKey.Create();
        var box = new byte[HeadBytes + secret.Length];
        Base64.ReadExactly(once.Public.Text, PointBytes)!.CopyTo(box, 0);
        RandomNumberGenerator.Fill(box.AsSpan(PointBytes, NonceBytes));
        using var aes = Cipher(once.Agree(to), once.Public, to);
        aes.Encrypt(box.AsSpan(PointBytes, NonceBytes), secret, box.AsSpan(HeadBytes), box.AsSpan(PointBytes + NonceBytes, TagBytes), about);
        return Base64.Write(box);
    }

    /// <summary>Opens.</summary>
    /// <returns>Null: it isn't for this key, about something else, or was changed.</returns>
    public static byte[]? Open(MemberKey key, string? text, ReadOnlySpan<byte> about)
    {
        if (Base64.Read(text, MaxText) is not { Length: >= HeadBytes } box) return null;
        if (MemberPublicKey.Parse(Base64.Write(box.AsSpan(0, PointBytes))) is not { } once) return null;
        var secret = new byte[box.Length - HeadBytes];
        try
        {
            using var aes = Cipher(key.Agree(once), once, key.Public);
            aes.Decrypt(box.AsSpan(PointBytes, NonceBytes), box.AsSpan(HeadBytes), box.AsSpan(PointBytes + NonceBytes, TagBytes), secret, about);
            return secret;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static AesGcm Cipher(byte[] common, MemberPublicKey once, MemberPublicKey to)
    {
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, common, 32, info: Canonical.Of("multiclaws-box-1", once.Text, to.Text));
        CryptographicOperations.ZeroMemory(common);
        var aes = new AesGcm(key, TagBytes);
        CryptographicOperations.ZeroMemory(key);
        return aes;
    }
}
