using System.Formats.Asn1;
using System.Security.Cryptography;
using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Unit.Identity;

/// <summary>Keys as others write them. One key, written by OpenSSL 3, Node and Python's cryptography; made for these tests and used nowhere else.</summary>
public sealed class KeyFormatTests
{
    private const string Passphrase = "open sesame";
    private const string Plain = "MC4CAQAwBQYDK2VwBCIEICScsidoZle0hiyx7pIOG3c9JeNYxQUa1qlcGvAyPYq8";
    private const string PublicHex = "e77f646e6e4e600749bc9721420c5f6f67fd115191852f56aad27e5f79106477";
    private const string PublicPem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA539kbm5OYAdJvJchQgxfb2f9EVGRhS9WqtJ+X3kQZHc=\n-----END PUBLIC KEY-----\n";

    public static TheoryData<string, string> Encrypted => new()
    {
        {
            "openssl, AES-256",
            "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAinjsFr03zPuwICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKHc3FEPb9PHoKqTHZr7OmIEQKZH" +
            "BPTvXI6Aq/EkXlaX1uT9wAlBlWQ5DVcFEPh+rrxomraO09Db3xSlDjgvhswlw2C6VYx4fN4RHjANv/7L390="
        },
        {
            "openssl, AES-128, HMAC-SHA1",
            "MIGNMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAi8Kn0A24OScgICA+gwHQYJYIZIAWUDBAECBBDQ9pIf3xkpyATsMblh6IdCBEBfWBIcppXu/niLJ6IuJi/0" +
            "WmAEJSRNUhQlI23LqUEbfXxwxTod1DXFhMRwnrr7+9MXSlKyIoD5xmblN+umuflb"
        },
        {
            "node",
            "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAidmGzEHv4p/QICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDA/NFub5mFAO2ljx0roKOEEQAdP" +
            "/1eqRv0h4hajfaKqTXgS0njldL9su4h/6vpuugxU/Zz86L8kqU5eLKTXRqsnI2sIv98zd9ebHIQy1t20x9s="
        },
        {
            "python",
            "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDuXAG2Ip5WGxmtKuONPQI0AgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQmam4fo5seW7LrwMJ" +
            "+aAfiwRA6Lpw9t4HGdsyiNmsviwtBu8macYOlpJtbR5s3eMtejQVwhZ8Anppt/Eu8/mbw3rNgl8mz8xDmLXl4vCIdRsrLg=="
        },
    };

    [Theory]
    [InlineData("", "\n")]
    [InlineData("", "\r\n")]
    [InlineData("Bag Attributes\n  friendlyName: mine\nKey Attributes: <No Attributes>\n", "\n")]
    public void PlainKeys_OfOthers_AreRead(string before, string newLine)
    {
        using var key = IdentityKey.FromPem(before + Block("PRIVATE KEY", Plain).ReplaceLineEndings(newLine), "not needed");

        Assert.Equal(PublicHex, Convert.ToHexStringLower(key.PublicKey.Span));
    }

    [Theory, MemberData(nameof(Encrypted))]
    public void EncryptedKeys_OfOthers_AreRead(string writer, string content)
    {
        var pem = Block("ENCRYPTED PRIVATE KEY", content);
        using var key = IdentityKey.FromPem(pem, Passphrase);

        Assert.True(PublicHex == Convert.ToHexStringLower(key.PublicKey.Span), writer);
        Assert.Equal(IdentityFault.PassphraseNeeded, Assert.Throws<IdentityException>(() => IdentityKey.FromPem(pem)).Fault);
        // One of 256 wrong passphrases leaves right padding behind; the answer is the same.
        for (var other = 0; other < 300; other++)
            Assert.Equal(IdentityFault.PassphraseWrong, Assert.Throws<IdentityException>(() => IdentityKey.FromPem(pem, $"open barley {other}")).Fault);
    }

    [Fact]
    public void Version2_WithThePublicKey_IsReadAndCompared()
    {
        using var key = IdentityKey.FromPem(Version2(PublicHex));
        Assert.Equal(PublicHex, Convert.ToHexStringLower(key.PublicKey.Span));

        var other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        var fault = Assert.Throws<IdentityException>(() => IdentityKey.FromPem(Version2(other)));
        Assert.Equal(IdentityFault.Malformed, fault.Fault);
    }

    [Fact]
    public void Written_PlainAndEncrypted_IsReadAgain()
    {
        using var key = IdentityKey.FromPem(Block("PRIVATE KEY", Plain));
        Assert.Equal(Block("PRIVATE KEY", Plain), key.ToPem());

        var pem = key.ToPem("Sésame, ouvre-toi");
        Assert.StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", pem, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', pem);
        using var again = IdentityKey.FromPem(pem, "Sésame, ouvre-toi");
        Assert.Equal(PublicHex, Convert.ToHexStringLower(again.PublicKey.Span));
        Assert.Equal(IdentityFault.PassphraseWrong, Assert.Throws<IdentityException>(() => IdentityKey.FromPem(pem, "sesame")).Fault);
    }

    [Fact]
    public void PublicKeys_AreWrittenAsOthersDo()
    {
        var verifier = IdentityVerifier.FromPem(PublicPem);

        Assert.Equal(PublicHex, Convert.ToHexStringLower(verifier.PublicKey.Span));
        Assert.Equal(PublicPem, verifier.ToPem());
    }

    [Theory]
    [InlineData("", IdentityFault.Malformed)]
    [InlineData("hello", IdentityFault.Malformed)]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n", IdentityFault.Malformed)]
    [InlineData("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4CAQ==\n-----END ENCRYPTED PRIVATE KEY-----\n", IdentityFault.Malformed)]
    [InlineData("-----BEGIN OPENSSH PRIVATE KEY-----\nMC4CAQ==\n-----END OPENSSH PRIVATE KEY-----\n", IdentityFault.Unsupported)]
    [InlineData("-----BEGIN EC PRIVATE KEY-----\nMC4CAQ==\n-----END EC PRIVATE KEY-----\n", IdentityFault.Unsupported)]
    public void WhatIsNoKey_IsSaidClearly(string pem, IdentityFault fault) =>
        Assert.Equal(fault, Assert.Throws<IdentityException>(() => IdentityKey.FromPem(pem, Passphrase)).Fault);

    [Fact]
    public void KeysOfOtherAlgorithms_AreNamed()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var pem = other.ExportPkcs8PrivateKeyPem();

        var fault = Assert.Throws<IdentityException>(() => IdentityKey.FromPem(pem));
        Assert.Equal(IdentityFault.Unsupported, fault.Fault);
        Assert.Contains("1.2.840.10045.2.1", fault.Message, StringComparison.Ordinal);
        Assert.Equal(IdentityFault.Unsupported, Assert.Throws<IdentityException>(() => IdentityVerifier.FromPem(other.ExportSubjectPublicKeyInfoPem())).Fault);
    }

    [Fact]
    public void DamagedKeys_NeverCrash()
    {
        var random = new Random(7);
        var whole = Convert.FromBase64String(Plain);
        for (var round = 0; round < 2000; round++)
        {
            var content = whole.AsSpan(0, random.Next(1, whole.Length + 1)).ToArray();
            content[random.Next(content.Length)] = (byte)random.Next(256);
            try
            {
                IdentityKey.FromPem(Block("PRIVATE KEY", Convert.ToBase64String(content))).Dispose();
            }
            catch (IdentityException)
            {
                // The only exception there may be.
            }
        }
    }

    private static string Version2(string publicHex)
    {
        var seed = Convert.FromBase64String(Plain)[^34..];
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(1);
            using (writer.PushSequence()) writer.WriteObjectIdentifier("1.3.101.112");
            writer.WriteOctetString(seed);
            writer.WriteBitString(Convert.FromHexString(publicHex), 0, new Asn1Tag(TagClass.ContextSpecific, 1));
        }

        return Block("PRIVATE KEY", Convert.ToBase64String(writer.Encode()));
    }

    private static string Block(string label, string content) => PemEncoding.WriteString(label, Convert.FromBase64String(content)) + "\n";
}
