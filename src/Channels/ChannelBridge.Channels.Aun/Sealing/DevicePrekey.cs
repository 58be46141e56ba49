using System.Globalization;
using System.Text;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>The public half of a prekey, as it is published.</summary>
internal sealed record DevicePrekey
{
    /// <summary>A prekey older than this isn't used.</summary>
    public static readonly TimeSpan LongestAge = TimeSpan.FromDays(30);

    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The key: base64 of its SPKI, as it was sent, since that text is signed.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Base64 of a signature in DER by the identity's key.</summary>
    public required string Signature { get; init; }

    /// <summary>When it was made (Unix ms), or null: then the signature is without it.</summary>
    public long? CreatedAt { get; init; }

    /// <summary>The device; empty where there is one only.</summary>
    public string DeviceId { get; init; } = "";

    /// <summary>The fingerprint of the certificate whose key has signed, or null: that in force.</summary>
    public string? CertFingerprint { get; init; }

    /// <summary>What is signed.</summary>
    public static byte[] SignedBytes(string id, string publicKey, long? createdAt) => Encoding.UTF8.GetBytes(
        createdAt is { } at ? string.Create(CultureInfo.InvariantCulture, $"{id}|{publicKey}|{at}") : $"{id}|{publicKey}");

    /// <summary>True when the identity has signed it, and its key is one.</summary>
    public bool IsSignedBy(PeerIdentity identity)
    {
        if (!P256.TryReadBase64(Signature, 128, out var signature)) return false;
        if (!P256.TryReadBase64(PublicKey, 256, out var spki) || !P256.IsPublicKey(spki)) return false;
        return identity.Verify(SignedBytes(Id, PublicKey, CreatedAt), signature);
    }

    /// <summary>True when it is too old, or from the future by more than a clock may be wrong.</summary>
    public bool IsOutOfTime(DateTimeOffset now)
    {
        if (CreatedAt is not { } at) return false;
        var age = now.ToUnixTimeMilliseconds() - (decimal)at;
        return age > (decimal)LongestAge.TotalMilliseconds || age < -(decimal)TimeSpan.FromDays(1).TotalMilliseconds;
    }
}
