using System.Security.Cryptography;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>A member's public key: a point of P-256 as 64 bytes, written as 86 characters.</summary>
internal sealed record MemberPublicKey
{
    private const int Coordinate = 32;

    private MemberPublicKey(ECPoint point)
    {
        Point = point;
        byte[] bytes = [.. point.X!, .. point.Y!];
        Text = Base64.Write(bytes);
        Id = IdOf(bytes);
    }

    /// <summary>The key as text.</summary>
    public string Text { get; }

    /// <summary>How its holder is called here: the name of the peer.</summary>
    public string Id { get; }

    private ECPoint Point { get; }

    /// <summary>How the holder of a key is called, without a look at whether it is one; null: it can't be.</summary>
    public static string? IdOf(string? text) => Base64.ReadExactly(text, 2 * Coordinate) is { } bytes ? IdOf(bytes) : null;

    /// <summary>The key at a point.</summary>
    public static MemberPublicKey Of(ECPoint point) => new(point);

    /// <summary>Reads a key.</summary>
    /// <returns>Null: it is none, or no point of the curve.</returns>
    public static MemberPublicKey? Parse(string? text)
    {
        if (Base64.ReadExactly(text, 2 * Coordinate) is not { } bytes) return null;
        var key = new MemberPublicKey(new ECPoint { X = bytes[..Coordinate], Y = bytes[Coordinate..] });
        try
        {
            using var checking = key.ToSignature();
            return key;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>True when the holder of the key has signed this.</summary>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        using var key = ToSignature();
        return key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <summary>The key for an agreement.</summary>
    public ECDiffieHellman ToAgreement() => ECDiffieHellman.Create(Parameters());

    /// <inheritdoc/>
    public bool Equals(MemberPublicKey? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Id;

    private static string IdOf(byte[] bytes) => "member-" + Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 10));

    private ECDsa ToSignature() => ECDsa.Create(Parameters());

    private ECParameters Parameters() => new() { Curve = ECCurve.NamedCurves.nistP256, Q = Point };
}
