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
        foreach (var word in new[] { "ready", "bncr/Chat-", "dead", "openclaw not connected" }) Assert.Contains(word, table.Output,
            StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', table.Output);
        Assert.DoesNotContain('─', table.Output);
        var store = await HostProcess.RunAsync(["diagnostics", "--section", "store", "--data", host.Data]);
        Assert.Contains("commitMilliseconds", store.Output, StringComparison.Ordinal);

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
        // Without an account: the one that knows the conversation.
        string[] send = ["send", "--data", host.Data, "--to", "Bncr:chat:alice", "--key", "k1", "Good", "morning"];
        var first = await HostProcess.RunAsync(send);
        Assert.True(first.ExitCode == 0, first.Errors);
        Assert.StartsWith("accepted: message ", first.Output, StringComparison.Ordinal);
        Assert.StartsWith("sent before: message ", (await HostProcess.RunAsync(send)).Output, StringComparison.Ordinal);
        var next = await HostProcess.RunAsync(["chat", "--data", host.Data, "--user", "alice"], "again\n");
        Assert.Equal("Good morning\necho: again\n", next.Output.ReplaceLineEndings("\n"));
        var stranger = await HostProcess.RunAsync(["send", "--data", host.Data, "--to", "Bncr:chat:stranger", "hello"]);
        Assert.Equal(8, stranger.ExitCode);
        Assert.Contains("never written to any account", stranger.Errors, StringComparison.Ordinal);
        var known = await HostProcess.RunAsync(["conversations", "--data", host.Data]);
        Assert.True(known.ExitCode == 0, known.Errors);
        Assert.Contains("Bncr:chat:alice", known.Output, StringComparison.Ordinal);
        var page = JsonNode.Parse(
            (await HostProcess.RunAsync(["conversations", "--account", "chat-alice", "--json", "--data", host.Data])).Output)!;
        Assert.Equal("Bncr:chat:alice", (string?)page["entries"]!.AsArray().Single()!["target"]);

        // What was known of the account outlives the host, until it is told to forget it.
        Assert.Equal(0, await host.StopAsync());
        await using var again = await HostProcess.StartAsync(host.Data);
        var accounts =
            JsonNode.Parse((await HostProcess.RunAsync(["diagnostics", "--json", "--section", "channels", "--data", host.Data])).Output)![
            "channels"]!["bncr"]!["accounts"]!;
        Assert.NotNull(accounts.AsArray().Single(account => (string?)account!["accountId"] == "Chat-alice")!["inbound"]!["lastAt"]);
        var forgotten = await HostProcess.RunAsync(["forget-account", "chat-alice", "--data", host.Data]);
        Assert.True(forgotten.ExitCode == 0, forgotten.Errors);
        Assert.Equal("account Chat-alice is forgotten, with 1 known conversations", forgotten.Output.Trim());
        Assert.Equal(8, (await HostProcess.RunAsync(["forget-account", "chat-alice", "--data", host.Data])).ExitCode);
        Assert.Equal("no conversation has written yet", (await HostProcess.RunAsync(["conversations", "--data", host.Data])).Output.Trim());
    }

    [Theory]
    [InlineData("sreve", 2, "unknown command 'sreve'; did you mean serve?")]
    [InlineData("diagnostics --wach", 2, "did you mean --watch?")]
    [InlineData("dead-letters lst", 2, "did you mean list?")]
    [InlineData("chat --timeout -1", 2, "--timeout must be")]
    [InlineData("chat --url ws://", 2, "--url: 'ws://' is not a valid address")]
    [InlineData("chat --account=", 2, "--account")]
    [InlineData("diagnostics --url 127.0.0.1:1", 7, "can't be reached")]
    [InlineData("diagnostics --url localhost:1", 7, "can't be reached")]
    [InlineData("diagnostics --url unix:/no/such/socket", 7, "there is no such socket")]
    [InlineData("serve --urls http://192.0.2.1:80", 6, "no such address")]
    [InlineData("help", 0, "")]
    [InlineData("help serve", 0, "")]
    [InlineData("version", 0, "")]
    [InlineData("-v", 0, "")]
    public async Task Typed_Anything_EndsWithItsCodeAndOneSentence(string line, int code, string expected)
    {
        var data = HostProcess.NewDataFolder();
        string[] arguments = line.StartsWith("serve ", StringComparison.Ordinal)
            || line.StartsWith("diagnostics --u", StringComparison.Ordinal)
            ? [.. line.Split(' '), "--data", data] : line.Split(' ');
        var result = await HostProcess.RunAsync(arguments, "hi\n");
        Assert.True(code == result.ExitCode, result.Output + result.Errors);
        Assert.Contains(expected, result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ask_UnknownAgentOrOneThatIsAway_SaysSo()
    {
        await using var host = await HostProcess.StartAsync();
        var unknown = await HostProcess.RunAsync(["ask", "--model", "nope", "--data", host.Data, "hi"]);
        Assert.Equal(8, unknown.ExitCode);
        Assert.Contains("available: echo, openclaw", unknown.Errors, StringComparison.Ordinal);
        var away = await HostProcess.RunAsync(["ask", "--model", "openclaw", "--timeout", "60", "--data", host.Data, "hi"]);
        Assert.Equal(8, away.ExitCode);
        Assert.Contains("openclaw isn't connected", away.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Diagnostics_WhileTheStoreHangs_ShowsTheRestAndEndsWithNine()
    {
        await using var host = await HostProcess.StartAsync();
        const string Hold = "import sqlite3,sys;c=sqlite3.connect(sys.argv[1],isolation_level=None);c.execute('BEGIN "
            + "IMMEDIATE');print('held',flush=True);sys.stdin.read()";
        using var holder = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("python3", ["-c", Hold, Path.Combine(host.Data, "channelbridge.db")])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!;
        try
        {
            Assert.Equal("held", await holder.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout));
            var hung = await HostProcess.RunAsync(["diagnostics", "--data", host.Data]);
            Assert.Equal(9, hung.ExitCode);
            foreach (var word in new[] { "not ready", "store: no answer in time from: write", "store: doesn't answer", "echo available",
                "bncr/Primary" }) Assert.Contains(word, hung.Output, StringComparison.Ordinal);
        }
        finally
        {
            holder.Kill();
        }
    }

    /// <summary>Guards SIGHUP: it never ends the host, and a token that the settings no longer have lets nobody in and loses its connections.</summary>
    [Fact]
    public async Task Serve_Hangup_ReloadsLevelAndTokens()
    {
        const string Former = "the-token-that-goes-away", Next = "the-token-that-comes-now";
        await using var host = await HostProcess.StartAsync();
        Assert.DoesNotContain(host.Token, host.Output, StringComparison.Ordinal);
        await HangUpAsync(host, "Information", Former);
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, Former);
        await using var first = new WireClient();
        await first.ConnectAsync(host.WebSocketUrl, host.Token);

        await HangUpAsync(host, "Debug", Next);
        await client.Closed.WaitAsync(HostProcess.Timeout);
        await using var refused = new WireClient();
        await Assert.ThrowsAnyAsync<Exception>(() => refused.ConnectAsync(host.WebSocketUrl, Former));
        await using var next = new WireClient();
        await next.ConnectAsync(host.WebSocketUrl, Next);
        await first.CallAsync("ping", []);

        // What can't be read changes nothing.
        await HangUpAsync(host, "Debug", "short", "SIGHUP: nothing was changed");
        await next.CallAsync("ping", []);
        Assert.Equal(0, await host.StopAsync());
    }

    private static async Task HangUpAsync(HostProcess host, string level, string token, string? said = null)
    {
        var settings = Path.Combine(host.Data, "appsettings.json");
        await File.WriteAllTextAsync(
            settings, $$$"""{ "Telemetry": { "LogLevel": "{{{level}}}" }, "Access": { "Tokens": { "bridge": { "Token": "{{{token}}}" } } } }""");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(settings, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var hangUp = System.Diagnostics.Process.Start("kill", ["-HUP", host.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await hangUp.WaitForExitAsync();
        using var giveUp = new CancellationTokenSource(HostProcess.Timeout);
        while (!host.Errors.Contains(said ?? $"Reloaded on SIGHUP: log level {level}, 1 tokens", StringComparison.Ordinal)) await Task.Delay(20, giveUp.Token);
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
        var chat = await HostProcess.RunAsync(["chat", "--data", data, "--account", "Chat", "--user", "alice"], "hi\n");
        Assert.Equal("from before\necho: hi\n", chat.Output.ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("demo")]
    [InlineData("chat")]
    [InlineData("diagnostics")]
    [InlineData("watch")]
    [InlineData("send")]
    [InlineData("conversations")]
    [InlineData("forget-account")]
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
