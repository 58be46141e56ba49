using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Tests.Aun.Sealing;

/// <summary>What another implementation has sealed (see <c>Vectors/make_vectors.py</c>) is opened, and what it computed is what we compute.</summary>
public sealed class VectorTests
{
    private static readonly JsonNode All = Load();

    public static TheoryData<int> Messages => [.. Enumerable.Range(0, All["messages"]!.AsArray().Count)];

    [Theory]
    [MemberData(nameof(Messages))]
    public void Open_AnotherImplementationsEnvelope_GivesItsText(int number)
    {
        var message = All["messages"]![number]!;
        using var bob = Keys("bob");
        var alice = Peer("alice");
        using var prekey = ECDiffieHellman.Create();
        prekey.ImportPkcs8PrivateKey(Convert.FromBase64String((string)All["prekey"]!["key"]!), out _);
        var envelope = Envelope.Read(System.Text.Json.JsonElement.Parse(message["envelope"]!.ToJsonString()));

        EnvelopeCipher.Verify(envelope, alice);
        var text = EnvelopeCipher.Open(envelope, bob, envelope.Aad.PrekeyId is null ? null : prekey, alice, new Agreements());

        Assert.Equal((string)message["text"]!, Encoding.UTF8.GetString(text));
        Assert.Equal((string)message["messageId"]!, envelope.Aad.MessageId);
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void AadBytes_AreThoseOfAnotherImplementation(int number)
    {
        var message = All["messages"]![number]!;
        var aad = EnvelopeAad.Read(System.Text.Json.JsonElement.Parse(message["envelope"]!["aad"]!.ToJsonString()));

        Assert.Equal((string)message["aad"]!, Encoding.UTF8.GetString(aad.ToBytes()));
    }

    [Fact]
    public void Fingerprints_AreThoseOfThePublicKey()
    {
        using var bob = Keys("bob");

        Assert.Equal((string)All["bob"]!["fingerprint"]!, bob.Fingerprint);
        Assert.Equal((string)All["bob"]!["fingerprint"]!, Peer("bob").Fingerprint);
    }

    [Fact]
    public void PrekeySignatures_WithAndWithoutTime_AreGood()
    {
        var prekey = All["prekey"]!;
        var withTime = new DevicePrekey
        {
            Id = (string)prekey["id"]!,
            PublicKey = (string)prekey["publicKey"]!,
            Signature = (string)prekey["signature"]!,
            CreatedAt = (long)prekey["createdAt"]!,
        };
        var without = withTime with { CreatedAt = null, Signature = (string)prekey["signatureWithoutTime"]! };

        Assert.True(withTime.IsSignedBy(Peer("bob")));
        Assert.True(without.IsSignedBy(Peer("bob")));
        Assert.False(withTime.IsSignedBy(Peer("alice")));
        Assert.False((withTime with { CreatedAt = null }).IsSignedBy(Peer("bob")));
        Assert.False((without with { CreatedAt = 1 }).IsSignedBy(Peer("bob")));
    }

    private static IdentityKeys Keys(string who)
    {
        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(Convert.FromBase64String((string)All[who]!["key"]!), out _);
        return new IdentityKeys((string)All[who]!["aid"]!, key);
    }

    private static PeerIdentity Peer(string who)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String((string)All[who]!["certificate"]!));
        return new PeerIdentity((string)All[who]!["aid"]!, certificate);
    }

    private static JsonNode Load()
    {
        using var stream = typeof(VectorTests).Assembly.GetManifestResourceStream("sealing.json")!;
        return JsonNode.Parse(stream)!;
    }
}
