using System.Text.Json.Nodes;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Tests.Platform;
using ChannelBridge.Tests.Unit.Responses;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>Messages through the channel and back, before a platform that behaves and one that doesn't.</summary>
public sealed class MessageTests
{
    private static readonly TimeSpan Patience = ChannelLab.Patience;

    [Fact]
    public async Task Message_GetsTheSeedsEventsInOrder_InTheChartsEnvelope()
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        var text = string.Concat(Enumerable.Repeat("0123456789", 12));
        await side.SendTextAsync("m1", "s1", text);
        var events = await side.EventsAsync("m1");
        StreamChecker.Check(events);
        Assert.Equal(
            ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.delta", "response.output_text.delta",
                "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"],
            events.Select(one => (string)one["type"]!));
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(one => (int)one["sequence_number"]!));
        Assert.Equal(text, string.Concat(events.Where(one => (string)one["type"]! == "response.output_text.delta").Select(one => (string)one["delta"]!)));
        Assert.Equal("completed", (string)events[^1]["response"]!["status"]!);

        var frame = side.All[0];
        Assert.Equal(["type", "headers", "data"], frame.Select(member => member.Key));
        Assert.Equal("MESSAGE", (string)frame["type"]!);
        Assert.Equal(["message-id", "session-id", "topic", "response-id", "sequence"], frame["headers"]!.AsObject().Select(member => member.Key));
        Assert.Equal(("m1", "s1"), ((string)frame["headers"]!["message-id"]!, (string)frame["headers"]!["session-id"]!));
        Assert.Equal("/v1.0/im/bot/messages", (string)frame["headers"]!["topic"]!);

        var start = Assert.Single(lab.Runs.Started);
        Assert.Contains("session s1 of your account default", start.Request.Instructions, StringComparison.Ordinal);
        Assert.Equal("instaclaw:default:s1", start.Message!.SessionKey);
        Assert.InRange(start.Timeout!.Value, TimeSpan.FromHours(11.9), TimeSpan.FromHours(12));
        Assert.Equal(50, start.Coalescing!.MaxGraphemes);
    }

    [Theory]
    [InlineData("""{"messageId":"m1","sessionId":"s1","input":[{"type":"input_text","text":"bare"}]}""", "bare")]
    [InlineData("""{"topic":"/v1.0/im/user/messages","messageId":"m1","sessionId":"s1","input":"a string"}""", "a string")]
    [InlineData(
        """{"type":"CALLBACK","headers":{"topic":"/v1.0/im/user/messages","message-id":"m1","session-id":"s1"},"data":{"input":[{"type":"input_text","text":"object"}]}}""", "object")]
    [InlineData(
        """{"type":"MESSAGE","headers":{"topic":"/v1.0/im/user/messages"},"data":"{\"messageId\":\"m1\",\"sessionId\":\"s1\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":\"item\"}]}"}""", "item")]
    public async Task Message_InEveryShapeThatAPlatformMaySend_IsUnderstood(string frame, string text)
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        await side.SendRawAsync(frame);
        await side.EventsAsync("m1");
        Assert.Equal(text, Assert.Single(lab.Runs.Started).Message!.Text);
    }

    [Fact]
    public async Task Message_FilesAndPictures_BecomeOneUserMessage()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.FileUrlTemplate = "https://files.example.com/{file_id}");
        var side = await lab.ConnectedAsync();
        await side.SendUserMessageAsync(
            "m1", "s1",
            new JsonObject { ["type"] = "input_text", ["text"] = "look" },
            new JsonObject { ["type"] = "input_file", ["file_id"] = "file_1/x" },
            new JsonObject { ["type"] = "input_image", ["image_url"] = "https://pictures.example.com/1.png" });
        await side.EventsAsync("m1");
        var item = Assert.IsType<ChannelBridge.Protocol.OpenResponses.MessageItem>(Assert.Single(Assert.Single(lab.Runs.Started).Request.Input));
        Assert.Equal("user", item.Role);
        Assert.Equal(
            [
                new ChannelBridge.Protocol.OpenResponses.InputTextPart("look"),
                new ChannelBridge.Protocol.OpenResponses.InputFilePart("file_1/x", null, "https://files.example.com/file_1%2Fx"),
                new ChannelBridge.Protocol.OpenResponses.InputImagePart("https://pictures.example.com/1.png"),
            ],
            item.Content);
    }

    [Fact]
    public async Task Message_OfTheSameSession_ContinuesItsConversation_AndRunsAfterTheOneBefore()
    {
        await using var lab = await ChannelLab.StartAsync();
        var first = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            if (run.Text == "one") await first.Task;
            run.Say(run.Text);
        };
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "one");
        await side.SendTextAsync("m2", "s1", "two");
        await side.SendTextAsync("m3", "other", "three");
        await side.EventsAsync("m3");
        Assert.Equal(["one", "three"], lab.Runs.Started.Select(start => start.Message!.Text));
        first.SetResult();
        await side.EventsAsync("m2");
        var started = lab.Runs.Started;
        Assert.Equal((null, started[0].ResponseId), (started[0].Request.PreviousResponseId, started[2].Request.PreviousResponseId));
    }

    [Fact]
    public async Task Message_DeliveredAgain_RunsOnce_OnOneConnectionAndOverConnectionsAndRestarts()
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "once");
        var events = await side.EventsAsync("m1");
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        await side.SendTextAsync("m1", "s1", "once");
        await side.SendTextAsync("m2", "s1", "twice");
        await side.EventsAsync("m2");
        Assert.Equal(events.Count, lab.Platform.EventsOf("m1").Count);

        // A platform that asks again after a reconnect has lost the answer: it gets it again, the same one.
        side.Abort();
        side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "once");
        Assert.Equal(events.Select(one => one.ToJsonString()), (await side.EventsAsync("m1")).Select(one => one.ToJsonString()));

        await lab.RestartAsync();
        side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "once");
        Assert.Equal(events.Select(one => one.ToJsonString()), (await side.EventsAsync("m1")).Select(one => one.ToJsonString()));
        Assert.Equal(["once", "twice"], lab.Runs.Started.Select(start => start.Message!.Text));
    }

    [Fact]
    public async Task Connection_LostInTheMiddleOfAnAnswer_ItsEventsGoOnWithoutAHole()
    {
        await using var lab = await ChannelLab.StartAsync();
        var go = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            run.Say(new string('a', 200));
            await go.Task;
            run.Say(new string('b', 200));
        };
        var side = await lab.ConnectedAsync();
        side.DropAfter = 5;
        await side.SendTextAsync("m1", "s1", "go on");
        await side.Ended.WaitAsync(Patience);
        go.SetResult();
        side = await lab.ConnectedAsync();
        await side.EventsAsync("m1");
        var all = lab.Platform.EventsOf("m1");
        Assert.Equal(Enumerable.Range(0, 1 + all.Max(one => (int)one["sequence_number"]!)), all.Select(one => (int)one["sequence_number"]!).Distinct().Order());
        Assert.Single(all.Select(one => (string?)one["response"]?["id"]).OfType<string>().Distinct());
        Assert.Single(all, one => (string)one["type"]! == "response.completed");
        Assert.Single(lab.Runs.Started);
    }

    [Fact]
    public async Task Host_RestartedInTheMiddleOfAnAnswer_ItsEventsGoOnFromWhereTheyWere()
    {
        await using var lab = await ChannelLab.StartAsync();
        var go = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            run.Say("before");
            await go.Task;
            run.Say(" and after");
        };
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "go on");
        while ((string?)JsonNode.Parse((string)(await side.NextAsync())["data"]!)!["delta"] != "before")
        {
            // Up to the first delta.
        }

        await side.SendControlAsync("c1", new JsonObject { ["action"] = "ack", ["messageId"] = "m1", ["sequence"] = 2 });
        await AnswerAsync(side, "c1");
        using var timeout = new CancellationTokenSource(Patience);
        while (await lab.Store.GetRecordAsync("instaclaw.request", "default|m1") is not { } record
            || !System.Text.Encoding.UTF8.GetString(record.Value.Span).Contains("\"confirmed\":2", StringComparison.Ordinal))
        {
            await Task.Delay(10, timeout.Token);
        }

        await lab.RestartAsync();
        go.SetResult();
        side = await lab.ConnectedAsync();
        var events = await side.EventsAsync("m1");
        Assert.Equal(3, (int)events[0]["sequence_number"]!);
        Assert.Equal("response.completed", (string)events[^1]["type"]!);
        Assert.Single(lab.Runs.Started);
    }

    [Fact]
    public async Task TwelveAtOnce_OnTenSlots_TwoAreQueuedAndAllAreAnswered()
    {
        await using var lab = await ChannelLab.StartAsync();
        var go = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            await go.Task;
            run.Say(run.Text);
        };
        var side = await lab.ConnectedAsync();
        for (var i = 0; i < 12; i++) await side.SendTextAsync($"m{i}", $"s{i}", $"text {i}");
        await lab.UntilAsync(diagnostics => (int)diagnostics["slots"]!["taken"]! == 10 && (int)diagnostics["queue"]!["waiting"]! == 2);
        go.SetResult();
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        var queued = 0;
        for (var i = 0; i < 12; i++)
        {
            var events = lab.Platform.EventsOf($"m{i}");
            if (events.Any(one => (string)one["type"]! == "response.queued")) queued++;
            Assert.Single(events, one => (string)one["type"]! == "response.completed");
        }

        Assert.Equal(2, queued);
    }

    [Fact]
    public async Task Overflow_FailsWithTooManyRequests_AndTheSameMessageMayBeTriedAgain()
    {
        await using var lab = await ChannelLab.StartAsync(options => (options.MaxConcurrentRequests, options.MaxQueuedRequests) = (1, 1));
        var go = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            await go.Task;
            run.Say(run.Text);
        };
        var side = await lab.ConnectedAsync();
        for (var i = 0; i < 3; i++) await side.SendTextAsync($"m{i}", $"s{i}", "text");
        var refused = await side.EventsAsync("m2");
        StreamChecker.Check(refused);
        Assert.Equal("response.created", (string)refused[0]["type"]!);
        var failed = refused[^1];
        Assert.Equal("response.failed", (string)failed["type"]!);
        // Where the spec has it, and where the existing plugin has it.
        Assert.Equal("too_many_requests", (string)failed["response"]!["error"]!["code"]!);
        Assert.Equal("too_many_requests", (string)failed["error"]!["code"]!);
        go.SetResult();
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        await side.SendTextAsync("m2", "s2", "text");
        Assert.Equal("response.completed", (string)(await side.EventsAsync("m2"))[^1]["type"]!);
    }

    [Fact]
    public async Task Cancel_RunningAndWaitingRequests_EndWithOneFailedEach()
    {
        await using var lab = await ChannelLab.StartAsync();
        var running = new TaskCompletionSource();
        lab.Runs.Script = async run =>
        {
            run.Say("begun");
            running.TrySetResult();
            await Task.Delay(Timeout.Infinite, run.Cancelled);
        };
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "one");
        await side.SendTextAsync("m2", "s1", "two");
        await running.Task.WaitAsync(Patience);
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 2);
        await side.SendControlAsync("c1", new JsonObject { ["action"] = "cancel", ["sessionId"] = "s1" });
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        foreach (var id in new[] { "m1", "m2" })
        {
            StreamChecker.Check(lab.Platform.EventsOf(id));
            var end = Assert.Single(lab.Platform.EventsOf(id), one => ((string)one["type"]!) is "response.failed" or "response.completed");
            Assert.Equal("cancelled", (string)end["error"]!["code"]!);
        }

        Assert.Single(lab.Runs.Started);
    }

    [Fact]
    public async Task Control_IsAnswered_AndResumeSendsAgainBehindASequence()
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        var events = await side.EventsAsync("m1");
        await lab.UntilAsync(diagnostics => (int)diagnostics["openResponses"]! == 0);
        await side.SendControlAsync("c1", new JsonObject { ["action"] = "ping" });
        Assert.True((bool)(await AnswerAsync(side, "c1"))["ok"]!);
        await side.SendControlAsync("c2", new JsonObject { ["action"] = "resume", ["messageId"] = "m1", ["sequence"] = 3 });
        Assert.Equal(events.Skip(4).Select(one => one.ToJsonString()), (await side.EventsAsync("m1")).Select(one => one.ToJsonString()));
        await side.SendControlAsync("c3", new JsonObject { ["action"] = "nonsense" });
        Assert.Equal("INVALID_REQUEST", (string)(await AnswerAsync(side, "c3"))["error"]!["code"]!);
        await side.SendControlAsync("c4", new JsonObject { ["action"] = "status" });
        Assert.Equal(10, (int)(await AnswerAsync(side, "c4"))["slots"]!);
    }

    [Fact]
    public async Task Garbage_UnknownTopicsAndUnfitMessages_AreToldOnceAndBreakNothing()
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        foreach (var frame in new[] { "no json", "[1,2]", "null", "{}", """{"type":"SYSTEM"}""", "\"text\"", """{"headers":5,"data":7}""" }) await side.SendRawAsync(frame);
        for (var i = 0; i < 3; i++) await side.SendAsync("MESSAGE", "/v2/other", "x", new JsonObject());
        await side.SendRawAsync("""{"type":"PING","headers":{"message-id":"p1"},"data":"{\"opaque\":1}"}""");
        Assert.Equal("PONG", (string)(await side.NextAsync())["type"]!);
        await side.SendUserMessageAsync("bad", "s1", new JsonObject { ["type"] = "input_video" });
        var failed = (await side.EventsAsync("bad"))[^1];
        Assert.Equal("invalid_request", (string)failed["error"]!["code"]!);
        await side.SendTextAsync("m1", "s1", "still here");
        Assert.Equal("response.completed", (string)(await side.EventsAsync("m1"))[^1]["type"]!);
        Assert.Single(lab.Log, line => line.Contains("/v2/other", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Disconnect_WithCancel_CancelsWhatRuns()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.OnDisconnect = DisconnectMode.Cancel);
        lab.Runs.Script = run => Task.Delay(Timeout.Infinite, run.Cancelled);
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "one");
        await side.NextAsync();
        side.Abort();
        side = await lab.ConnectedAsync();
        Assert.Equal("cancelled", (string)(await side.EventsAsync("m1"))[^1]["error"]!["code"]!);
    }

    [Fact]
    public async Task Secrets_AreNowhereButInTheHeaders()
    {
        await using var lab = await ChannelLab.StartAsync();
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        await side.EventsAsync("m1");
        Assert.DoesNotContain(lab.Log, line => line.Contains("secret-0", StringComparison.Ordinal));
        Assert.DoesNotContain("secret-0", (await lab.DiagnosticsAsync()).ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("connected", (string)(await lab.DiagnosticsAsync())["state"]!);
    }

    private static async Task<JsonObject> AnswerAsync(BrokerSide side, string id)
    {
        while (true)
        {
            var frame = await side.NextAsync();
            if ((string?)frame["type"] == "CONTROL" && (string?)frame["headers"]!["message-id"] == id) return JsonNode.Parse((string)frame["data"]!)!.AsObject();
        }
    }
}
