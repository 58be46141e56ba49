using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>Names, certificates, nonces and tokens that aren't good; the rows about logins in the list of bad input.</summary>
public sealed class LoginTests
{
    [Theory]
    [InlineData("a.b.agentid.pub")]
    [InlineData("Alice.agentid.pub")]
    [InlineData("abc.agentid.pub")]
    [InlineData("guest1.agentid.pub")]
    [InlineData("-alice.agentid.pub")]
    [InlineData("al\u0456ce.agentid.pub")]
    [InlineData("alice.other.pub")]
    [InlineData("alice")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.agentid.pub")]
    public void Names_ThatCantBeGivenOut(string aid) => Assert.False(AidName.MayRegister(aid, ["agentid.pub"]));

    [Theory]
    [InlineData("alice.agentid.pub")]
    [InlineData("a_-9.agentid.pub")]
    [InlineData("_gue.agentid.pub")]
    public void Names_ThatCan(string aid) => Assert.True(AidName.MayRegister(aid, ["agentid.pub"]));

    [Fact]
    public async Task Registration_OnceAndWithASoundKey()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.Agents[GatewayLab.Bot] = "echo");
        var alice = await lab.AgentAsync("alice");
        Assert.Contains("already exists", (await Assert.ThrowsAsync<AnswerException>(alice.CreateAsync)).Message, StringComparison.Ordinal);
        Assert.Contains("already exists", (await Assert.ThrowsAsync<AnswerException>(() => Create("alice", NewKey()))).Message, StringComparison.Ordinal);
        using var wide = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        foreach (var key in new[] { "", "no base64", Convert.ToBase64String(new byte[91]), Convert.ToBase64String(wide.ExportSubjectPublicKeyInfo()) })
            await Assert.ThrowsAsync<AnswerException>(() => Create("bobby", key));
        await Assert.ThrowsAsync<AnswerException>(() => Create("guest1", NewKey()));

        // Nobody logs in as an agent of the host.
        var bot = new TestAgent(lab.Gateway, GatewayLab.Bot);
        Assert.Equal(4001, (await Assert.ThrowsAsync<AnswerException>(() => bot.Login1Async(""))).Code);

        Task<JsonObject> Create(string name, string key) =>
            alice.ShortAsync("auth.create_aid", new JsonObject { ["aid"] = $"{name}.agentid.pub", ["public_key"] = key, ["curve"] = "P-256" });
    }

    [Fact]
    public async Task Registration_ByInvitation_OrNotAtAll()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.Registration = RegistrationMode.Invite);
        var alice = new TestAgent(lab.Gateway, "alice.agentid.pub");
        Assert.Equal(4030, (await Assert.ThrowsAsync<AnswerException>(alice.CreateAsync)).Code);
        var (code, _) = await new PairingDesk(lab.Records, TimeProvider.System).MakeAsync(alice.Aid, CancellationToken.None);
        foreach (var (tried, works) in new[] { ("AAAAAAAA", false), (code, true), (code, false) })
        {
            var create = new JsonObject { ["aid"] = alice.Aid, ["public_key"] = alice.PublicKey, ["pairing_code"] = tried };
            if (works) await alice.ShortAsync("auth.create_aid", create);
            else await Assert.ThrowsAsync<AnswerException>(() => alice.ShortAsync("auth.create_aid", create));
        }

        await using var closed = await GatewayLab.StartAsync(static options => options.Registration = RegistrationMode.Closed);
        Assert.Equal(4030, (await Assert.ThrowsAsync<AnswerException>(() => new TestAgent(closed.Gateway, "alice.agentid.pub").CreateAsync())).Code);
    }

    [Fact]
    public async Task Registration_IsLimitedByAddress()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.RegistrationsPerMinute = 1);
        AnswerException? refused = null;
        for (var i = 0; i < 60 && refused is null; i++)
        {
            try
            {
                await new TestAgent(lab.Gateway, $"agent{i}.agentid.pub").CreateAsync();
            }
            catch (AnswerException fault)
            {
                refused = fault;
            }
        }

        Assert.Equal(4290, refused!.Code);
    }

    [Fact]
    public async Task AThousandBadLogins_AreLimited_AndTheRightOneIsTakenAllTheSame()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await using var line = await lab.LineAsync();
        var first = await line.CallAsync("auth.aid_login1", new JsonObject { ["aid"] = alice.Aid, ["client_nonce"] = "nonce" });
        var wrong = alice.Login2(first);
        wrong["signature"] = alice.Sign("something else");
        var answers = new List<Task<JsonObject>>();
        for (var i = 0; i < 1000; i++) answers.Add(await line.BeginAsync("auth.aid_login2", wrong.DeepClone().AsObject()));
        var codes = new List<int>();
        foreach (var answer in answers) codes.Add((await Assert.ThrowsAsync<AnswerException>(() => answer)).Code);

        Assert.Equal(4001, codes[0]);
        Assert.Equal(4290, codes[^1]);
        Assert.InRange(codes.Count(static code => code == 4001), 1, 100);
        await alice.LoginAsync();
    }

    [Fact]
    public async Task Nonces_AreGoodOnce_ForTheirAid_AndInTime()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        var first = await alice.Login1Async();
        var second = alice.Login2(first);
        await alice.ShortAsync("auth.aid_login2", second.DeepClone().AsObject());
        Assert.Equal(4010, await CodeAsync(second));
        Assert.Equal(4010, await CodeAsync(bob.Login2(await alice.Login1Async())));
        Assert.Equal(4010, await CodeAsync(alice.Login2(await alice.Login1Async(), nonce: "made up")));
        var late = (await alice.Login1Async()).DeepClone().AsObject();
        late["request_id"] = "1" + ((string)late["request_id"]!)[13..];
        Assert.Equal(4010, await CodeAsync(alice.Login2(late)));
        Assert.Equal(4001, await CodeAsync(alice.Login2(await alice.Login1Async(), DateTimeOffset.UtcNow.AddMinutes(-6))));
        var forged = alice.Login2(await alice.Login1Async());
        forged["signature"] = bob.Sign("something else");
        Assert.Equal(4001, await CodeAsync(forged));
        forged["signature"] = "no base64";
        Assert.Equal(4001, await CodeAsync(forged));

        async Task<int> CodeAsync(JsonObject login) => (await Assert.ThrowsAsync<AnswerException>(() => alice.ShortAsync("auth.aid_login2", login.DeepClone().AsObject()))).Code;
    }

    [Fact]
    public async Task Certificates_OfOthers_AreRefusedWithTheReason()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        using var elsewhere = Authority.Open(Scratch.NewFolder("pki"), "gateway.agentid.pub", TimeProvider.System);
        using var here = Authority.Open(Path.Combine(lab.Folder, "pki"), "gateway.agentid.pub", TimeProvider.System);
        using (var past = Authority.Open(Path.Combine(lab.Folder, "pki"), "gateway.agentid.pub", TimeProvider.System))
        {
            using var gone = past.Issue(alice.Aid, alice.Key.ExportSubjectPublicKeyInfo());
            using var later = Authority.Open(Path.Combine(lab.Folder, "pki"), "gateway.agentid.pub", new MovedTime { By = TimeSpan.FromDays(2 * 366) });
            Assert.Contains("expired", later.Fault(gone, alice.Aid), StringComparison.Ordinal);
        }

        await RefusedAsync("root", elsewhere.Issue(alice.Aid, alice.Key.ExportSubjectPublicKeyInfo()).ExportCertificatePem());
        await RefusedAsync("another identity", bob.Certificate);
        using var key = IdentityKeys.NewKey();
        await RefusedAsync("another key", here.Issue(alice.Aid, key.ExportSubjectPublicKeyInfo()).ExportCertificatePem());
        await RefusedAsync("no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----");
        await RefusedAsync("too large", new string('x', 20_000));

        // A leaf of alice's that alice has issued herself.
        using var own = X509Certificate2.CreateFromPem(alice.Certificate);
        var request = new CertificateRequest("CN=" + bob.Aid, key, HashAlgorithmName.SHA256);
        using var leaf = request.Create(own.SubjectName, X509SignatureGenerator.CreateForECDsa(alice.Key), own.NotBefore, own.NotAfter, [1, 2, 3]);
        Assert.NotNull(here.Fault(leaf, bob.Aid));
        Assert.Null(here.Fault(own, alice.Aid));

        async Task RefusedAsync(string words, string certificate)
        {
            var refused = await Assert.ThrowsAsync<AnswerException>(() => alice.Login1Async(certificate));
            Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task RefreshTokens_AreGoodOnce_AndASecondUseEndsTheLine()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        var next = await RefreshAsync(alice.Refresh);
        Assert.True((bool)next["success"]!);
        Assert.NotEqual(alice.Refresh, (string)next["refresh_token"]!);
        var after = await RefreshAsync((string)next["refresh_token"]!);
        foreach (var spent in new[] { alice.Refresh, (string)next["refresh_token"]!, (string)after["refresh_token"]!, "nothing", "a.b" })
        {
            var failed = await RefreshAsync(spent);
            Assert.Equal((false, true, false), ((bool)failed["success"]!, (bool)failed["relogin_required"]!, (bool)failed["retryable"]!));
        }

        Task<JsonObject> RefreshAsync(string token) => alice.ShortAsync("auth.refresh_token", new JsonObject { ["refresh_token"] = token });
    }

    [Fact]
    public async Task Revoked_ConnectionsEnd_AndLoginsDo()
    {
        await using var lab = await GatewayLab.StartAsync();
        var (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
        await using var line = await alice.ConnectAsync("dev");
        var methods = lab.Services.GetRequiredService<AunEndpoint>();
        await methods.RevokeAsync(alice.Aid, CancellationToken.None);
        Assert.Equal(4003, await line.Closed);
        Assert.Equal(4030, (await Assert.ThrowsAsync<AnswerException>(() => alice.Login1Async())).Code);
        await Assert.ThrowsAsync<AnswerException>(() => alice.ConnectAsync("dev"));
        Assert.False((bool)(await alice.ShortAsync("auth.refresh_token", new JsonObject { ["refresh_token"] = alice.Refresh }))["success"]!);
        await using var other = await bob.ConnectAsync("dev");
        Assert.Equal(-32603, (await other.RefusedAsync("message.send", TestAgent.Text(alice.Aid, "x"))).Code);
    }

    [Fact]
    public async Task Keys_AndLogs_OutliveTheHost()
    {
        var folder = Scratch.NewFolder("aun");
        TestAgent alice, bob;
        string chain;
        await using (var lab = await GatewayLab.StartAsync(folder: folder))
        {
            (alice, bob) = (await lab.AgentAsync("alice"), await lab.AgentAsync("bobby"));
            chain = (await lab.GetAsync("/pki/chain")).Text;
            await using var line = await alice.ConnectAsync("dev");
            await line.CallAsync("message.send", TestAgent.Text(bob.Aid, "kept", "k1"));
        }

        await using var next = await GatewayLab.StartAsync(folder: folder);
        Assert.Equal(chain, (await next.GetAsync("/pki/chain")).Text);
        bob.Move(next.Gateway);
        alice.Move(next.Gateway);
        await using var to = await bob.ConnectAsync("dev");
        Assert.Equal("kept", (string)(await to.CallAsync("message.pull", []))["messages"]![0]!["payload"]!["text"]!);
        await using var from = await alice.ConnectAsync("dev");
        var again = await from.CallAsync("message.send", TestAgent.Text(bob.Aid, "kept", "k1"));
        Assert.Equal(("duplicate", 1), ((string)again["status"]!, (int)again["seq"]!));
        Assert.Equal(2, (int)(await from.CallAsync("message.send", TestAgent.Text(bob.Aid, "next")))["seq"]!);
    }

    private static string NewKey()
    {
        using var key = IdentityKeys.NewKey();
        return Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
    }
}
