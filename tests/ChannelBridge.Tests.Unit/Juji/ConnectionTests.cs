using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>Registration, the WebSocket's life, and calls: the connector before a community that does what it should, and one that doesn't.</summary>
public sealed class ConnectionTests
{
    [Fact]
    public async Task Start_RegistersWithANewKey_ConnectsWithASignature_AndWritesTheFile()
    {
        await using var lab = await JujiLab.StartAsync();
        await lab.Community.NextConnectionAsync();
        Assert.True(lab.Community.LastSignatureWasGood);
        var body = lab.Community.Requests[0].Body!;
        Assert.Equal("Tester", (string)body["name"]!);
        Assert.False(body.ContainsKey("wallet_address"));
        var text = await File.ReadAllTextAsync(lab.EnvFile);
        Assert.Equal(
            ["JUJI_AGENT_ID=7", $"JUJI_AGENT_PRIVATE_KEY={EnvText.Read(text, "JUJI_AGENT_PRIVATE_KEY")}", $"JUJI_AGENT_PUBLIC_KEY={(string)body["public_key"]!}",
                "JUJI_AGENT_TOKEN=token-1"],
            text.TrimEnd('\n').Split('\n'));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(lab.EnvFile));
        await lab.UntilAsync(status => (string)status["state"]! == "connected");
        Assert.Equal(7, (long)(await lab.StatusAsync())["agentId"]!);
    }

    [Fact]
    public async Task Registration_WithoutAToken_IsSaidInTheStatus_AndTriedAgain()
    {
        await using var lab = await JujiLab.StartAsync(before: community => community.GivesTokens = false);
        await lab.UntilAsync(status => ((string?)status["lastError"])?.Contains("ws_token", StringComparison.Ordinal) is true);
        lab.Community.GivesTokens = true;
        await lab.Community.NextConnectionAsync();
    }

    [Fact]
    public async Task Call_IsAnsweredByItsId_AndAnErrorEndsNothing()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        var first = lab.CallAsync("juji.call", new JsonObject { ["action"] = "task/list", ["params"] = new JsonObject { ["status"] = "open" } });
        var second = lab.CallAsync("juji.call", new JsonObject { ["action"] = "proposal/vote", ["params"] = new JsonObject { ["proposal_id"] = 1 } });
        var calls = new[] { await side.NextCallAsync(), await side.NextCallAsync() };
        var list = calls.Single(call => (string)call["params"]!["action"]! == "task/list");
        var vote = calls.Single(call => (string)call["params"]!["action"]! == "proposal/vote");
        Assert.Equal("open", (string)list["params"]!["params"]!["status"]!);
        Assert.Equal(7, (int)list["agent_id"]!);
        await side.AnswerAsync(vote, new JsonObject { ["error"] = "not a member" }, "error");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => second);
        Assert.Equal(("JUJI_ACTION_FAILED", "not a member"), (fault.Code, fault.Message));
        await side.AnswerAsync(list, new JsonArray(1, 2));
        Assert.Equal("[1,2]", (await first)["result"]!.ToJsonString());
        Assert.Equal(1, lab.Community.Attempts);
    }

    [Fact]
    public async Task Call_AcrossABrokenConnection_IsSentAgainUnderItsOwnId()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        var call = lab.CallAsync("juji.call", new JsonObject { ["action"] = "task/get" });
        var before = await side.NextCallAsync();
        side.Abort();
        var next = await lab.Community.NextConnectionAsync();
        var after = await next.NextCallAsync();
        Assert.Equal((string)before["u_id"]!, (string)after["u_id"]!);
        await next.AnswerAsync(after, "yes");
        Assert.Equal("yes", (string)(await call)["result"]!);
        Assert.Equal(1, lab.Community.Registrations);
    }

    [Fact]
    public async Task Community_ThatAnswersTwiceAndSendsGarbage_TheFirstAnswerCounts()
    {
        var log = new LineLog<JujiLab>();
        using var loggers = new OneLog(log);
        await using var lab = await JujiLab.StartAsync(loggers: loggers);
        var side = await lab.Community.NextConnectionAsync();
        var call = lab.CallAsync("juji.call", new JsonObject { ["action"] = "a" });
        var asked = await side.NextCallAsync();
        await side.SendAsync("no json");
        await side.SendAsync("[1]");
        await side.SendAsync(new string('[', 100) + new string(']', 100));
        await side.AnswerAsync(asked, 1);
        await side.AnswerAsync(asked, 2);
        Assert.Equal(1, (int)(await call)["result"]!);
        await lab.UntilAsync(status => (long)status["lateAnswers"]! == 1);
        Assert.Equal(3, (long)(await lab.StatusAsync())["ignored"]!);
        Assert.Single(log.Lines, static line => line.Contains("no JSON object", StringComparison.Ordinal));
        Assert.Empty(lab.Inbox.Accepted);
    }

    [Fact]
    public async Task Call_ThatIsNeverAnswered_IsATimeout()
    {
        await using var lab = await JujiLab.StartAsync((options, _) => options.CallTimeout = TimeSpan.FromMilliseconds(200));
        await lab.Community.NextConnectionAsync();
        await lab.UntilAsync(status => (string)status["state"]! == "connected");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("juji.call", new JsonObject { ["action"] = "a" }));
        Assert.Equal(ErrorCodes.Timeout, fault.Code);
    }

    [Fact]
    public async Task Call_ThatIsAnsweredTooLate_StaysATimeout_AndTheNextOneIsItsOwn()
    {
        await using var lab = await JujiLab.StartAsync((options, _) => options.CallTimeout = TimeSpan.FromSeconds(1));
        var side = await lab.Community.NextConnectionAsync();
        var late = lab.CallAsync("juji.call", new JsonObject { ["action"] = "a" });
        var asked = await side.NextCallAsync();
        Assert.Equal(ErrorCodes.Timeout, (await Assert.ThrowsAsync<BridgeException>(() => late)).Code);
        await side.AnswerAsync(asked, "late");
        await lab.UntilAsync(status => (long)status["lateAnswers"]! == 1);
        var next = lab.CallAsync("juji.call", new JsonObject { ["action"] = "b" });
        await side.AnswerAsync(await side.NextCallAsync(), "next");
        Assert.Equal("next", (string)(await next)["result"]!);
    }

    [Fact]
    public async Task Refused_ItRegistersAnewOnce_AndGoesOn()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        lab.Community.Refusals = 1;
        side.Abort();
        await lab.Community.NextConnectionAsync();
        Assert.Equal(2, lab.Community.Registrations);
        Assert.Equal(3, lab.Community.Attempts);
    }

    [Fact]
    public async Task RefusedForEver_TheStateSaysSo_AndItIsTriedAgain()
    {
        await using var lab = await JujiLab.StartAsync(before: community => community.Refusals = int.MaxValue);
        await lab.UntilAsync(status => (string)status["state"]! == "refused" && lab.Community.Attempts > 2);
        Assert.Contains("4401", (string)(await lab.StatusAsync())["lastError"]!, StringComparison.Ordinal);
        lab.Community.Refusals = 0;
        await lab.Community.NextConnectionAsync();
        await lab.UntilAsync(status => (string)status["state"]! == "connected");
    }

    [Fact]
    public async Task Community_ThatNeverPongs_IsLeftAfterTwoPings()
    {
        await using var lab = await JujiLab.StartAsync((options, _) => options.Heartbeat = TimeSpan.FromMilliseconds(50), community => community.Pongs = false);
        var first = await lab.Community.NextConnectionAsync();
        await lab.Community.NextConnectionAsync();
        Assert.InRange(first.Pings, 2, 3);
    }

    [Fact]
    public async Task Token_ThatTheScriptHasWritten_IsUsedForTheNextConnection()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        using (var http = new HttpClient())
        {
            var key = EnvText.Read(await File.ReadAllTextAsync(lab.EnvFile), SkillVariables.PublicKey);
            using var content = new StringContent($$"""{"public_key":"{{key}}"}""");
            (await http.PostAsync(lab.Community.BaseUrl + "/agent/register", content)).EnsureSuccessStatusCode();
        }

        SkillVariables.OfFile(lab.EnvFile).Save(new Dictionary<string, string> { [SkillVariables.Token] = "token-2" });
        side.Abort();
        await lab.Community.NextConnectionAsync();
        Assert.Equal(2, lab.Community.Registrations);
    }

    [Fact]
    public async Task EnvFile_ThatCantBeRead_IsNamedAndLeftAlone()
    {
        await using var lab = await JujiLab.StartAsync((_, account) => Directory.CreateDirectory(account.EnvFile!));
        await lab.UntilAsync(status => ((string?)status["lastError"])?.Contains(lab.EnvFile, StringComparison.Ordinal) is true);
        Assert.Empty(lab.Community.Requests);
    }

    [Fact]
    public async Task OtherKeyThanThePublicOne_IsSaid_AndNothingIsSent()
    {
        await using var lab = await JujiLab.StartAsync((_, account) => File.WriteAllText(
            account.EnvFile!, $"JUJI_AGENT_PUBLIC_KEY={new string('a', 64)}\nJUJI_AGENT_PRIVATE_KEY={new string('b', 64)}\n"));
        await lab.UntilAsync(status => ((string?)status["lastError"])?.Contains("isn't the private key", StringComparison.Ordinal) is true);
        Assert.Empty(lab.Community.Requests);
    }

    /// <summary>One log for everything.</summary>
    private sealed class OneLog(ILogger log) : ILoggerFactory
    {
        public void AddProvider(ILoggerProvider provider)
        {
            // There is one log.
        }

        public ILogger CreateLogger(string categoryName) => log;

        public void Dispose()
        {
            // The test reads it afterwards.
        }
    }
}
