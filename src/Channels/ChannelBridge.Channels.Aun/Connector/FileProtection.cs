using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// How the SDKs protect secrets in files, their scheme <c>file_aes</c>: a key from the password (or the folder's seed), one for each secret by its name.
/// TypeScript's writes base64, Python's hexadecimal; both are read.
/// </summary>
internal sealed class FileProtection : IDisposable
{
    private const string Scheme = "file_aes";
    private const int Rounds = 100_000;
    private readonly byte[] _master;

    /// <summary>Derives the master key, which takes a while.</summary>
    /// <param name="secret">The password's bytes, or the seed's.</param>
    public FileProtection(ReadOnlySpan<byte> secret) =>
        _master = Rfc2898DeriveBytes.Pbkdf2(secret, "aun_file_secret_store_v1"u8, Rounds, HashAlgorithmName.SHA256, 32);

    /// <summary>Protects a text.</summary>
    public JsonObject Protect(string aid, string name, string text)
    {
        var plain = Encoding.UTF8.GetBytes(text);
        var (nonce, ciphertext, tag) = (RandomNumberGenerator.GetBytes(Envelope.NonceLength), new byte[plain.Length], new byte[Envelope.TagLength]);
        using (var cipher = new AesGcm(KeyOf(aid, name), Envelope.TagLength)) cipher.Encrypt(nonce, plain, ciphertext, tag);
        CryptographicOperations.ZeroMemory(plain);
        return new JsonObject
        {
            ["scheme"] = Scheme,
            ["name"] = name,
            ["persisted"] = true,
            ["nonce"] = Convert.ToBase64String(nonce),
            ["ciphertext"] = Convert.ToBase64String(ciphertext),
            ["tag"] = Convert.ToBase64String(tag),
        };
    }

    /// <summary>Gives a text back; null when it isn't protected in this way or by this password.</summary>
    public string? Reveal(string aid, string name, JsonElement json)
    {
        if (Wire.Text(json, "scheme") != Scheme) return null;
        var texts = new[] { Wire.Text(json, "nonce"), Wire.Text(json, "tag"), Wire.Text(json, "ciphertext") };
        if (Array.Exists(texts, static text => text is null)) return null;
        // A nonce has 24 digits in hexadecimal and 16 in base64: that tells them apart.
        var isHex = texts[0]!.Length == 2 * Envelope.NonceLength;
        try
        {
            var parts = Array.ConvertAll(texts, text => isHex ? Convert.FromHexString(text!) : Convert.FromBase64String(text!));
            var plain = new byte[parts[2].Length];
            using var cipher = new AesGcm(KeyOf(aid, name), Envelope.TagLength);
            cipher.Decrypt(parts[0], parts[2], parts[1], plain);
            return Encoding.UTF8.GetString(plain);
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException or CryptographicException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => CryptographicOperations.ZeroMemory(_master);

    private byte[] KeyOf(string aid, string name) => HMACSHA256.HashData(_master, Encoding.UTF8.GetBytes($"aun:{aid}:{name}\u0001"));
}
