using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>The commands as a user runs them, against a host of its own process.</summary>
public sealed class CommandTests
{
    [Fact]
    public async Task Demo_PipedInput_AnswersAndEnds()
    {
        var result = await HostProcess.RunAsync(["demo"], "hello\nworld\n");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal("echo: hello\necho: world\n", result.Output.ReplaceLineEndings("\n"));
        Assert.Contains("it repeats what you say", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_DataFolderOnly_FindsHostAndTokenAndAnswersInOrder()
    {
        await using var host = await HostProcess.StartAsync();
        var lines = Enumerable.Range(1, 20).Select(i => $"line {i}").ToArray();
        var result = await HostProcess.RunAsync(["chat", "--data", host.Data, "--user", "alice"], string.Join('\n', lines) + "\n");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal(lines.Select(line => "echo: " + line), result.Output.ReplaceLineEndings("\n").TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Chat_UrlAndTokenFile_WorksWithoutTheDataFolder()
    {
        await using var host = await HostProcess.StartAsync();
        var result = await HostProcess.RunAsync(
            ["chat", "--url", host.WebSocketUrl.AbsoluteUri, "--token-file", Path.Combine(host.Data, "token"), "--data", HostProcess.NewDataFolder()], "hi\n");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal("echo: hi", result.Output.Trim());
    }

    [Fact]
    public async Task Chat_WrongTokenOrNoHost_SaysWhatToDo()
    {
        await using var host = await HostProcess.StartAsync();
        var refused = await HostProcess.RunAsync(["chat", "--data", host.Data, "--token", "not-the-token-at-all"], "hi\n");
        Assert.Equal(8, refused.ExitCode);
        Assert.Contains("DIR/token", refused.Errors, StringComparison.Ordinal);
        await host.StopAsync();
        var away = await HostProcess.RunAsync(["chat", "--url", host.WebSocketUrl.AbsoluteUri, "--data", host.Data], "hi\n");
        Assert.Equal(7, away.ExitCode);
        Assert.Contains("channelbridge serve", away.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", away.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Diagnostics_OverTheSocket_ShowsTheSectionsAsTableAndAsJson()
    {
        await using var host = await HostProcess.StartAsync();
        Assert.Equal(0, (await HostProcess.RunAsync(["chat", "--data", host.Data], "hi\n")).ExitCode);
        var table = await HostProcess.RunAsync(["diagnostics", "--data", host.Data]);
        Assert.True(table.ExitCode == 0, table.Errors);
        foreach (var word in new[] { "ready", "Chat", "dead letters", "openclaw.available", "commitMilliseconds" }) Assert.Contains(word, table.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', table.Output);

        var json = await HostProcess.RunAsync(["diagnostics", "--json", "--url", host.WebSocketUrl.AbsoluteUri, "--data", host.Data]);
        Assert.True(json.ExitCode == 0, json.Errors);
        var sections = JsonNode.Parse(json.Output)!.AsObject();
        foreach (var section in new[] { "host", "store", "messaging", "agents", "link", "channels", "doors" }) Assert.NotNull(sections[section]);
        Assert.True((bool)sections["host"]!["ready"]!);
        Assert.Equal(host.Id, (int)sections["host"]!["pid"]!);
        Assert.DoesNotContain(host.Token, json.Output, StringComparison.Ordinal);
        var unknown = await HostProcess.RunAsync(["diagnostics", "--section", "nothing", "--data", host.Data]);
        Assert.Equal(8, unknown.ExitCode);
        Assert.Contains("the sections are", unknown.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_ToAKnownConversation_ArrivesAtTheNextChatOnce()
    {
        await using var host = await HostProcess.StartAsync();
        Assert.Equal(0, (await HostProcess.RunAsync(["chat", "--data", host.Data, "--user", "alice"], "hi\n")).ExitCode);
        string[] send = ["send", "--data", host.Data, "--account", "Chat", "--to", "Bncr:chat:alice", "--key", "k1", "Good", "morning"];
        var first = await HostProcess.RunAsync(send);
        Assert.True(first.ExitCode == 0, first.Errors);
        Assert.StartsWith("accepted: message ", first.Output, StringComparison.Ordinal);
        Assert.StartsWith("sent before: message ", (await HostProcess.RunAsync(send)).Output, StringComparison.Ordinal);
        var next = await HostProcess.RunAsync(["chat", "--data", host.Data, "--user", "alice"], "again\n");
        Assert.Equal("Good morning\necho: again\n", next.Output.ReplaceLineEndings("\n"));
        Assert.Equal(8, (await HostProcess.RunAsync(["send", "--data", host.Data, "--to", "Bncr:chat:stranger", "hello"])).ExitCode);
    }

    [Fact]
    public async Task Watch_Live_TellsWhatHappensWithoutTheText()
    {
        await using var host = await HostProcess.StartAsync();
        using var watch = HostProcess.Launch(["watch", "--data", host.Data, "--json", "turn.ended"]);
        try
        {
            // Nothing says that the subscription holds, so the chat is repeated until its turn is seen.
            using var giveUp = new CancellationTokenSource(HostProcess.Timeout);
            var line = watch.StandardOutput.ReadLineAsync(giveUp.Token).AsTask();
            while (!line.IsCompleted) Assert.Equal(0, (await HostProcess.RunAsync(["chat", "--data", host.Data], "a secret text\n")).ExitCode);
            var turn = JsonNode.Parse((await line)!)!;
            Assert.Equal("turn.ended", (string?)turn["event"]);
            Assert.Equal("echo", (string?)turn["payload"]!["agent"]);
            Assert.DoesNotContain("secret", await line, StringComparison.Ordinal);
        }
        finally
        {
            watch.Kill();
        }
    }

    [Fact]
    public async Task Import_StateOfTheExistingPlugin_IsDeliveredByTheNextHost()
    {
        var data = HostProcess.NewDataFolder();
        var file = Path.Combine(data, "bncr-bridge-state.json");
        await File.WriteAllTextAsync(file, """
            {"outbox":[{"messageId":"6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11","accountId":"Chat","sessionKey":"agent:main:bncr:direct:636861743a303a616c696365",
              "route":{"platform":"chat","groupId":"0","userId":"alice"},
              "payload":{"type":"message.outbound","messageId":"6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11","sessionKey":"agent:main:bncr:direct:636861743a303a616c696365",
                "message":{"platform":"chat","groupId":"0","userId":"alice","type":"text","msg":"from before","path":"","base64":"","fileName":""}},
              "createdAt":1790000000000,"retryCount":0,"nextAttemptAt":1790000000000}],"deadLetter":[],
             "sessionRoutes":[{"sessionKey":"agent:main:bncr:direct:636861743a303a616c696365","accountId":"Chat","route":{"platform":"chat","groupId":"0","userId":"alice"},"updatedAt":1790000000000}]}
            """);
        var dry = await HostProcess.RunAsync(["import", file, "--data", data, "--dry-run"]);
        Assert.True(dry.ExitCode == 0, dry.Errors);
        Assert.StartsWith("would take over: 1 messages", dry.Output, StringComparison.Ordinal);
        var done = await HostProcess.RunAsync(["import", file, "--data", data]);
        Assert.True(done.ExitCode == 0, done.Errors);
        Assert.StartsWith("took over: 1 messages", done.Output, StringComparison.Ordinal);
        await using var host = await HostProcess.StartAsync(data);
        Assert.Equal(4, (await HostProcess.RunAsync(["import", file, "--data", data])).ExitCode);
        var chat = await HostProcess.RunAsync(["chat", "--data", data, "--user", "alice"], "hi\n");
        Assert.Equal("from before\necho: hi\n", chat.Output.ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("demo")]
    [InlineData("chat")]
    [InlineData("diagnostics")]
    [InlineData("watch")]
    [InlineData("send")]
    [InlineData("import")]
    [InlineData("dead-letters")]
    [InlineData("dead-letters list")]
    [InlineData("dead-letters show")]
    [InlineData("dead-letters replay")]
    [InlineData("dead-letters discard")]
    [InlineData("dead-letters prune")]
    [InlineData("dead-letters audit")]
    public async Task Help_OfEveryCommand_ShowsExamples(string command)
    {
        var result = await HostProcess.RunAsync([.. command.Split(' '), "--help"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"Examples:\n  channelbridge {command}", result.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }
}
