using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Access;

/// <summary>
/// AES-256-GCM under a key for each secret, made of the host's key and a salt by HKDF: however much is sealed, no key and nonce come
/// together twice. The host's key is read, or made, when something is first sealed or opened.
/// </summary>
/// <param name="path">The file of the host's key; null: this host has no place for one.</param>
internal sealed class SecretSeal(string? path) : ISecretSeal
{
    private const byte Form = 1;
    private const int SaltBytes = 16;
    private const int TagBytes = 16;
    private const int KeyBytes = 32;
    private const int HeadBytes = 1 + SaltBytes + TagBytes;
    private const UnixFileMode Others = (UnixFileMode)0x3F;

    private readonly Lazy<byte[]> _key = new(() => ReadOrMake(path));

    /// <inheritdoc/>
    public byte[] Seal(ReadOnlySpan<byte> secret, string purpose)
    {
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        var result = new byte[HeadBytes + secret.Length];
        result[0] = Form;
        RandomNumberGenerator.Fill(result.AsSpan(1, SaltBytes));
        var bound = Encoding.UTF8.GetBytes(purpose);
        using var aes = Open(result.AsSpan(1, SaltBytes), out var nonce);
        aes.Encrypt(nonce, secret, result.AsSpan(HeadBytes), result.AsSpan(1 + SaltBytes, TagBytes), bound);
        return result;
    }

    /// <inheritdoc/>
    public byte[] Open(ReadOnlySpan<byte> sealedSecret, string purpose)
    {
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        if (sealedSecret.Length < HeadBytes || sealedSecret[0] != Form) throw Closed(null);
        var secret = new byte[sealedSecret.Length - HeadBytes];
        using var aes = Open(sealedSecret.Slice(1, SaltBytes), out var nonce);
        try
        {
            aes.Decrypt(nonce, sealedSecret[HeadBytes..], sealedSecret.Slice(1 + SaltBytes, TagBytes), secret, Encoding.UTF8.GetBytes(purpose));
            return secret;
        }
        catch (AuthenticationTagMismatchException fault)
        {
            throw Closed(fault);
        }
    }

    private AesGcm Open(ReadOnlySpan<byte> salt, out byte[] nonce)
    {
        var made = new byte[KeyBytes + 12];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key.Value, made, salt, "channelbridge-seal-1"u8);
        nonce = made[KeyBytes..];
        var aes = new AesGcm(made.AsSpan(0, KeyBytes), TagBytes);
        CryptographicOperations.ZeroMemory(made.AsSpan(0, KeyBytes));
        return aes;
    }

    private static BridgeException Closed(Exception? fault) => new(
        ErrorCodes.Unavailable,
        "A secret in the store was sealed with another key: put the file 'key' of the data folder back, or have all hosts of the store name one file by Access:SealKeyFile.",
        fault);

    private static byte[] ReadOrMake(string? path)
    {
        if (path is null)
            throw new BridgeException(ErrorCodes.Unavailable, "This host has no place for the key that secrets are sealed with: name a file by Access:SealKeyFile.");
        try
        {
            var text = TokenFile.ReadOrMake(path);
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != UnixFileMode.None)
                throw new BridgeException(ErrorCodes.Unavailable, $"Others may read the key file {path}; make it private with: chmod 600 {path}");
            var key = Base64Url.DecodeFromChars(text);
            return key.Length == KeyBytes ? key : throw new FormatException();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or FormatException or InvalidDataException)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"The key file {path} can't be used: it must hold 32 bytes in base64url in its first line.", fault);
        }
    }
}
