using System.Security.Cryptography;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class ProofTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
    private readonly MemberKey _key = MemberKey.Create();

    [Fact]
    public void Proof_HoldsForItsRequestOnly()
    {
        var written = Make("http://10.0.0.2:7788", new Uri("http://10.0.0.2:7788/team/a%20b/announce?x=1")).Write();
        var proof = RequestProof.Parse(written)!;
        Assert.True(proof.IsOf("POST", "/team/a b/announce", "?x=1"));
        Assert.False(proof.IsOf("GET", "/team/a b/announce", "?x=1"));
        Assert.False(proof.IsOf("POST", "/team/a b/leave", "?x=1"));
        Assert.False(proof.IsOf("POST", "/team/a b/announce", ""));
        Assert.False((proof with { To = "http://10.0.0.3:7788" }).IsOf("POST", "/team/a b/announce", "?x=1"));
        Assert.False((proof with { TimeMs = proof.TimeMs + 1 }).IsOf("POST", "/team/a b/announce", "?x=1"));
        Assert.False((proof with { Nonce = Base64.Write(new byte[16]) }).IsOf("POST", "/team/a b/announce", "?x=1"));
        Assert.False((proof with { BodyHash = SHA256.HashData([]) }).IsOf("POST", "/team/a b/announce", "?x=1"));
        using var other = MemberKey.Create();
        Assert.False((proof with { Key = other.Public }).IsOf("POST", "/team/a b/announce", "?x=1"));
        Assert.Equal(SHA256.HashData("body"u8), proof.BodyHash);
    }

    [Fact]
    public void Proof_BehindAPrefix_SignsWhatTheMemberSees()
    {
        var proof = Make("https://example.org/bridge", new Uri("https://example.org/bridge/team/t/members"));
        Assert.True(proof.IsOf("POST", "/team/t/members", ""));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(5, true)]
    [InlineData(-5, true)]
    [InlineData(10, false)]
    [InlineData(-10, false)]
    public void Clock_MayDifferByFiveMinutes(int minutes, bool fresh) =>
        Assert.Equal(fresh, Make("http://10.0.0.2", new Uri("http://10.0.0.2/a2a")).IsFresh(s_now.AddMinutes(minutes)));

    [Fact]
    public void Admission_NeedsTheSecret()
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        var url = new Uri("http://10.0.0.2/team/t/members");
        var proof = RequestProof.Parse(RequestProof.Make(_key, "GET", "http://10.0.0.2", url, [], s_now, secret).Write())!;
        Assert.True(proof.IsAdmitted(secret, "GET", "/team/t/members", ""));
        Assert.False(proof.IsAdmitted(RandomNumberGenerator.GetBytes(32), "GET", "/team/t/members", ""));
        Assert.False(proof.IsAdmitted(secret, "GET", "/team/u/members", ""));
        Assert.False(Make("http://10.0.0.2", url).IsAdmitted(secret, "POST", "/team/t/members", ""));
        Assert.DoesNotContain(Base64.Write(secret), proof.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public void Garbage_IsNoProof()
    {
        var good = Make("http://10.0.0.2", new Uri("http://10.0.0.2/a2a")).Write();
        Assert.NotNull(RequestProof.Parse(good));
        Assert.Null(RequestProof.Parse(null));
        Assert.Null(RequestProof.Parse(""));
        Assert.Null(RequestProof.Parse(good + ",key=x"));
        Assert.Null(RequestProof.Parse(good + ",more=x"));
        Assert.Null(RequestProof.Parse(new string('a', 100_000)));
        for (var length = 0; length < good.Length; length++) Assert.Null(RequestProof.Parse(good[..length]));
    }

    [Fact]
    public void Key_IsLoadedAsItWasSaved()
    {
        using var again = MemberKey.Load(_key.Save());
        Assert.Equal(_key.Public, again.Public);
        Assert.True(_key.Public.Verify("x"u8, again.Sign("x"u8)));
        Assert.Null(MemberPublicKey.Parse(Base64.Write(new byte[64])));
        Assert.Null(MemberPublicKey.Parse(Base64.Write(RandomNumberGenerator.GetBytes(64))));
        Assert.Null(MemberPublicKey.Parse("x"));
    }

    [Fact]
    public void Box_OpensForItsHolderAndPurposeOnly()
    {
        using var other = MemberKey.Create();
        var box = SecretBox.Seal(_key.Public, "secret"u8, "about"u8);
        Assert.Equal("secret"u8.ToArray(), SecretBox.Open(_key, box, "about"u8));
        Assert.Null(SecretBox.Open(other, box, "about"u8));
        Assert.Null(SecretBox.Open(_key, box, "else"u8));
        Assert.Null(SecretBox.Open(_key, box[..^2], "about"u8));
        Assert.Null(SecretBox.Open(_key, null, "about"u8));
        Assert.NotEqual(box, SecretBox.Seal(_key.Public, "secret"u8, "about"u8));
    }

    private RequestProof Make(string to, Uri url) => RequestProof.Make(_key, "POST", to, url, "body"u8, s_now);
}
