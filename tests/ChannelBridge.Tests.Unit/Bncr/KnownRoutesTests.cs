using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>What diagnostics shows of an account is what it was before the restart.</summary>
public sealed class KnownRoutesTests
{
    [Fact]
    public async Task Restart_LastSessionTimesAndKnownRoutes_AreAsBefore()
    {
        var bncr = new BncrUnderTest();
        await bncr.Channel.StartAsync(CancellationToken.None);
        var (connection, _, target) = await bncr.ClientAsync();
        for (var user = 0; user < 3; user++)
        {
            await bncr.InboundAsync(connection, $""" "platform":"lab","groupId":"g","userId":"u{user}","clientId":"c","msg":"hi" """);
            await bncr.InboundAsync(connection, $""" "platform":"lab","groupId":"g","userId":"u{user}","clientId":"c","msg":"again" """);
        }

        await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None);
        var before = await ReportAsync(bncr, 3);
        Assert.Equal("bncr:lab:g:u2", (string?)before["runtime"]!["meta"]!["lastSessionScope"]);
        await bncr.Channel.StopAsync(CancellationToken.None);

        var again = new BncrUnderTest(store: bncr.Store, time: bncr.Time);
        await again.Channel.StartAsync(CancellationToken.None);
        var after = await ReportAsync(again, 3);
        foreach (var name in new[] { "lastSessionKey", "lastSessionScope", "lastSessionAt", "lastInboundAt", "lastOutboundAt", "lastActivityAt" })
        {
            Assert.NotNull(before["runtime"]!["meta"]![name]);
            Assert.Equal(before["runtime"]!["meta"]![name]!.ToJsonString(), after["runtime"]!["meta"]![name]!.ToJsonString());
        }

        await again.InboundAsync(again.Connect(), """ "platform":"lab","groupId":"g","userId":"u1","clientId":"c","msg":"known" """);
        await again.InboundAsync(again.Connect(), """ "platform":"lab","groupId":"g","userId":"new","clientId":"c","msg":"new" """);
        await ReportAsync(again, 4);
        await again.Channel.StopAsync(CancellationToken.None);
    }

    /// <summary>The count after a start runs beside everything else.</summary>
    private static async Task<JsonNode> ReportAsync(BncrUnderTest bncr, int routes)
    {
        for (var wait = 0; ; wait++)
        {
            var report = await bncr.CallAsync(bncr.Connect(), "bncr.diagnostics");
            if ((int)report["diagnostics"]!["regression"]!["totalKnownRoutes"]! == routes) return report;
            Assert.True(wait < 500, $"{report["diagnostics"]!["regression"]!.ToJsonString()} instead of {routes}");
            await Task.Delay(10);
        }
    }
}
