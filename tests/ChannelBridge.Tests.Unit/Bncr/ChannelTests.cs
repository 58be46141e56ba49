using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class ChannelTests
{
    private const string Hex = "6c61623a303a7531"; // lab:0:u1
    private const string Key = "agent:main:bncr:direct:" + Hex;

    [Theory]
    [InlineData("Bncr:lab:u1", Key)]
    [InlineData("Bncr:lab:0:u1", Key)]
    [InlineData(Key, Key)]
    [InlineData("agent:main:bncr:group:" + Hex, Key)]
    [InlineData("agent:other:bncr:direct:" + Hex, Key)]
    [InlineData(Key + ":0", Key)]
    [InlineData("bncr:" + Hex + ":0", Key)]
    [InlineData("agent:main:bncr:" + Hex + ":0", Key)]
    [InlineData(Hex, Key)]
    [InlineData("lab:0:u1", Key)]
    [InlineData("bncr:" + Hex, Key)]
    [InlineData("bncr:g-" + Hex, Key)]
    [InlineData("bncr:lab:0:u1", Key)]
    [InlineData("bncr:g-lab:0:u1", Key)]
    [InlineData("Bncr:LAB:U1", Key)]
    [InlineData(Key + ":task:t", Key + ":task:t")]
    public async Task ResolveTarget_KnownConversation_TakesEveryForm(string target, string sessionKey)
    {
        var bncr = new BncrUnderTest();
        // A task's conversation makes the route known, too.
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"#task:other hi" """);
        Assert.Equal(new ChannelTarget("Primary", sessionKey, "lab:0:u1"), await bncr.Channel.ResolveTargetAsync("primary", target, CancellationToken.None));
        var restarted = new BncrUnderTest(store: bncr.Store);
        Assert.Equal(new ChannelTarget("Primary", sessionKey, "lab:0:u1"), await restarted.Channel.ResolveTargetAsync("", target, CancellationToken.None));
    }

    /// <summary>The store keeps accounts in lower case; receipts and events show what was written first.</summary>
    [Theory]
    [InlineData("", "Primary")]
    [InlineData("default", "Primary")]
    [InlineData("shop", "ShOp")]
    [InlineData("SHOP", "ShOp")]
    [InlineData("Unknown", "Unknown")]
    public async Task AccountName_IsTheSpellingFirstSeen(string named, string shown)
    {
        var bncr = new BncrUnderTest();
        await bncr.CallAsync(bncr.Connect(), "bncr.connect", """ "accountId":"ShOp","clientId":"c" """);
        await bncr.Channel.StartAsync(CancellationToken.None);
        var names = new AccountNames(new Registry(bncr.Channel));
        var meant = names.Meant("bncr", named)!;
        var seen = names.Shown(new LaneKey("bncr", meant, "any"));
        Assert.Equal(shown, seen, ignoreCase: shown == "Unknown");
    }

    [Theory]
    [InlineData("Bncr:lab:u2")]
    [InlineData("Bncr:lab:g1:u1")]
    [InlineData("bncr:6c61623a303a7532")]
    public async Task ResolveTarget_UnknownConversation_IsNotFound(string target)
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"hi" """);
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await bncr.Channel.ResolveTargetAsync("Primary", target, CancellationToken.None));
        Assert.Equal((ErrorCodes.NotFound, "target not found in known sessions"), (error.Code, error.LegacyText));
        Assert.StartsWith("target not found in known sessions", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ResolveTarget_ConversationOfAnotherAccount_IsNotFound()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"hi","accountId":"shop" """);
        await Assert.ThrowsAsync<BridgeException>(async () => await bncr.Channel.ResolveTargetAsync("Primary", "Bncr:lab:u1", CancellationToken.None));
        Assert.Equal("shop", (await bncr.Channel.ResolveTargetAsync("SHOP", "Bncr:lab:u1", CancellationToken.None)).AccountId);
    }

    [Fact]
    public async Task ResolveTarget_OnlyCaseDiffersAndTwoMatch_IsNotGuessed()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), BncrUnderTest.Route + ""","msg":"hi" """);
        await bncr.InboundAsync(bncr.Connect(), """ "platform":"LAB","userId":"u1","clientId":"c","msg":"hi" """);
        Assert.Equal("LAB:0:u1", (await bncr.Channel.ResolveTargetAsync("", "Bncr:LAB:u1", CancellationToken.None)).Route);
        await Assert.ThrowsAsync<BridgeException>(async () => await bncr.Channel.ResolveTargetAsync("", "Bncr:Lab:u1", CancellationToken.None));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    [InlineData("agent:main:main")]
    [InlineData("agent:main:bncr")]
    public async Task ResolveTarget_Malformed_IsInvalid(string target)
    {
        var bncr = new BncrUnderTest();
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await bncr.Channel.ResolveTargetAsync("", target, CancellationToken.None));
        Assert.Equal(ErrorCodes.InvalidRequest, error.Code);
    }

    [Fact]
    public async Task ResolveTarget_UnknownAllowed_GivesTheCanonicalKey()
    {
        var bncr = new BncrUnderTest(options => options.AllowUnknownTargets = true);
        Assert.Equal(new ChannelTarget("Primary", Key, "lab:0:u1"), await bncr.Channel.ResolveTargetAsync("", "Bncr:lab:u1", CancellationToken.None));
    }

    [Theory]
    [InlineData("lab:0:u1", null, "Bncr:lab:u1")]
    [InlineData("lab:g1:u1", null, "Bncr:lab:g1:u1")]
    [InlineData("lab:0:@me:org", null, "Bncr:lab:0:@me:org")]
    [InlineData("lab:0:0", null, "Bncr:lab:0:0")]
    [InlineData("lab:0:a:task:b", null, null)]
    [InlineData("lab:0:u1", "t", null)]
    public async Task FormatTarget_Lane_LeadsBackToIt(string route, string? task, string? expected)
    {
        var key = "agent:main:bncr:direct:" + Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(route)) + (task is null ? "" : ":task:" + task);
        Assert.Equal(expected ?? key, await new BncrUnderTest().Channel.FormatTargetAsync(key, route, CancellationToken.None));
    }

    [Fact]
    public async Task GetAccounts_AfterTraffic_TellsThreeKindsOfHealth()
    {
        var bncr = new BncrUnderTest();
        bncr.Outbox.Backlog = new Backlog(4, 2);
        var (connection, _, target) = await bncr.ClientAsync();
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"hi" """);
        await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None);
        var now = bncr.Time.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.Equal(
            new ChannelAccountStatus
            {
                AccountId = "Primary",
                Connected = true,
                ActiveConnections = 1,
                LastInboundAt = now,
                LastOutboundAt = now,
                LastActivityAt = now,
                LastSessionKey = "agent:main:bncr:direct:6c61623a303a7531",
                LastSessionScope = "bncr:lab:0:u1",
                LastSessionAt = now,
                Pending = 4,
                DeadLetter = 2,
            },
            Assert.Single(bncr.Channel.GetAccounts()));
    }

    [Fact]
    public async Task Diagnostics_Account_HasEverySection()
    {
        var bncr = new BncrUnderTest(options => options.Accounts["shop"] = new BncrAccountOptions { Name = "The shop" });
        var (connection, _, _) = await bncr.ClientAsync(""" "accountId":"shop" """);
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"a secret body","accountId":"shop" """);
        var answer = await bncr.CallAsync(connection, "bncr.diagnostics", """ "accountId":"Shop" """);
        Assert.Equal(
            ["channel", "accountId", "runtime", "diagnostics", "runtimeFlags", "waiters", "permissions", "probe", "now"], answer.AsObject().Select(member => member.Key));
        Assert.Equal("The shop", (string?)answer["runtime"]!["name"]);
        Assert.Equal("linked", (string?)answer["runtime"]!["mode"]);
        Assert.True((bool)answer["runtime"]!["linked"]!);
        Assert.Equal("diag:ok p:0 d:0 c:1", (string?)answer["runtime"]!["meta"]!["healthSummary"]);
        Assert.Equal("bncr:lab:0:u1", (string?)answer["runtime"]!["meta"]!["lastSessionScope"]);
        Assert.Equal("just now", (string?)answer["runtime"]!["meta"]!["lastInboundAgo"]);
        Assert.True((bool)answer["probe"]!["ok"]!);
        Assert.Equal("healthy", (string?)answer["probe"]!["summary"]);
        Assert.DoesNotContain("secret", answer.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("first", answer["diagnostics"]!["connection"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Diagnostics_UnknownAccount_MakesNone()
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.CallAsync(bncr.Connect(), "bncr.diagnostics", """ "accountId":"nobody" """);
        Assert.False((bool)answer["probe"]!["ok"]!);
        Assert.Equal("configured", (string?)answer["runtime"]!["mode"]);
        Assert.Empty(bncr.Channel.GetAccounts());
    }

    [Fact]
    public async Task Routes_HotConversation_IsWrittenOnceAnHour()
    {
        var bncr = new BncrUnderTest();
        var routes = 0;
        bncr.Store.BeforeCommit = batch =>
        {
            Interlocked.Add(ref routes, batch.Count(write => write is RecordPut { Namespace: "bncr.route" }));
            return Task.CompletedTask;
        };
        var connection = bncr.Connect();
        for (var i = 0; i < 10; i++) await bncr.InboundAsync(connection, BncrUnderTest.Route + $""","msg":"hi {i}" """);
        Assert.Equal(1, routes);
        bncr.Time.Advance(TimeSpan.FromHours(1));
        await bncr.InboundAsync(connection, BncrUnderTest.Route + ""","msg":"later" """);
        Assert.Equal(2, routes);
    }

    [Fact]
    public void Methods_NamesAndScopes_AreThePlugins()
    {
        var bncr = new BncrUnderTest();
        var scopes = bncr.Channel.Methods.ToDictionary(method => method.Name, method => method.Scope);
        Assert.Equal(Abstractions.Access.Scopes.Read, scopes["bncr.diagnostics"]);
        foreach (var name in new[] { "bncr.connect", "bncr.inbound", "bncr.activity", "bncr.ack" }) Assert.Equal(Abstractions.Access.Scopes.Write, scopes[name]);
        Assert.All(bncr.Channel.Methods, method => Assert.True(method.LegacyErrors));
        Assert.Contains("plugin.bncr.push", bncr.Channel.Events);
        Assert.Contains("bncr.push", bncr.Channel.Events);
    }

    [Fact]
    public void AddBncrChannel_Container_GivesOneChannel()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IInbox>(new FakeInbox()).AddSingleton<IOutbox>(new FakeOutbox()).AddSingleton<IRecords>(new MemoryStore())
            .AddSingleton<IDeliveries>(new Deliveries(new MemoryStore(), new ChannelBridge.Core.Messaging.MessagingOptions()));
        services.AddBncrChannel(options => options.Agent = "openclaw");
        using var provider = services.BuildServiceProvider();
        var channel = Assert.IsAssignableFrom<IChannel>(Assert.Single(provider.GetServices<IContributor>()));
        Assert.Equal("bncr", channel.Id);
    }

    public static TheoryData<Action<BncrOptions>, string> Faults => new()
    {
        { options => options.Agent = " ", "Channels:Bncr:Agent" },
        { options => options.EventPrefix = "chat", "Channels:Bncr:EventPrefix" },
        { options => options.SessionAgentId = "a:b", "Channels:Bncr:SessionAgentId" },
        { options => options.DedupeWindow = TimeSpan.Zero, "Channels:Bncr:DedupeWindow" },
        { options => options.MaxInlineMediaBytes = int.MaxValue, "Channels:Bncr:MaxInlineMediaBytes" },
        { options => options.AllowFrom = ["nonsense"], "Channels:Bncr:AllowFrom" },
        { options => options.DmPolicy = (BncrPolicyMode)9, "Channels:Bncr:DmPolicy" },
        { options => options.Accounts["a|b"] = new BncrAccountOptions(), "Channels:Bncr:Accounts:a|b" },
        { options => options.Accounts["shop"] = new BncrAccountOptions { GroupAllowFrom = ["x"] }, "Channels:Bncr:Accounts:shop:GroupAllowFrom" },
        { options => { options.Accounts["default"] = new(); options.Accounts["Primary"] = new(); }, "Channels:Bncr:Accounts:Primary" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Options_Fault_IsNamedWithKeyAndExample(Action<BncrOptions> change, string key)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IInbox>(new FakeInbox()).AddSingleton<IOutbox>(new FakeOutbox()).AddSingleton<IRecords>(new MemoryStore())
            .AddSingleton<IDeliveries>(new Deliveries(new MemoryStore(), new ChannelBridge.Core.Messaging.MessagingOptions()));
        services.AddBncrChannel(change);
        using var provider = services.BuildServiceProvider();
        var error = Assert.Throws<OptionsValidationException>(provider.GetServices<IContributor>);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains("Example:", error.Message, StringComparison.Ordinal);
    }
}
