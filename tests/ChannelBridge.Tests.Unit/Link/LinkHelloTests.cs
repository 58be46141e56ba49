using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Messaging;
using ChannelBridge.OpenClaw;

namespace ChannelBridge.Tests.Unit.Link;

/// <summary>What the two halves say of themselves: packages, changes while they run, names, and the accounts that a token is for.</summary>
public sealed class LinkHelloTests
{
    [Fact]
    public async Task Hello_WithThePackageOfThisHost_IsCurrentAndAnyOtherIsNot()
    {
        await using var link = new LinkUnderTest();
        var hello = LinkUnderTest.Hello();
        hello["package"] = new PluginPackage().Hash;
        Assert.Equal("current", (string?)(await link.CallAsync(new FakePlugin(), "link.hello", hello))["package"]);
        Assert.Equal("other", (string?)(await link.CallAsync(new FakePlugin(), "link.hello", LinkUnderTest.Hello()))["package"]);
    }

    [Fact]
    public async Task Hello_Again_IsTheSameLinkWithWhatIsNew()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        await link.CallAsync(plugin, "link.request", new JsonObject
        {
            ["method"] = "test.say",
            ["params"] = new JsonObject { ["text"] = "hello" },
            ["connId"] = "c1",
            ["scopes"] = new JsonArray("operator.write"),
        });
        var connection = link.Channel.Requests.Single().Connection;
        link.Registry.Add([new Tools()]);
        await plugin.CalledAsync("link.changed");
        var again = LinkUnderTest.Hello();
        again["channels"] = new JsonArray("test", "cbirc");
        await link.CallAsync(plugin, "link.hello", again);
        Assert.False(connection.Closed.IsCancellationRequested);
        Assert.True(link.Session.Owns("cbirc"));
        Assert.DoesNotContain(plugin.Calls, call => call.Method == "link.replaced");
    }

    [Fact]
    public async Task Hello_NamesFromOutside_AreCleanedOfWhatSteersTerminals()
    {
        await using var link = new LinkUnderTest();
        var hello = LinkUnderTest.Hello("gate\u001b[31mway\r\n\u202e\u0085");
        hello["accounts"] = new JsonArray(new JsonObject { ["channel"] = "test", ["accountId"] = "Primary", ["name"] = "Shop\u0007\u2028x", ["agentId"] = "ma\u200ein" });
        await link.CallAsync(new FakePlugin(), "link.hello", hello);
        Assert.Equal("gate[31mway", link.Session.Current!.Hello.InstanceId);
        var account = link.Admission.GetAccount("test", "primary");
        Assert.Equal(("Shopx", "main"), (account.Name, account.AgentId));
    }

    [Fact]
    public async Task Token_LimitedToAccounts_HoldsEverywhere()
    {
        await using var link = new LinkUnderTest(tokens:
        [
            AccessToken.FromToken("first", LinkUnderTest.Token, Scopes.All),
            AccessToken.FromToken("narrow", "narrow-token-0123456789", Scopes.Link, new HashSet<string> { "shop" }),
        ]);
        var plugin = new FakePlugin();
        await link.CallAsync(plugin, "link.hello", LinkUnderTest.Hello(token: "narrow-token-0123456789"));
        Assert.Null(link.Session.Find("test", "Primary"));
        Assert.NotNull(link.Session.Find("test", "Shop"));
        Assert.Empty((await link.CallAsync(plugin, "link.status", []))["accounts"]!.AsArray());
        foreach (var (method, more) in new[]
        {
            ("link.send", new JsonObject { ["text"] = "x" }),
            ("link.reconcile", new JsonObject()),
        })
        {
            var parameters = new JsonObject(more.Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())))
            {
                ["channel"] = "test",
                ["deliveryId"] = "d",
                ["to"] = "t:route-a"
            };
            Assert.Equal(ErrorCodes.Forbidden, (await Assert.ThrowsAsync<BridgeException>(() => link.CallAsync(plugin, method, parameters))).Code);
        }

        Assert.Equal(ErrorCodes.Forbidden, (await Assert.ThrowsAsync<BridgeException>(() => link.RunAsync(LinkUnderTest.Turn()))).Code);
        await link.CallAsync(plugin, "link.accounts", new JsonObject { ["accounts"] = new JsonArray(new JsonObject { ["channel"] = "test", ["accountId"] = "Primary" }) });
        Assert.Null(link.Session.Find("test", "Primary"));
    }

    /// <summary>JavaScript writes half an emoji as an escape that no reader of .NET takes.</summary>
    [Fact]
    public async Task Send_HalfAnEmoji_IsStoredWithAReplacement()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var answer = await link.CallRawAsync(plugin, "link.send", """{"channel":"test","deliveryId":"d1","to":"t:route-a","text":"a \"cut\" \u00e9 \ud83d\ude00 smile \ud83d"}""");
        var entry = await link.Store.GetOutboxAsync(Guid.Parse((string)answer["messageId"]!));
        Assert.Equal("a \"cut\" é 😀 smile \uFFFD", MessageCodec.ReadOutbound(entry!.Payload.Span).Text);
    }

    /// <summary>Something that is added while the host runs.</summary>
    private sealed class Tools : ChannelBridge.Abstractions.Tools.IToolSource
    {
        IEnumerable<ChannelBridge.Abstractions.Tools.AgentTool> ChannelBridge.Abstractions.Tools.IToolSource.Tools => [];
    }
}
