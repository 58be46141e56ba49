using System.Text;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>Group ids with colons (Teams, Matrix) through the channel.</summary>
public sealed class GroupColonTests
{
    private const string Teams = """ "platform":"teams","groupId":"19:abc@thread.tacv2","userId":"u1","clientId":"c" """;

    [Fact]
    public async Task Inbound_IsTaken_AndAClientsOwnKeyOfThePlainPartsIsRight()
    {
        var bncr = new BncrUnderTest();
        var key = "agent:main:bncr:direct:" + Convert.ToHexStringLower(Encoding.UTF8.GetBytes("teams:19:abc@thread.tacv2:u1"));
        await bncr.InboundAsync(bncr.Connect(), Teams + $""","msg":"hi","sessionKey":"{key}" """);
        Assert.Equal("teams:19%3Aabc@thread.tacv2:u1", bncr.Inbox.Last.Route);
        var error = await bncr.RefusedAsync(bncr.Connect(), "bncr.inbound", Teams + ""","msg":"hi","sessionKey":"teams:19:other:u1" """);
        Assert.Equal("session-key-mismatch", (string?)error.Details!["reason"]);
    }

    /// <summary>Guards against an address that people copy from their platform and that nothing knows.</summary>
    [Theory]
    [InlineData("Bncr:teams:19:abc@thread.tacv2:u1")]
    [InlineData("teams:19:abc@thread.tacv2:u1")]
    [InlineData("Bncr:teams:19%3Aabc@thread.tacv2:u1")]
    public async Task Target_IsFoundByTheReadingThatIsKnown(string target)
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), Teams + ""","msg":"hi" """);
        var found = await bncr.Channel.ResolveTargetAsync("primary", target, CancellationToken.None);
        Assert.Equal((bncr.Inbox.Last.SessionKey, "teams:19%3Aabc@thread.tacv2:u1"), (found.SessionKey, found.Route));
    }

    [Fact]
    public async Task Target_WithTwoKnownReadings_IsNotGuessed()
    {
        var bncr = new BncrUnderTest();
        await bncr.InboundAsync(bncr.Connect(), """ "platform":"x","groupId":"a:b","userId":"c:d","clientId":"c","msg":"hi" """);
        await bncr.InboundAsync(bncr.Connect(), """ "platform":"x","groupId":"a:b:c","userId":"d","clientId":"c","msg":"hi" """);
        var error = await Assert.ThrowsAsync<BridgeException>(() => bncr.Channel.ResolveTargetAsync("primary", "Bncr:x:a:b:c:d", CancellationToken.None).AsTask());
        Assert.Equal("target-ambiguous", (string?)error.Details!["reason"]);
        Assert.Equal("x:a%3Ab:c:d", (await bncr.Channel.ResolveTargetAsync("primary", "Bncr:x:a%3Ab:c:d", CancellationToken.None)).Route);
    }
}
