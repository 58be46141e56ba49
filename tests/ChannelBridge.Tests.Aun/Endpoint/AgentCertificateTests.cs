using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>The certificate of an agent of the host, as which nobody logs in.</summary>
public sealed class AgentCertificateTests
{
    [Fact]
    public async Task IsRenewedInItsLastMonth_AndIsKnownByItsFingerprint()
    {
        var (time, folder) = (new MovedTime(), Scratch.NewFolder("aun"));
        string? first = null;
        await using (var lab = await GatewayLab.StartAsync(WithBot, time, folder)) await Wait.UntilAsync(async () => (first = await CertificateAsync(lab)) is not null);

        time.By = TimeSpan.FromDays(340);
        await using var next = await GatewayLab.StartAsync(WithBot, time, folder);
        string? second = null;
        await Wait.UntilAsync(async () => (second = await CertificateAsync(next)) is not null && second != first);
        using var renewed = X509Certificate2.CreateFromPem(second);
        Assert.Equal(365, (renewed.NotAfter.ToUniversalTime() - time.GetUtcNow().UtcDateTime).TotalDays, 0.1);

        var alice = new TestAgent(next.Gateway, "alice.agentid.pub");
        await alice.CreateAsync();
        await alice.LoginAsync(time.GetUtcNow());
        await using var line = await alice.ConnectAsync("da");
        JsonObject found = [];
        await Wait.UntilAsync(async () => (bool)(found = await line.CallAsync("message.e2ee.get_prekey", new JsonObject { ["aid"] = GatewayLab.Bot }))["found"]!);
        var send = await new GatewayKeys(next, found).SealAsync(alice, "q1", time.GetUtcNow(), byCertificate: true);
        Assert.Equal("delivered", (string)(await line.CallAsync("message.send", send))["status"]!);
    }

    private static void WithBot(AunOptions options) => options.Agents[GatewayLab.Bot] = "echo";

    private static async Task<string?> CertificateAsync(GatewayLab lab) =>
        await lab.GetAsync($"/pki/cert/{GatewayLab.Bot}") is (HttpStatusCode.OK, var pem) ? pem : null;
}
