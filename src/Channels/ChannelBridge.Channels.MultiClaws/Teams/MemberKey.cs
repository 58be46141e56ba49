using System.Security.Cryptography;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>This host's P-256 key: it signs what the host asks of members, and opens what was sealed for it.</summary>
internal sealed class MemberKey : IDisposable
{
    private const int Scalar = 32;

    private readonly Lock _gate = new();
    private readonly ECDsa _sign;
    private readonly ECDiffieHellman _agree;
    private readonly byte[] _saved;

    private MemberKey(ECParameters parameters)
    {
        _sign = ECDsa.Create(parameters);
        _agree = ECDiffieHellman.Create(parameters);
        _saved = [.. parameters.D!, .. parameters.Q.X!, .. parameters.Q.Y!];
        Public = MemberPublicKey.Of(parameters.Q);
    }

    /// <summary>The public half.</summary>
    public MemberPublicKey Public { get; }

    /// <summary>A new key.</summary>
    public static MemberKey Create()
    {
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new MemberKey(made.ExportParameters(includePrivateParameters: true));
    }

    /// <summary>A key as <see cref="Save"/> wrote it.</summary>
    /// <exception cref="CryptographicException">It is none.</exception>
    public static MemberKey Load(ReadOnlySpan<byte> saved)
    {
        if (saved.Length != 3 * Scalar) throw new CryptographicException("A member's key has 96 bytes.");
        return new MemberKey(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            D = saved[..Scalar].ToArray(),
            Q = new ECPoint { X = saved[Scalar..(2 * Scalar)].ToArray(), Y = saved[(2 * Scalar)..].ToArray() },
        });
    }

    /// <summary>The key as bytes: a secret.</summary>
    public byte[] Save() => [.. _saved];

    /// <summary>Signs.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data)
    {
        lock (_gate) return _sign.SignData(data.ToArray(), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <summary>The secret that this key and another one have in common.</summary>
    public byte[] Agree(MemberPublicKey other)
    {
        using var point = other.ToAgreement();
        lock (_gate) return _agree.DeriveRawSecretAgreement(point.PublicKey);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sign.Dispose();
        _agree.Dispose();
        CryptographicOperations.ZeroMemory(_saved);
    }
}
