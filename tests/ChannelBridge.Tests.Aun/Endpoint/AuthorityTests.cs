using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>The endpoint's certificates over the years.</summary>
public sealed class AuthorityTests
{
    private const string Aid = "alice.agentid.pub";

    [Fact]
    public void TheIssuer_IsRenewedBeforeItsEnd_AndOldAndNewAreGoodWithEachOther()
    {
        var (time, folder) = (new ManualTime(), Scratch.NewFolder("aunpki"));
        using var key = IdentityKeys.NewKey();
        using var authority = Authority.Open(folder, "gateway.agentid.pub", time);
        using var other = Authority.Open(folder, "gateway.agentid.pub", time);
        var (first, ends) = (authority.ChainPem, authority.IssuerEnds);
        time.Advance(ends - time.GetUtcNow() - TimeSpan.FromDays(400));
        using var old = authority.Issue(Aid, key.ExportSubjectPublicKeyInfo());
        Assert.Equal(first, authority.ChainPem);

        time.Advance(TimeSpan.FromDays(10));
        using var young = authority.Issue(Aid, key.ExportSubjectPublicKeyInfo());

        Assert.NotEqual(first, authority.ChainPem);
        Assert.True(authority.IssuerEnds > ends.AddYears(3));
        Assert.Equal(365, (young.NotAfter.ToUniversalTime() - time.GetUtcNow().UtcDateTime).TotalDays, 0.1);
        // The other host of the folder has the same one, and so has one that starts now.
        Assert.Equal(authority.ChainPem, other.ChainPem);
        using var later = Authority.Open(folder, "gateway.agentid.pub", time);
        Assert.Equal((false, authority.ChainPem, authority.RootPem), (later.IsNew, later.ChainPem, later.RootPem));
        using var root = X509Certificate2.CreateFromPem(authority.RootPem);
        var trust = new PkiTrust([root], time);
        foreach (var leaf in new[] { old, young })
        {
            Assert.Null(authority.Fault(leaf, Aid));
            foreach (var chain in new[] { first, authority.ChainPem }) trust.Verify(leaf.ExportCertificatePem(), chain, Aid).Dispose();
        }

        // The list of what was revoked is of the same issuer.
        using var issuer = X509Certificate2.CreateFromPem(authority.ChainPem);
        var list = RevocationList.Read(authority.MakeCrl([(old.SerialNumber, time.GetUtcNow())], 1, TimeSpan.FromHours(1)), issuer);
        Assert.Equal((true, false), (list!.Contains(old.SerialNumber), list.Contains(young.SerialNumber)));
        Assert.Equal(time.GetUtcNow().AddHours(1), list.NextUpdate!.Value, TimeSpan.FromSeconds(1));
        Assert.False(RevocationList.Read(authority.MakeCrl([], 2, TimeSpan.FromHours(1)), issuer)!.Contains(old.SerialNumber));

        // Until the root ends, and not beyond it.
        time.Advance(TimeSpan.FromDays(365 * 13));
        using var last = authority.Issue(Aid, key.ExportSubjectPublicKeyInfo());
        Assert.Null(authority.Fault(last, Aid));
        Assert.True(authority.IssuerEnds <= new DateTimeOffset(root.NotAfter));
    }

    [Fact]
    public void AListThatWasChanged_OrIsAnothers_IsNone()
    {
        var time = new ManualTime();
        using var authority = Authority.Open(Scratch.NewFolder("aunpki"), "gateway.agentid.pub", time);
        using var other = Authority.Open(Scratch.NewFolder("aunpki"), "gateway.agentid.pub", time);
        using var issuer = X509Certificate2.CreateFromPem(authority.ChainPem);
        var pem = authority.MakeCrl([("0A0B0C", time.GetUtcNow())], 1, TimeSpan.FromHours(1));
        Assert.True(RevocationList.Read(pem, issuer)!.Contains("0A0B0C"));
        Assert.Null(RevocationList.Read(other.MakeCrl([("0A0B0C", time.GetUtcNow())], 1, TimeSpan.FromHours(1)), issuer));
        var fields = System.Security.Cryptography.PemEncoding.Find(pem);
        var der = Convert.FromBase64String(pem[fields.Base64Data]);
        for (var index = 0; index < der.Length; index += 3)
        {
            var changed = der.ToArray();
            changed[index] ^= 1;
            Assert.Null(RevocationList.Read(System.Security.Cryptography.PemEncoding.WriteString("X509 CRL", changed), issuer));
        }

        string[] garbage = ["", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", pem[..(pem.Length / 2)]];
        Assert.All(garbage, text => Assert.Null(RevocationList.Read(text, issuer)));
    }
}
