using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Core.Access;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Tests.Unit.Host;

public sealed class SettingsLoaderTests : IDisposable
{
    private readonly DirectoryInfo _program = Directory.CreateTempSubdirectory("cbprogram");
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("cbdata");

    public void Dispose()
    {
        _program.Delete(recursive: true);
        _data.Delete(recursive: true);
    }

    private HostSettings Load(params (string Key, string? Value)[] keys)
    {
        var all = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["Store:Data"] = _data.FullName };
        foreach (var (key, value) in keys) all[key] = value;
        return SettingsLoader.Load(all, _program.FullName, new Dictionary<string, string>());
    }

    private IReadOnlyList<string> Problems(params (string Key, string? Value)[] keys) => Assert.Throws<SettingsException>(() => Load(keys)).Problems;

    [Fact]
    public void Load_NothingSet_GivesTheDocumentedDefaults()
    {
        var settings = Load();
        Assert.Equal(["http://127.0.0.1:7788"], settings.Urls);
        Assert.Equal(Path.Combine(_data.FullName, "channelbridge.sock"), settings.Socket);
        Assert.Equal(Path.Combine(_data.FullName, "channelbridge.db"), settings.Store.Sqlite.Path);
        Assert.Equal("echo", settings.Agent);
        Assert.Equal("echo", settings.Bncr().Agent);
        Assert.Equal(TimeSpan.FromSeconds(25), settings.StopTimeout);
        Assert.Equal(10, settings.Messaging.DeliveryOf("bncr", "primary").MaxAttempts);
        Assert.Null(settings.FirstToken);
        Assert.Empty(settings.Tokens);
        Assert.Empty(settings.Warnings);
    }

    /// <summary>Guards against the platform's own list of settings, which couldn't start the host.</summary>
    [Fact]
    public void InstaClaw_TheSeedsAddresses_StartTheHostWithOneWarning()
    {
        var settings = Load(
            ("Channels:InstaClaw:WsUrl", "wss://claw.int-os.com/ws/chat"),
            ("Channels:InstaClaw:ArtifactUploadAndBindUrl", "http://claw.int-os.com/artifact/upload-and-bind"),
            ("Channels:InstaClaw:ProfileCreateUrl", "https://claw.int-os.com/profiles/create"),
            ("Channels:InstaClaw:TaskApiBaseUrl", "https://claw.int-os.com"));
        Assert.Equal("https://claw.int-os.com/artifact/upload-and-bind", settings.InstaClaw().ArtifactUploadAndBindUrl);
        Assert.Contains("Channels:InstaClaw:ArtifactUploadAndBindUrl", Assert.Single(settings.Warnings), StringComparison.Ordinal);
        // Another machine's address isn't touched: nobody knows whether it has https.
        Assert.Contains(Problems(("Channels:InstaClaw:WsUrl", "wss://claw.int-os.com/ws/chat"), ("Channels:InstaClaw:TaskApiBaseUrl", "http://tasks.example.org")),
            problem => problem.Contains("TaskApiBaseUrl", StringComparison.Ordinal));
    }

    /// <summary>Guards against a root of files that contains the host's own secrets: they are named, refused and warned of.</summary>
    [Fact]
    public void Files_ARootThatContainsSecrets_IsWarnedOf()
    {
        var key = Path.Combine(_data.FullName, "provider.key");
        File.WriteAllText(key, "secret");
        var settings = Load(("Store:Files:Roots", Path.GetDirectoryName(_data.FullName)), ("Agents:big:Kind", "responses"),
            ("Agents:big:Url", "http://127.0.0.1:1/v1/responses"), ("Agents:big:KeyFile", key));
        Assert.Contains(_data.FullName, settings.Files.Refused);
        Assert.Contains(Path.Combine(_data.FullName, "spool"), settings.Files.Refused);
        Assert.Contains(key, settings.Files.Refused);
        Assert.Contains(settings.Warnings, warning => warning.StartsWith("Store:Files:Roots:", StringComparison.Ordinal));
        Assert.Empty(Load(("Store:Files:Roots", _program.FullName)).Warnings);
    }

    [Fact]
    public void Load_SeveralSources_LaterOnesWin()
    {
        File.WriteAllText(Path.Combine(_program.FullName, "appsettings.json"), """{"Agents":{"Default":"openclaw"},"Limits":{"LaneInboxCapacity":3,"LaneWindow":7}}""");
        File.WriteAllText(Path.Combine(_data.FullName, "appsettings.json"),
            """{"Limits":{"LaneInboxCapacity":4},"Channels":{"Bncr":{"DmPolicy":"allowlist","AllowFrom":["Bncr:qq:1"]}}}""");
        var settings = Load(("Limits:ConcurrentTurns", "9"), ("Agents:Default", "ECHO"));
        Assert.Equal("echo", settings.Agent);
        Assert.Equal(4, settings.Messaging.LaneInboxCapacity);
        Assert.Equal(7, settings.Messaging.LaneWindow);
        Assert.Equal(9, settings.Messaging.ConcurrentTurns);
        Assert.Equal(BncrPolicyMode.Allowlist, settings.Bncr().DmPolicy);
        Assert.Equal(["Bncr:qq:1"], settings.Bncr().AllowFrom);
    }

    [Theory]
    [InlineData("Listen:Urls", "htp://x", "'htp://x' is not an http or https address; example: http://127.0.0.1:7788")]
    [InlineData("Listen:Urls", "http://127.0.0.1:1/path", "has a path")]
    [InlineData("Listen:Urls", "https://127.0.0.1:1", "Listen:CertificateFile: an https address needs a certificate")]
    [InlineData("Listen:CertificateFile", "/no/such/file", "the file '/no/such/file' does not exist")]
    [InlineData("Listen:StopTimeout", "25", "'25' is not a length of time; write a number with ms, s, m, h or d; example: 25s")]
    [InlineData("Listen:StopTimeout", "1d", "1d is not between 1s and 10m")]
    [InlineData("Listen:Stdio", "maybe", "'maybe' is neither true nor false; example: true")]
    [InlineData("Listen:AllowedOrigins", "ops", "'ops' is not an origin")]
    [InlineData("Agents:Default", "bob", "'bob' is not one of echo, openclaw; example: echo")]
    [InlineData("Limits:ConcurrentTurns", "many", "'many' is not a whole number; example: 64")]
    [InlineData("Limits:ConcurrentTurns", "0", "0 is not between 1 and 100000")]
    [InlineData("Limits:MaxPayloadBytes", "25 MB", "'25 MB' is not a size; write bytes, or a number with KiB, MiB or GiB; example: 25MiB")]
    [InlineData("Store:Readers", "65", "65 is not between 1 and 64")]
    [InlineData("Channels:Bncr:DmPolicy", "closed", "'closed' is not one of open, allowlist, disabled; example: open")]
    [InlineData("Channels:Bncr:AllowFrom", "x", "is no bncr target")]
    [InlineData("Channels:Bncr:Accounts:shop:OutboundRequireAck", "perhaps", "'perhaps' is not one of auto, true, false")]
    [InlineData("Telemetry:Otlp", "localhost:4318", "is not an http or https address; example: http://127.0.0.1:4318")]
    [InlineData("Access:Token", "with space", "characters other than printable ASCII")]
    [InlineData("Access:TokenFile", "/no/such/file", "'/no/such/file' can't be read")]
    [InlineData("Access:Tokens:shop:Scopes", "operator.all", "'operator.all' is not one of operator.read")]
    [InlineData("Access:Tokens:shop:TokenHash", "abc", "the value is not a SHA-256 in hexadecimal")]
    [InlineData("Access:Tokens:first:Token", "a-long-enough-token", "the name 'first' is taken")]
    public void Load_WrongValue_NamesKeyFaultAndExample(string key, string value, string expected)
    {
        var problem = Problems((key, value)).First(line => line.Contains(expected, StringComparison.Ordinal));
        Assert.Contains("xample: ", problem, StringComparison.Ordinal);
        Assert.StartsWith(problem.Split(':')[0], key, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_SeveralWrongValues_TellsAllAtOnce()
    {
        var problems = Problems(("Listen:Urls", "x"), ("Agents:Default", "y"), ("Limits:LaneWindow", "z"));
        Assert.Equal(3, problems.Count);
    }

    [Fact]
    public void Load_EveryListenerOff_IsRefused() =>
        Assert.Contains("the host could not be reached", Problems(("Listen:Urls", "off"), ("Listen:Socket", "off"))[0],
            StringComparison.Ordinal);

    [Fact]
    public void Load_SocketPathTooLong_SaysTheLimit() =>
        Assert.Contains("bytes that a Unix socket's path may have", Problems(("Listen:Socket", "/tmp/" + new string('a', 120)))[0], StringComparison.Ordinal);

    [Fact]
    public void Load_UnknownKey_WarnsWithTheNearestKnownOne()
    {
        var settings = Load(("Limits:TurnTimeOuts", "5m"), ("Channels:Bncr:Accounts:shop:Nmae", "x"), ("Kestrel:Anything", "x"));
        Assert.Equal(
            ["Channels:Bncr:Accounts:shop:Nmae: unknown key, ignored; did you mean Channels:Bncr:Accounts:<id>:Name?",
                "Limits:TurnTimeOuts: unknown key, ignored; did you mean Limits:TurnTimeout?"],
            settings.Warnings.Order());
    }

    [Fact]
    public void Load_TurnAttempts_IsIgnoredWithAWarning() =>
        Assert.Equal(["Limits:TurnAttempts: ignored; how long a message is tried again is Limits:TurnPatience, a time"], Load(("Limits:TurnAttempts", "many")).Warnings);

    [Fact]
    public void Load_FileThatIsNoJson_SaysSo()
    {
        File.WriteAllText(Path.Combine(_data.FullName, "appsettings.json"), "{ not json");
        Assert.Contains("is not valid JSON", Problems()[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FurtherTokens_ReadsTokenFileHashScopesAndAccounts()
    {
        var file = Path.Combine(_data.FullName, "shop-token");
        File.WriteAllText(file, "token-from-the-file\n");
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("the-hashed-token-123")));
        var settings = Load(
            ("Access:Tokens:shop:TokenFile", file), ("Access:Tokens:shop:Scopes", "operator.write"), ("Access:Tokens:shop:Accounts:0", "Shop"),
            ("Access:Tokens:shop:Accounts:1", "Primary"),
            ("Access:Tokens:watcher:TokenHash", "sha256:" + hash), ("Access:Tokens:watcher:Scopes:0", "operator.read"),
            ("Access:Tokens:plain:Token", "token-as-plain-text"));
        var authority = new TokenAuthority(settings.Tokens);
        var shop = authority.Authenticate("token-from-the-file", Door.Listener)!;
        Assert.Equal(("shop", Scopes.Write), (shop.Name, shop.Scopes));
        Assert.True(shop.MayUseAccount("SHOP") && shop.MayUseAccount("primary") && !shop.MayUseAccount("other"));
        Assert.Equal(("watcher", Scopes.Read),
            (authority.Authenticate("the-hashed-token-123", Door.Listener)!.Name,
                authority.Authenticate("the-hashed-token-123", Door.Listener)!.Scopes));
        Assert.Equal(Scopes.Read | Scopes.Write, authority.Authenticate("token-as-plain-text", Door.Listener)!.Scopes);
    }

    [Fact]
    public void Load_TokenInAMessage_IsNeverRepeated()
    {
        var problems = Problems(("Access:Token", "söcret-with-umlaut"), ("Access:Tokens:a:Token", "other söcret"));
        Assert.DoesNotContain(problems, line => line.Contains("cret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Host=db;Pasword=hunter2")]
    [InlineData("Password=hunter2")]
    [InlineData("hunter2")]
    [InlineData("Host=db;Port=hunter2")]
    public void Load_StoreConnectionThatIsNone_IsRefusedAndNeverRepeated(string connection)
    {
        var problem = Assert.Single(Problems(("Store:Connection", connection)));
        Assert.StartsWith("Store:Connection:", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_StoreConnection_ChoosesPostgres()
    {
        Assert.True(Load(("Store:Connection", "Host=db;Username=bridge")).Store.IsShared);
        Assert.False(Load().Store.IsShared);
    }

    [Fact]
    public void Load_ShortToken_IsRefused() =>
        Assert.Contains("may be guessed", Problems(("Access:Token", "short")).Single(), StringComparison.Ordinal);

    [Fact]
    public void Load_SettingsOrTokenThatOthersCanWrite_AreRefused()
    {
        if (OperatingSystem.IsWindows()) return;
        var settings = Path.Combine(_data.FullName, "appsettings.json");
        File.WriteAllText(settings, "{}");
        File.SetUnixFileMode(settings, (UnixFileMode)0b110_110_110);
        Assert.Contains("other users can write to", Problems().Single(), StringComparison.Ordinal);
        File.SetUnixFileMode(settings, (UnixFileMode)0b110_000_000);
        var token = Path.Combine(_data.FullName, "given-token");
        File.WriteAllText(token, "a-long-enough-token");
        File.SetUnixFileMode(token, (UnixFileMode)0b110_100_110);
        Assert.Contains("other users can write to", Problems(("Access:TokenFile", token)).Single(), StringComparison.Ordinal);
        File.SetUnixFileMode(token, (UnixFileMode)0b110_100_100);
        Assert.Equal("a-long-enough-token", Load(("Access:TokenFile", token)).FirstToken);
    }

    [Fact]
    public void Load_SameTokenUnderTwoNames_IsRefused() =>
        Assert.Contains("another name has the same token",
            Problems(("Access:Tokens:a:Token", "the-same-token-twice"), ("Access:Tokens:b:Token", "the-same-token-twice"))[0],
            StringComparison.Ordinal);

    [Fact]
    public void Catalog_Examples_AreAcceptedForEveryKey()
    {
        // What the messages and the documentation show must work. Left out: keys that exclude each other or need files of the machine, and one that is ignored.
        string[] leftOut = ["Limits:TurnAttempts", "Listen:CertificateFile", "Listen:CertificateKeyFile", "Listen:Addresses:<name>:CertificateFile",
            "Listen:Addresses:<name>:KeyFile", "Access:TokenFile", "Access:Tokens:<name>:TokenFile", "Access:Tokens:<name>:TokenHash",
            "Store:Data", "Store:ConnectionFile", "Agents:<name>:KeyFile", "Agents:<name>:KeyVariable"];
        foreach (var setting in SettingsCatalog.All.Where(setting => !leftOut.Contains(setting.Key)))
        {
            // An agent's AID has a form; a shop isn't one.
            var key = setting.Key.Replace("Aun:Agents:<id>", "Aun:Agents:bot.example.org", StringComparison.Ordinal)
                .Replace("<name>", "shop", StringComparison.Ordinal).Replace("<id>", "shop", StringComparison.Ordinal);
            (string, string?)[] keys = key.StartsWith("Access:Tokens", StringComparison.Ordinal) ? [("Access:Tokens:shop:Token", "a-long-enough-token"), (key, setting.Example)]
                : key.StartsWith("Agents:shop", StringComparison.Ordinal) ? [("Agents:shop:Kind", "responses"), ("Agents:shop:Url", "http://127.0.0.1:1"), (key, setting.Example)]
                : key.StartsWith("Listen:Addresses", StringComparison.Ordinal)
                ? [("Listen:Addresses:shop:Url", "http://127.0.0.1:1"), ("Listen:Addresses:shop:Channels", "a2a"), (key, setting.Example)]
                : key.StartsWith("Channels:Aun:Accounts", StringComparison.Ordinal) ? [("Channels:Aun:Accounts:shop:Aid", "bot.agentid.pub"), (key, setting.Example)]
                : [(key, setting.Example)];
            var settings = Load(keys);
            Assert.True(settings.Warnings.Count == 0, $"{key}={setting.Example}: {string.Join("; ", settings.Warnings)}");
        }
    }

    [Theory]
    [InlineData("250ms", 250L)]
    [InlineData("1.5 s", 1500L)]
    [InlineData("2m", 120_000L)]
    [InlineData("1h", 3_600_000L)]
    [InlineData("30d", 2_592_000_000L)]
    [InlineData("30", null)]
    [InlineData("s", null)]
    [InlineData("-5s", null)]
    [InlineData("99999999999d", null)]
    public void ParseDuration_Text_GivesMilliseconds(string text, long? expected) =>
        Assert.Equal(expected, (long?)SettingText.ParseDuration(text)?.TotalMilliseconds);

    [Theory]
    [InlineData("4096", 4096L)]
    [InlineData("64 KiB", 65_536L)]
    [InlineData("25mib", 26_214_400L)]
    [InlineData("1GiB", 1_073_741_824L)]
    [InlineData("1.5MiB", null)]
    [InlineData("-1", null)]
    [InlineData("9999999999GiB", null)]
    public void ParseSize_Text_GivesBytes(string text, long? expected) => Assert.Equal(expected, SettingText.ParseSize(text));

    [Fact]
    public void FormatAndParse_AnyDurationOfWholeMilliseconds_AreInverse()
    {
        var random = new Random(42);
        for (var i = 0; i < 1000; i++)
        {
            var value = TimeSpan.FromMilliseconds(random.NextInt64(0, 1L << random.Next(1, 36)));
            Assert.Equal(value, SettingText.ParseDuration(SettingText.FormatDuration(value)));
        }
    }

    [Fact]
    public void Load_DeliveryOfAnAccount_StartsFromTheChannels()
    {
        var settings = Load(
            ("Channels:Bncr:Delivery:MaxAttempts", "3"), ("Channels:Bncr:Delivery:Factor", "1.5"), ("Channels:Bncr:Delivery:Jitter", "0.25"),
            ("Channels:Bncr:Delivery:Permanent", "chat-not-found, blocked"),
            ("Channels:Bncr:Accounts:Shop:Delivery:MaxAttempts", "7"), ("Channels:Bncr:Accounts:Shop:Delivery:HoldUntilInbound:0", "window-closed"));
        Assert.Empty(settings.Warnings);
        var channel = settings.Messaging.DeliveryOf("bncr", "primary");
        Assert.Equal((3, 1.5, 0.25), (channel.MaxAttempts, channel.Factor, channel.Jitter));
        var shop = settings.Messaging.DeliveryOf("bncr", "shop");
        Assert.Equal((7, 1.5), (shop.MaxAttempts, shop.Factor));
        Assert.Equal(["chat-not-found", "blocked"], shop.Permanent);
        Assert.Equal(["window-closed"], shop.HoldUntilInbound);
        Assert.Empty(channel.HoldUntilInbound);
    }

    [Theory]
    [InlineData("Channels:Bncr:Delivery:Factor", "0.5", "0.5 is not between 1 and 100; example: 2")]
    [InlineData("Channels:Bncr:Delivery:Jitter", "much", "'much' is not a number; example: 0")]
    [InlineData("Channels:Bncr:Accounts:Shop:Delivery:MaxDelay", "100ms", "100ms is less than BaseDelay, 1s; example: 1s")]
    [InlineData("Channels:Bncr:Accounts:Shop:Delivery:AckTimeout", "1ms", "1ms is not between 100ms and 1d; example: 30s")]
    public void Load_DeliveryThatCannotBe_SaysWhichKeyAndWhatWouldDo(string key, string value, string expected) =>
        Assert.Equal($"{key}: {expected}", Assert.Single(Problems((key, value))));

    [Fact]
    public void Load_ReasonBothPermanentAndHeld_IsRefused() => Assert.Contains(
        "is among Permanent, too",
        Assert.Single(Problems(("Channels:Bncr:Delivery:Permanent", "gone"), ("Channels:Bncr:Delivery:HoldUntilInbound", "Gone"))),
        StringComparison.Ordinal);
}
