using System.Globalization;
using System.Text;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Channels.Juji.Endpoint;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Unit.Identity;

/// <summary>What is signed, whatever stands in it: a signature over one payload is good for no other.</summary>
public sealed class PayloadTests : IDisposable
{
    private readonly IdentityKey _key = IdentityKey.Create();

    public void Dispose() => _key.Dispose();

    private static Gen<string> Word => Gen.Elements("", "a", "operator", "operator.read", "gateway-client", "治", " x ", "A", "0", "v2");

    private static Gen<DeviceProof> Proof =>
        from words in Word.ArrayOf(8)
        from scopes in Gen.Elements("operator.read", "operator.write", "operator.admin").ArrayOf()
        from at in Gen.Choose(0, int.MaxValue)
        select new DeviceProof
        {
            DeviceId = words[0],
            ClientId = words[1],
            ClientMode = words[2],
            Role = words[3],
            Scopes = scopes,
            SignedAt = at,
            Token = words[4],
            Nonce = words[5],
            Platform = words[6],
            DeviceFamily = words[7],
        };

    [Fact]
    public void DeviceProof_EveryFieldStandsInItsPlace_AndNoOtherProofHasItsSignature() => Prop.ForAll(Proof.ToArbitrary(), Proof.ToArbitrary(), (proof, other) =>
    {
        string[] common =
        [
            proof.DeviceId, proof.ClientId, proof.ClientMode, proof.Role, string.Join(',', proof.Scopes), proof.SignedAt.ToString(CultureInfo.InvariantCulture),
            proof.Token ?? "", proof.Nonce,
        ];
        Assert.Equal(["v2", .. common], Encoding.UTF8.GetString(proof.WritePayloadV2()).Split('|'));
        Assert.Equal(
            ["v3", .. common, DeviceProof.Normalize(proof.Platform), DeviceProof.Normalize(proof.DeviceFamily)],
            Encoding.UTF8.GetString(proof.WritePayload()).Split('|'));
        var signature = _key.Sign(proof.WritePayload());
        var verifier = _key.ToVerifier();
        Assert.True(verifier.Verify(proof.WritePayload(), signature));
        Assert.False(verifier.Verify(proof.WritePayloadV2(), signature));
        Assert.Equal(proof.WritePayload().SequenceEqual(other.WritePayload()), verifier.Verify(other.WritePayload(), signature));
        return true;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void JujiConnection_IsSignedForOneAgentAndOneSecond() => Prop.ForAll(
        Gen.Choose(1, int.MaxValue).Four().ToArbitrary(),
        numbers =>
        {
            var (agent, other, at, later) = numbers;
            Assert.Equal($"juji-ws-v1|{agent}|{at}", Encoding.UTF8.GetString(AgentKeys.Payload($"{agent}", at)));
            var key = Convert.ToHexStringLower(_key.PublicKey.Span);
            var signature = AgentKeys.Sign(_key, agent, at);
            Assert.True(AgentBook.IsSigned(key, agent, $"{at}", signature, at));
            Assert.Equal(agent == other, AgentBook.IsSigned(key, other, $"{at}", signature, at));
            // The moment is bound as well as its distance from now.
            Assert.Equal(at == later, AgentBook.IsSigned(key, agent, $"{later}", signature, later));
            Assert.Equal(Math.Abs((long)later - at) <= 300, AgentBook.IsSigned(key, agent, $"{at}", signature, later));
            return true;
        }).QuickCheckThrowOnFailure();
}
