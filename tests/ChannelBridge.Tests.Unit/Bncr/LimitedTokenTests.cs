using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>Tokens that are limited to platforms.</summary>
public sealed class LimitedTokenTests
{
    private static Caller Qq(Scopes scopes = Scopes.Read | Scopes.Write) => new("qq-only", scopes, Door.Listener) { Platforms = new HashSet<string> { "qq" } };

    /// <summary>Guards against a limit that is kept and shown, and holds nobody back.</summary>
    [Fact]
    public async Task Inbound_OfAnotherPlatform_IsForbiddenAndChangesNothing()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect(Qq());
        await bncr.InboundAsync(connection, """ "platform":"QQ","userId":"u1","clientId":"c","msg":"hi" """);
        var error = await bncr.RefusedAsync(connection, "bncr.inbound", """ "platform":"wechat","userId":"u1","clientId":"c","msg":"hi" """);
        Assert.Equal((ErrorCodes.Forbidden, "platform-not-covered"), (error.Code, (string?)error.Details!["reason"]));
        Assert.Single(bncr.Inbox.Accepted);
    }

    [Fact]
    public async Task Push_OfAnotherPlatform_IsNotGivenToTheClient_AndFailsWithItsReason()
    {
        var bncr = new BncrUnderTest();
        var connection = bncr.Connect(Qq());
        var (_, _, target) = await bncr.ClientAsync(connection: connection);
        var error = await Assert.ThrowsAsync<BridgeException>(() => target.PushAsync(BncrUnderTest.Item(), CancellationToken.None).AsTask());
        Assert.Equal(("platform-not-covered", true), ((string?)error.Details!["reason"], error.Retryable));
        Assert.Equal(0, connection.Pushes);
        var mine = BncrUnderTest.Item(with: message => message with { SessionKey = "agent:main:bncr:direct:" + Convert.ToHexStringLower("qq:0:u1"u8), Route = "qq:0:u1" });
        Assert.Equal(Abstractions.Connections.PushOutcome.Flushed, await target.PushAsync(mine, CancellationToken.None));
    }

    [Fact]
    public async Task Conversations_ShowsThoseOfItsPlatforms()
    {
        var bncr = new BncrUnderTest();
        var everybody = bncr.Connect();
        await bncr.InboundAsync(everybody, """ "platform":"qq","userId":"u1","clientId":"c","msg":"hi" """);
        await bncr.InboundAsync(everybody, """ "platform":"wechat","userId":"u1","clientId":"c","msg":"hi" """);
        Assert.Equal(["Bncr:qq:u1"], (await bncr.CallAsync(bncr.Connect(Qq()), "bncr.conversations"))["entries"]!.AsArray().Select(one => (string?)one!["target"]));
    }

    [Fact]
    public void Platform_OfALane_IsThatOfItsRoute() =>
        Assert.Equal("qq", new BncrUnderTest().Channel.PlatformOf("agent:main:bncr:direct:" + Convert.ToHexStringLower("qq:0:u1"u8)));
}
