using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Connector;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>Registration, login, tokens, and when a connection is tried again.</summary>
public sealed class LinkTests
{
    [Fact]
    public async Task AFirstStart_HasItsKeyOnDiskBeforeItRegisters_AndLogsIn()
    {
        string? keyPath = null;
        var wasThere = false;
        await using var lab = await ConnectorLab.StartAsync(
            (_, account) => keyPath = Path.Combine(account.AunPath!, "AIDs", ConnectorLab.Aid, "private", "key.json"),
            gateway => gateway.Answer = (method, _) =>
            {
                if (method == "auth.create_aid") wasThere = File.Exists(keyPath);
                return null;
            });
        await lab.ConnectedAsync();

        Assert.True(wasThere);
        Assert.Equal(["auth.create_aid", "auth.aid_login1", "auth.aid_login2", "auth.connect", "message.e2ee.put_prekey"], lab.Gateway.Methods.Take(5));
        var home = Path.Combine(lab.AunPath, "AIDs", ConnectorLab.Aid);
        Assert.Contains("BEGIN CERTIFICATE", await File.ReadAllTextAsync(Path.Combine(home, "public", "cert.pem")), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE", await File.ReadAllTextAsync(keyPath!), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(home, "tokens", "meta.json")));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(keyPath!));
        var connect = lab.Gateway.Calls.First(call => call.Method == "auth.connect").Params;
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(lab.AunPath, ".device_id")), (string)connect["device"]!["id"]!);
    }

    [Fact]
    public async Task ARestart_UsesItsTokens_ARefusedOneIsRefreshed_AndThenItLogsIn()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        await AgainAsync();
        Assert.DoesNotContain("auth.aid_login1", Since());

        lab.Gateway.RevokeAccess();
        await AgainAsync();
        Assert.Contains("auth.refresh_token", Since());
        Assert.DoesNotContain("auth.aid_login1", Since());

        lab.Gateway.RevokeAccess();
        lab.Gateway.Answer = (method, _) => method == "auth.refresh_token" ? new JsonObject { ["success"] = false, ["relogin_required"] = true } : null;
        await AgainAsync();
        Assert.Contains("auth.aid_login2", Since());

        async Task AgainAsync()
        {
            await lab.StopAsync();
            lab.Gateway.Calls.Clear();
            await lab.BeginAsync();
            await lab.ConnectedAsync();
        }

        List<string> Since() => [.. lab.Gateway.Methods];
    }

    [Fact]
    public async Task ATokenThatEndsSoon_IsNotUsed()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway => gateway.ExpiresIn = 20);
        await lab.ConnectedAsync();
        await lab.StopAsync();
        lab.Gateway.Calls.Clear();
        await lab.BeginAsync();
        await lab.ConnectedAsync();

        Assert.Equal("auth.refresh_token", lab.Gateway.Methods.First());
    }

    [Fact]
    public async Task ARegistrationWhoseAnswerWasLost_IsGoneOnWith()
    {
        var lost = 0;
        await using var lab = await ConnectorLab.StartAsync(before: gateway => gateway.Answer = (method, parameters) =>
        {
            if (method != "auth.create_aid" || Interlocked.Increment(ref lost) != 1) return null;
            gateway.Register(ConnectorLab.Aid, Convert.FromBase64String((string)parameters["public_key"]!));
            throw new GatewayError(5000, "the answer is lost");
        });

        await lab.ConnectedAsync();
        Assert.Equal(2, lost);
    }

    [Fact]
    public async Task ANameOfAnotherKey_EndsTheAccount_AndSaysWhatToDo()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway =>
        {
            using var key = ChannelBridge.Channels.Aun.Sealing.IdentityKeys.NewKey();
            gateway.Register(ConnectorLab.Aid, key.ExportSubjectPublicKeyInfo());
        });

        await lab.UntilAsync(status => (string)status["state"]! == "terminal_failed");
        Assert.Contains("with another key", (string)(await lab.StatusAsync())["lastError"]!, StringComparison.Ordinal);
    }

    public static TheoryData<string> Impostors => ["another root", "a leaf as issuer", "expired", "another key", "no signature", "garbage", "a megabyte"];

    [Theory]
    [MemberData(nameof(Impostors))]
    public async Task AGatewayThatIsntWhoItShouldBe_GetsNoLogin(string how)
    {
        using var other = new FakePki();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using var lab = await ConnectorLab.StartAsync(before: gateway =>
        {
            var leaf = gateway.Pki.Issue("auth.example.org", key.ExportSubjectPublicKeyInfo());
            gateway.NonceKey = key;
            gateway.AuthCert = how switch
            {
                "another root" => other.Issue("auth.example.org", key.ExportSubjectPublicKeyInfo()),
                "expired" => gateway.Pki.Issue("auth.example.org", key.ExportSubjectPublicKeyInfo(), DateTimeOffset.UtcNow.AddDays(-1)),
                "a leaf as issuer" => OfLeaf(gateway, key),
                "garbage" => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "a megabyte" => new string('A', 1 << 20),
                _ => leaf,
            };
            if (how == "another root") gateway.ChainPem = other.ChainPem;
            if (how == "another key") gateway.NonceKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            if (how == "no signature") gateway.Answer = (method, parameters) => method == "auth.aid_login1"
                ? new JsonObject { ["request_id"] = "r", ["nonce"] = "n", ["auth_cert"] = leaf }
                : null;
            if (how == "another root") gateway.Answer = (method, parameters) => method == "auth.create_aid"
                ? new JsonObject { ["cert"] = other.Issue(ConnectorLab.Aid, Convert.FromBase64String((string)parameters["public_key"]!)) }
                : null;
        });

        await lab.UntilAsync(status => (string)status["state"]! == "terminal_failed");
        Assert.StartsWith("certificate: ", (string)(await lab.StatusAsync())["lastError"]!, StringComparison.Ordinal);
        Assert.DoesNotContain("auth.aid_login2", lab.Gateway.Methods);
    }

    [Theory]
    [InlineData(4009)]
    [InlineData(4003)]
    [InlineData(4012)]
    [InlineData(4015)]
    public async Task AFinalCode_EndsTheAccount(int code)
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        await Wait.UntilAsync(() => lab.Gateway.IsConnected(ConnectorLab.Aid));
        await lab.Gateway.CloseAsync(ConnectorLab.Aid, code);

        await lab.UntilAsync(status => (string)status["state"]! == "terminal_failed");
        Assert.Contains(code.ToString(System.Globalization.CultureInfo.InvariantCulture), (string)(await lab.StatusAsync())["lastError"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AfterADisconnect_ThatTheGatewayHasAnnounced_ItIsntTriedAgain()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        await lab.Gateway.EventAsync(ConnectorLab.Aid, "gateway.disconnect", new JsonObject { ["code"] = 4014, ["reason"] = "idle" });
        await lab.Gateway.CloseAsync(ConnectorLab.Aid, 1000);

        await lab.UntilAsync(status => (string)status["state"]! == "terminal_failed");
        Assert.Contains("idle", (string)(await lab.StatusAsync())["lastError"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1000)]
    [InlineData(1011)]
    [InlineData(4500)]
    public async Task AnyOtherEnd_IsFollowedByAnotherConnection_OnceTheGatewayIsHealthy(int? code)
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        lab.Gateway.Health = 503;
        var connects = lab.Gateway.Methods.Count(method => method == "auth.connect");
        await lab.Gateway.CloseAsync(ConnectorLab.Aid, code);
        await lab.UntilAsync(status => (int)status["reconnectAttempts"]! >= 3);
        Assert.Equal(connects, lab.Gateway.Methods.Count(method => method == "auth.connect"));
        lab.Gateway.Health = 200;

        await lab.ConnectedAsync();
    }

    [Fact]
    public async Task TwoPingsWithoutAnAnswer_EndTheConnection()
    {
        var silent = true;
        await using var lab = await ConnectorLab.StartAsync(
            (options, _) => options.Connector.Heartbeat = TimeSpan.FromMilliseconds(50),
            gateway => gateway.Answer = (method, _) =>
            {
                if (method == "meta.ping" && silent) Thread.Sleep(150);
                return null;
            });
        await lab.ConnectedAsync();
        await Wait.UntilAsync(() => lab.Gateway.Methods.Count(method => method == "auth.connect") >= 2);
        silent = false;

        await lab.ConnectedAsync();
    }

    [Fact]
    public async Task AGatewayOfAnotherAid_IsRefused()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway => gateway.Answer = (method, _) => method == "auth.connect"
            ? new JsonObject { ["status"] = "ok", ["identity"] = new JsonObject { ["aid"] = "mallory.example.org" } }
            : null);

        await lab.UntilAsync(status => (string)status["state"]! == "terminal_failed");
    }

    [Theory]
    [InlineData(4001, "Auth", true)]
    [InlineData(-32003, "Auth", true)]
    [InlineData(4030, "Permission", true)]
    [InlineData(-32602, "Validation", true)]
    [InlineData(-32000, "Version", true)]
    [InlineData(4040, "NotFound", false)]
    [InlineData(429, "RateLimit", false)]
    [InlineData(-32013, "Session", false)]
    [InlineData(5001, "Server", false)]
    [InlineData(-32603, "Other", false)]
    public void Errors_AreSortedAsTheSdksDo(int code, string kind, bool ends)
    {
        var fault = AunCallException.Make(AunCallException.Classify(code), code, "words");

        Assert.Equal(kind, fault.Class.ToString());
        Assert.Equal(ends, fault.EndsAccount);
        Assert.Equal(!ends && kind != "NotFound", fault.Retryable);
    }

    [Theory]
    [InlineData("development", null, true)]
    [InlineData("Dev", null, true)]
    [InlineData(null, "local", true)]
    [InlineData("production", "local", false)]
    [InlineData(null, null, false)]
    public void TheEnvironment_IsAunsBeforeKites(string? aun, string? kite, bool expected) =>
        Assert.Equal(expected, AunEnvironment.IsDevelopment(name => name == "AUN_ENV" ? aun : name == "KITE_ENV" ? kite : null));

    [Fact]
    public void Discovery_AsksTheName_AndThenItsIssuersGateway()
    {
        Assert.Equal(
            ["https://bot.agentid.pub/.well-known/aun-gateway", "https://gateway.agentid.pub/.well-known/aun-gateway"],
            GatewayAddress.Discovery("bot.agentid.pub", null, isDevelopment: false).Select(url => url.ToString()));
        Assert.Equal(
            ["https://gateway.agentid.pub:8443/.well-known/aun-gateway", "https://bot.agentid.pub:8443/.well-known/aun-gateway"],
            GatewayAddress.Discovery("bot.agentid.pub", 8443, isDevelopment: true).Select(url => url.ToString()));
    }

    [Fact]
    public void Waits_DoubleFromTheFirst_UpToTheLongest()
    {
        var backoff = new GatewayBackoff(new AunConnectorOptions(), new Random(1));
        var waits = Enumerable.Range(0, 9).Select(_ => backoff.Next(closedByGateway: false).TotalSeconds).ToList();
        double[] ceilings = [1, 2, 4, 8, 16, 32, 64, 64, 64];

        Assert.All(waits.Zip(ceilings), pair => Assert.InRange(pair.First, pair.Second / 2, pair.Second));
        backoff.Reset();
        Assert.InRange(backoff.Next(closedByGateway: true).TotalSeconds, 8, 16);
    }

    /// <summary>A certificate that a leaf has issued.</summary>
    private static string OfLeaf(FakeGateway gateway, ECDsa key)
    {
        using var leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leafPem = gateway.Pki.Issue("leaf.example.org", leafKey.ExportSubjectPublicKeyInfo());
        gateway.ChainPem = leafPem + gateway.Pki.ChainPem;
        using var leaf = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(leafPem);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=auth.example.org", key, HashAlgorithmName.SHA256);
        using var made = request.Create(
            leaf.SubjectName, System.Security.Cryptography.X509Certificates.X509SignatureGenerator.CreateForECDsa(leafKey), DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(30), [7]);
        return made.ExportCertificatePem();
    }
}
