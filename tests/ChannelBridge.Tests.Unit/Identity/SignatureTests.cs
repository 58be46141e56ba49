using System.Numerics;
using System.Text;
using ChannelBridge.Identity;
using NSec.Cryptography;

namespace ChannelBridge.Tests.Unit.Identity;

public sealed class SignatureTests
{
    /// <summary>RFC 8032, 7.1: seed, public key, message, signature.</summary>
    public static TheoryData<string, string, string, string> Vectors => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
        {
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589" +
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        },
    };

    /// <summary>Every encoding of the eight points of small order: canonical, with the sign of x that isn't theirs, and with y + p.</summary>
    public static TheoryData<string> SmallOrderKeys => new(new[]
    {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    });

    [Theory, MemberData(nameof(Vectors))]
    public void Rfc8032_Vectors_ComeOutRight(string seed, string publicKey, string message, string signature)
    {
        using var key = IdentityKey.FromSeed(Convert.FromHexString(seed));
        var data = Convert.FromHexString(message);

        Assert.Equal(publicKey, Convert.ToHexStringLower(key.PublicKey.Span));
        Assert.Equal(signature, Convert.ToHexStringLower(key.Sign(data)));
        var verifier = IdentityVerifier.Create(key.PublicKey.Span);
        Assert.True(verifier.Verify(data, Convert.FromHexString(signature)));
        Assert.False(verifier.Verify([.. data, 0], Convert.FromHexString(signature)));
    }

    [Fact]
    public void Sign_IntoASpan_IsTheSameSignature()
    {
        using var key = IdentityKey.Create();
        var signature = new byte[IdentityVerifier.SignatureLength];
        key.Sign("hello"u8, signature);

        Assert.Equal(key.Sign("hello"u8), signature);
        Assert.Equal(IdentityKey.SeedLength, key.ExportSeed().Length);
        Assert.True(key.ToVerifier().Verify("hello"u8, signature));
    }

    [Fact]
    public void Verify_TheSameSignatureWithSPlusL_IsFalse()
    {
        var order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", null);
        using var key = IdentityKey.Create();
        var signature = key.Sign("hello"u8);
        var s = new BigInteger(signature.AsSpan(32), isUnsigned: true) + order;
        var other = signature.AsSpan(0, 32).ToArray().Concat(s.ToByteArray(isUnsigned: true)).ToArray();

        Assert.Equal(IdentityVerifier.SignatureLength, other.Length);
        Assert.False(key.ToVerifier().Verify("hello"u8, other));
    }

    [Theory, MemberData(nameof(SmallOrderKeys))]
    public void SmallOrderKeys_AreRefused(string hex)
    {
        var key = Convert.FromHexString(hex);

        Assert.False(IdentityVerifier.TryCreate(key, out _));
        Assert.Equal(IdentityFault.Untrustworthy, Assert.Throws<IdentityException>(() => IdentityVerifier.Create(key)).Fault);
        // The library would import it; by our own rule it doesn't come so far, and its forgery wouldn't be believed either.
        if (!PublicKey.TryImport(SignatureAlgorithm.Ed25519, key, KeyBlobFormat.RawPublicKey, out var imported)) return;
        var forged = new byte[64];
        forged[0] = 1;
        Assert.False(SignatureAlgorithm.Ed25519.Verify(imported!, "hello"u8, forged));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(65)]
    [InlineData(1000)]
    public void Verify_ASignatureOfAnotherLength_IsFalse(int length)
    {
        using var key = IdentityKey.Create();
        var signature = new byte[length];
        key.Sign("hello"u8).AsSpan(0, Math.Min(length, 64)).CopyTo(signature);

        Assert.False(key.ToVerifier().Verify("hello"u8, signature));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void KeysOfAnotherLength_AreRefused(int length)
    {
        Assert.False(IdentityVerifier.TryCreate(new byte[length], out _));
        Assert.Equal(IdentityFault.Malformed, Assert.Throws<IdentityException>(() => IdentityVerifier.Create(new byte[length])).Fault);
        Assert.Equal(IdentityFault.Malformed, Assert.Throws<IdentityException>(() => IdentityKey.FromSeed(new byte[length])).Fault);
    }

    [Fact]
    public void Verify_AnyFlippedBit_IsFalse()
    {
        using var key = IdentityKey.Create();
        var verifier = key.ToVerifier();
        var data = Encoding.UTF8.GetBytes("hello");
        var signature = key.Sign(data);
        for (var bit = 0; bit < signature.Length * 8; bit++)
        {
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(verifier.Verify(data, signature));
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.True(verifier.Verify(data, signature));
    }

    [Fact]
    public void MissingLibrary_IsSaidClearly()
    {
        var inner = new TypeInitializationException("NSec", new DllNotFoundException("Unable to load shared library 'libsodium'"));

        var fault = Assert.Throws<IdentityException>(() => Ed25519Library.Load(() => throw inner, keep: false));
        Assert.Equal(IdentityFault.LibraryMissing, fault.Fault);
        Assert.Contains("NuGet package 'libsodium'", fault.Message, StringComparison.Ordinal);
    }
}
