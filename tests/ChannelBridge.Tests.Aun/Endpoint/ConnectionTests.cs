using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>Connections of a real host: the handshake, slots, kinds, delivery modes, quotas and close codes.</summary>
public sealed class ConnectionTests
{
    private static readonly JsonObject RoundRobin = new() { ["mode"] = "queue", ["routing"] = "round_robin" };

    [Fact]
    public async Task Handshake_SaysWhatTheProtocolSays()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await using var line = await lab.LineAsync();
        Assert.Equal(["kite_token", "aid", "pairing_code"], line.Challenge["auth_methods"]!.AsArray().Select(static one => (string)one!));
        Assert.Equal(("1.0", "1.0"), ((string)line.Challenge["protocol"]!["min"]!, (string)line.Challenge["protocol"]!["max"]!));
        Assert.True((double)line.Challenge["server_time"]! > 1e9);
        Assert.Equal(-32013, (await line.RefusedAsync("meta.ping", [])).Code);

        // Nothing but nonce and token.
        var hello = await line.CallAsync("auth.connect", new JsonObject { ["nonce"] = line.Nonce, ["auth"] = new JsonObject { ["token"] = alice.Token } });
        Assert.Equal(("ok", "1.0", true), ((string)hello["status"]!, (string)hello["protocol"]!, (bool)hello["authenticated"]!));
        Assert.Equal("conn_" + hello["identity"]!["module_id"], (string)hello["connection"]!["id"]!);
        Assert.Equal(("agent", "long"), ((string)hello["identity"]!["role"]!, (string)hello["connection"]!["kind"]!));
        Assert.Equal(4010, (await line.RefusedAsync("auth.connect", alice.Hello(line))).Code);
        Assert.True((bool)(await line.CallAsync("meta.ping", []))["pong"]!);
        Assert.Equal(alice.Aid, (string)(await line.CallAsync("meta.status", []))["aid"]!);
        foreach (var other in new[] { "group.send", "message.v2.send", "no.such" }) Assert.Equal(-32601, (await line.RefusedAsync(other, [])).Code);
    }

    [Fact]
    public async Task Handshake_Refusals_HaveTheirCodes()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await RefusedAsync(4010, static hello => hello["nonce"] = "another");
        await RefusedAsync(4001, static hello => hello["auth"]!["token"] = "no token");
        await RefusedAsync(4001, hello => hello["auth"]!["token"] = alice.Token[..^4] + "AAAA");
        await RefusedAsync(4000, static hello => hello.Remove("auth"));
        await RefusedAsync(4000, static hello => hello.Remove("nonce"));
        await RefusedAsync(4000, static hello => hello["client"] = new JsonObject { ["slot_id"] = "a" });
        await RefusedAsync(4000, static hello => hello["options"] = new JsonObject { ["kind"] = "wide" });
        await RefusedAsync(4000, static hello => hello["delivery_mode"] = new JsonObject { ["mode"] = "lottery" });
        var range = await RefusedAsync(-32000, static hello => hello["protocol"] = new JsonObject { ["min"] = "2.0", ["max"] = "3.1" }, closes: true);
        Assert.Equal(("1.0", "3.1"), ((string)range.Details!["server_range"]!["max"]!, (string)range.Details["client_range"]!["max"]!));

        // A range that has ours in it, and none at all.
        foreach (var protocol in new JsonNode?[] { new JsonObject { ["min"] = "0.9", ["max"] = "4.0" }, null })
        {
            await using var line = await lab.LineAsync();
            var hello = alice.Hello(line);
            hello["protocol"] = protocol;
            Assert.Equal("1.0", (string)(await line.CallAsync("auth.connect", hello))["protocol"]!);
        }

        async Task<AnswerException> RefusedAsync(int code, Action<JsonObject> change, bool closes = false)
        {
            await using var line = await lab.LineAsync();
            var hello = alice.Hello(line);
            change(hello);
            var refused = await line.RefusedAsync("auth.connect", hello);
            Assert.Equal(code, refused.Code);
            if (closes) await line.Closed;
            return refused;
        }
    }

    [Fact]
    public async Task Silence_IsClosedWith4008()
    {
        await using var lab = await GatewayLab.StartAsync(static options => options.AuthTimeout = TimeSpan.FromMilliseconds(300));
        await using var line = await lab.LineAsync();
        Assert.Equal(4008, await line.Closed);
    }

    [Fact]
    public async Task SecondLong_KicksTheFirst_OrIsRefused()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await using var small = await alice.ConnectAsync("dev", "a", kind: "short");
        await using var first = await alice.ConnectAsync("dev", "a");
        await using var other = await alice.ConnectAsync("dev", "b");
        await using var second = await alice.ConnectAsync("dev", "a");
        Assert.Equal(4009, (int)(await first.EventAsync("gateway.disconnect"))["code"]!);
        Assert.Equal(4009, await first.Closed);
        foreach (var line in new[] { small, other, second }) Assert.True((bool)(await line.CallAsync("meta.ping", []))["pong"]!);

        // Without a device there are no slots.
        await using var one = await alice.ConnectAsync();
        await using var two = await alice.ConnectAsync();
        foreach (var line in new[] { one, two }) Assert.True((bool)(await line.CallAsync("meta.ping", []))["pong"]!);

        await using var strict = await GatewayLab.StartAsync(static options => options.SlotConflict = SlotConflict.Reject);
        var bob = await strict.AgentAsync("bobby");
        await using var stays = await bob.ConnectAsync("dev", "a");
        await using var goes = await strict.LineAsync();
        Assert.Contains("slot_conflict", (await goes.RefusedAsync("auth.connect", bob.Hello(goes, "dev", "a"))).Message, StringComparison.Ordinal);
        Assert.Equal(4012, await goes.Closed);
        Assert.True((bool)(await stays.CallAsync("meta.ping", []))["pong"]!);
    }

    [Fact]
    public async Task Shorts_AreTen_GetNoPushes_AndEndWhenIdle()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        var lines = new List<TestLine>();
        for (var i = 0; i < 10; i++) lines.Add(await alice.ConnectAsync("dev", "a", kind: "short"));
        await using var eleventh = await lab.LineAsync();
        Assert.Contains("short_connection_capacity_exceeded", (await eleventh.RefusedAsync("auth.connect", alice.Hello(eleventh, "dev", "a", kind: "short"))).Message,
            StringComparison.Ordinal);
        Assert.Equal(4013, await eleventh.Closed);
        Assert.False((bool)(await lines[0].CallAsync("message.query_online", new JsonObject { ["aids"] = new JsonArray(alice.Aid) }))["online"]![alice.Aid]!);
        Assert.Equal("sent", (string)(await lines[0].CallAsync("message.send", TestAgent.Text(alice.Aid, "to myself")))["status"]!);
        Assert.Empty(lines[1].Told());
        foreach (var line in lines) await line.DisposeAsync();

        await using var brief = await alice.ConnectAsync("dev", "b", kind: "short", ttl: 300);
        var told = await brief.EventAsync("gateway.disconnect");
        Assert.Equal((4014, 300), ((int)told["code"]!, (int)told["detail"]!["ttl_ms"]!));
        Assert.True((long)told["detail"]!["idle_ms"]! >= 300);
        Assert.Equal(4014, await brief.Closed);
    }

    [Fact]
    public async Task Quotas_PutOutTheOldest()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        var slots = new List<TestLine>();
        for (var i = 0; i < 11; i++) slots.Add(await alice.ConnectAsync("dev", $"slot{i}"));
        await EvictedAsync(slots[0], "aid_device_slot_quota_exceeded");
        var devices = new List<TestLine>();
        for (var i = 0; i < 10; i++) devices.Add(await alice.ConnectAsync($"more{i}"));
        foreach (var slot in slots.Skip(1)) await EvictedAsync(slot, "aid_devices_quota_exceeded");
        var aids = new List<TestLine>();
        for (var i = 0; i < 11; i++) aids.Add(await (await lab.AgentAsync($"agent{i}")).ConnectAsync("shared"));
        await EvictedAsync(aids[0], "device_aids_quota_exceeded");
        Assert.True((bool)(await devices[0].CallAsync("meta.ping", []))["pong"]!);
        foreach (var line in slots.Concat(devices).Concat(aids)) await line.DisposeAsync();

        static async Task EvictedAsync(TestLine line, string kind)
        {
            var told = await line.EventAsync("gateway.disconnect");
            Assert.Equal((4015, kind), ((int)told["code"]!, (string)told["detail"]!["quota_kind"]!));
            Assert.NotNull(told["detail"]!["evicted_by"]);
            Assert.Equal(4015, await line.Closed);
        }
    }

    [Fact]
    public async Task DeliveryModes_MustAgree_OnceTheyAreNormalised()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await using var one = await alice.ConnectAsync("dev", "a");
        await using var two = await alice.ConnectAsync("dev", "b", new JsonObject { ["mode"] = "fanout", ["routing"] = "", ["affinity_ttl_ms"] = 0 });
        await using var three = await lab.LineAsync();
        var refused = await three.RefusedAsync("auth.connect", alice.Hello(three, "dev", "c", RoundRobin));
        Assert.Equal(4000, refused.Code);
        Assert.Contains("delivery_mode_conflict", refused.Message, StringComparison.Ordinal);

        var bob = await lab.AgentAsync("bobby");
        await using var four = await bob.ConnectAsync("dev", "a", RoundRobin);
        await using var five = await bob.ConnectAsync("dev", "b", new JsonObject { ["mode"] = "queue" });
        await using var six = await lab.LineAsync();
        await six.RefusedAsync("auth.connect", bob.Hello(six, "dev", "c", new JsonObject { ["mode"] = "queue", ["routing"] = "sender_affinity" }));
    }

    [Fact]
    public async Task OtherWaysIn_TheProofInline_AndACodeOnce()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        await using var line = await lab.LineAsync();
        var proof = alice.Login2(await alice.Login1Async());
        proof["method"] = "aid";
        var hello = alice.Hello(line);
        hello["auth"] = proof;
        Assert.Equal(alice.Aid, (string)(await line.CallAsync("auth.connect", hello))["identity"]!["aid"]!);

        var pairing = new Channels.Aun.Endpoint.PairingDesk(lab.Records, TimeProvider.System);
        var (code, _) = await pairing.MakeAsync(alice.Aid, CancellationToken.None);
        Assert.Equal(8, code.Length);
        foreach (var expected in new int?[] { null, 4001 })
        {
            await using var by = await lab.LineAsync();
            var with = alice.Hello(by);
            with["auth"] = new JsonObject { ["method"] = "pairing_code", ["aid"] = alice.Aid, ["code"] = code };
            if (expected is { } refusal) Assert.Equal(refusal, (await by.RefusedAsync("auth.connect", with)).Code);
            else await by.CallAsync("auth.connect", with);
        }
    }

    [Fact]
    public async Task Http_HasTheChainTheCertificatesAndTheWayIn()
    {
        await using var lab = await GatewayLab.StartAsync();
        var alice = await lab.AgentAsync("alice");
        Assert.Equal(HttpStatusCode.OK, (await lab.GetAsync("/health")).Status);
        var discovered = JsonNode.Parse((await lab.GetAsync("/.well-known/aun-gateway")).Text)!["gateways"]![0]!;
        Assert.Equal((lab.Gateway.ToString(), 1), ((string)discovered["url"]!, (int)discovered["priority"]!));

        var chain = new X509Certificate2Collection();
        chain.ImportFromPem((await lab.GetAsync("/pki/chain")).Text);
        Assert.Equal(2, chain.Count);
        Assert.Equal(chain[1].Subject, chain[1].Issuer);
        Assert.Equal(chain[1].Subject, chain[0].Issuer);
        var constraints = chain[0].Extensions.OfType<X509BasicConstraintsExtension>().Single();
        Assert.Equal((true, true, 0), (constraints.CertificateAuthority, constraints.HasPathLengthConstraint, constraints.PathLengthConstraint));

        var fingerprint = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(alice.Key.ExportSubjectPublicKeyInfo()));
        foreach (var query in new[] { "", "?cert_fingerprint=" + fingerprint })
        {
            using var leaf = X509Certificate2.CreateFromPem((await lab.GetAsync($"/pki/cert/{alice.Aid}{query}")).Text);
            Assert.Equal(alice.Aid, leaf.GetNameInfo(X509NameType.SimpleName, false));
        }

        Assert.Equal(HttpStatusCode.NotFound, (await lab.GetAsync($"/pki/cert/{alice.Aid}?cert_fingerprint=sha256:00")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await lab.GetAsync("/pki/cert/nobody.agentid.pub")).Status);
        var crl = (string)JsonNode.Parse((await lab.GetAsync("/pki/crl.json")).Text)!["crl_pem"]!;
        Assert.StartsWith("-----BEGIN X509 CRL-----", crl, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(lab.Folder, "pki")))
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }
}
