using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Responses;
using ChannelBridge.Protocol.OpenResponses;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class ResponseRunsTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Scratch.NewFolder("cb-responses-");
    private readonly ManualTime _time = new();
    private readonly MemoryStore _store;
    private readonly List<ResponseRuns> _made = [];

    public ResponseRunsTests() => _store = new MemoryStore(_time);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var runs in _made) await runs.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Echo_GivesALegalStream_AndIsStored()
    {
        var runs = await MakeAsync();
        var run = await StartAsync(runs, "hello");
        var stream = StreamChecker.Check(await ReadAsync(run));
        Assert.Equal(["echo: hello"], stream.Messages);
        Assert.Equal(["response.created", "response.in_progress"], stream.Types.Take(2));
        Assert.Equal(Text(await run.Completion), stream.Final!.ToJsonString());
        Assert.Equal(Text((await runs.GetAsync(run.Id, "me", default))!.Value), stream.Final!.ToJsonString());
        Assert.Null(await runs.GetAsync(run.Id, "somebody else", default));
        Assert.Null(await runs.FindAsync(run.Id, "somebody else", default));
    }

    // InstaClaw's requests may take 12 hours; they ended after the agent's 570 seconds.
    [Fact]
    public async Task OwnTimeout_ReachesTheAgent_AndGoesBeforeItsOwn()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agents: [agent]);
        await runs.StartAsync(new ResponseStart { Request = Request("x"), Owner = "me", Agent = agent.Name, Timeout = TimeSpan.FromHours(12) }, default);
        await agent.Started.Task.WaitAsync(Patience);
        Assert.Equal(TimeSpan.FromHours(12), agent.Turns.Single().Message.Rules?.Timeout);
        agent.End();
    }

    [Fact]
    public async Task Artifacts_AreMessagesOfTheStream()
    {
        var agent = new ScriptedAgent();
        agent.Say(
            new AgentReply("look", "block"), new AgentArtifact("r") { Text = "ro" }, new AgentArtifact("r") { Text = "ses", Append = true, LastChunk = true },
            new AgentArtifact("d") { Name = "data", Json = JsonDocument.Parse("""{"n":1}""").RootElement }, new AgentStatus("busy"),
            new AgentReply("done"), new AgentFinish(FinishReason.InputRequired));
        agent.End();
        var runs = await MakeAsync(agents: [agent]);
        var run = await runs.StartAsync(new ResponseStart { Request = Request("x"), Owner = "me", Agent = agent.Name }, default);
        Assert.Equal(["look", "roses", "data\n{\n  \"n\": 1\n}", "done"], StreamChecker.Check(await ReadAsync(run)).Messages);
    }

    [Fact]
    public async Task TwelveAtOnce_OnTenSlots_TwoAreQueued_InOrder()
    {
        var agents = Enumerable.Range(0, 12).Select(i => new ScriptedAgent("a" + i)).ToArray();
        var runs = await MakeAsync(agents: agents);
        var started = new List<IResponseRun>();
        var slots = new TurnSlots(10, 100);
        for (var i = 0; i < 12; i++) started.Add(await runs.StartAsync(new ResponseStart { Request = Request("x"), Owner = "me", Agent = "a" + i, Slots = slots }, default));
        await Task.WhenAll(agents.Take(10).Select(agent => agent.Started.Task)).WaitAsync(Patience);
        Assert.Equal((10, 2), (slots.Taken, slots.Waiting));
        Assert.Equal("queued", (string)JsonNode.Parse(started[10].Snapshot.Span)!["status"]!);
        agents[3].Say(new AgentReply("three"));
        agents[3].End();
        await agents[10].Started.Task.WaitAsync(Patience);
        Assert.False(agents[11].Started.Task.IsCompleted);
        foreach (var agent in agents) agent.End();
        for (var i = 0; i < 12; i++)
        {
            var stream = StreamChecker.Check(await ReadAsync(started[i]));
            Assert.Equal(i >= 10, stream.Types.Contains("response.queued"));
        }
    }

    [Fact]
    public async Task LineFull_IsBusy_AndLeavesNothingBehind()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(options => (options.Slots, options.QueueCapacity) = (1, 1), agent);
        var first = await StartAsync(runs, "1", agent: "scripted");
        var second = await StartAsync(runs, "2", agent: "scripted");
        var fault = await Assert.ThrowsAsync<BridgeException>(async () => await StartAsync(runs, "3", agent: "scripted"));
        Assert.Equal(ErrorCodes.Busy, fault.Code);
        await second.CancelAsync();
        Assert.Equal("cancelled", (string)StreamChecker.Check(await ReadAsync(second)).Final!["error"]!["code"]!);
        var third = await StartAsync(runs, "3", agent: "scripted");
        agent.End();
        StreamChecker.Check(await ReadAsync(first));
        StreamChecker.Check(await ReadAsync(third));
        Assert.Equal((0, 0), (runs.Taken, runs.Waiting));
    }

    public static TheoryData<int> Points => [0, 1, 2, 3, 4, 5];

    [Theory]
    [MemberData(nameof(Points))]
    public async Task Cancel_AtEveryPoint_EndsOnce_AndReachesTheAgent(int point)
    {
        AgentEvent[] script = [new AgentReasoning("think"), new AgentPartial("Hel"), new AgentPartial("lo"), new AgentToolCall("c", "f", "{}"), new AgentPartial("more")];
        var agent = new ScriptedAgent { IsDeaf = point % 2 == 0 };
        var runs = await MakeAsync(agent: agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        await agent.Started.Task.WaitAsync(Patience);
        agent.Say(script[..point]);
        if (point > 0)
            await SeenAsync(run, point >= 4 ? "response.function_call_arguments.done" : point == 1 ? "response.reasoning_summary_text.delta"
                : "response.output_text.delta");
        await run.CancelAsync();
        var stream = StreamChecker.Check(await ReadAsync(run));
        Assert.Equal("cancelled", (string)stream.Final!["error"]!["code"]!);
        await agent.Cancelled.Task.WaitAsync(Patience);
        // What comes late is dropped.
        agent.Say(new AgentReply("late"));
        agent.End();
        await run.CancelAsync();
        Assert.Equal(stream.Types.Count, (await ReadAsync(run)).Count);
        Assert.Equal(0, runs.Taken);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task AgentThatFails_BeforeDuringAndAfterTheText_FailsTheResponse(int said)
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agent: agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        if (said > 0) agent.Say(new AgentPartial("some"));
        if (said > 1) agent.Say(new AgentReply("some text"));
        agent.End(new BridgeException(ErrorCodes.Unavailable, "the provider is away"));
        var stream = StreamChecker.Check(await ReadAsync(run));
        Assert.Equal("unavailable", (string)stream.Final!["error"]!["code"]!);
        Assert.Equal(said switch { 0 => Array.Empty<string>(), 1 => ["some"], _ => ["some text"] }, stream.Messages);
    }

    [Fact]
    public async Task UnexpectedFault_DoesNotTellItsMessage()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agent: agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        agent.End(new InvalidOperationException("secret"));
        var final = StreamChecker.Check(await ReadAsync(run)).Final!;
        Assert.Equal("server_error", (string)final["error"]!["code"]!);
        Assert.DoesNotContain("secret", final.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TooLate_FailsWithTimeout()
    {
        var agent = new ScriptedAgent { IsDeaf = true };
        var runs = await MakeAsync(options => options.AbandonedAfter = TimeSpan.FromHours(1), agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        await agent.Started.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromMinutes(31));
        Assert.Equal("timeout", (string)StreamChecker.Check(await ReadAsync(run)).Final!["error"]!["code"]!);
    }

    [Fact]
    public async Task WhatNobodyReadsAnyMore_IsEnded_AndFreesItsSlot_UnlessItIsInTheBackground()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(options => options.AbandonedAfter = TimeSpan.FromMinutes(5), agent);
        var kept = await runs.StartAsync(new ResponseStart { Request = Request("x") with { Background = true }, Owner = "me", Agent = "scripted" }, default);
        var run = await StartAsync(runs, "x", agent: "scripted");
        // Who reads isn't hurried; the time begins when the last reader leaves, and anew when somebody looks.
        using (var waiting = new CancellationTokenSource())
        {
            var reader = run.WaitAsync(waiting.Token).AsTask();
            _time.Advance(TimeSpan.FromMinutes(20));
            await waiting.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader);
        }

        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.NotNull(await runs.GetAsync(run.Id, "me", default));
        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.False(run.Completion.IsCompleted);
        _time.Advance(TimeSpan.FromMinutes(1));
        await run.Completion.WaitAsync(Patience);
        Assert.Equal("abandoned", (string)StreamChecker.Check(await ReadAsync(run)).Final!["error"]!["code"]!);
        Assert.False(kept.Completion.IsCompleted);
        Assert.Equal(1, runs.Taken);
    }

    [Fact]
    public async Task ACompaction_IsItsOwners()
    {
        var runs = await MakeAsync();
        var compacted = await runs.CompactAsync(Request("the word is slate") with { Model = "echo" }, "me", default);
        var item = ResponseRequestReader.ReadItems(System.Text.Json.JsonDocument.Parse(compacted).RootElement.GetProperty("output"));
        await runs.StartAsync(
            new ResponseStart { Request = Request("go on") with { Input = [.. item, new MessageItem("user", [new InputTextPart("x")])] }, Owner = "me" },
            default);
        var fault = await Assert.ThrowsAsync<BridgeException>(async () =>
            await runs.StartAsync(
                new ResponseStart
                {
                    Request = Request("go on") with { Input = [.. item, new MessageItem("user", [new InputTextPart("x")])] },
                    Owner = "you"
                }, default));
        Assert.Equal("invalid_compaction", (string)fault.Details!["code"]!);
    }

    [Fact]
    public async Task LongStream_IsReadFromAnywhere_WhileItRunsAndAfter()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(options => options.DeltaGraphemes = 4, agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        var text = string.Concat(Enumerable.Range(0, 3000).Select(i => i.ToString("D4", System.Globalization.CultureInfo.InvariantCulture)));
        agent.Say(new AgentPartial(text));
        await SeenAsync(run, "response.output_text.delta", 3000);
        var early = new List<JsonNode>();
        await foreach (var one in run.ReadAsync(-1, default))
        {
            early.Add(JsonNode.Parse(one.Json.Span)!);
            if (early.Count == 3000) break;
        }

        agent.Say(new AgentReply(text));
        agent.End();
        var all = await ReadAsync(run);
        Assert.Equal([text], StreamChecker.Check(all).Messages);
        Assert.True(all.Count > 3000);
        foreach (var after in new[] { 0, 1, 255, 256, 257, 1999, all.Count - 2, all.Count - 1 })
        {
            var rest = await ReadAsync(run, after);
            Assert.Equal(all.Skip(after + 1).Select(one => one.ToJsonString()), rest.Select(one => one.ToJsonString()));
        }

        var found = (await runs.FindAsync(run.Id, "me", default))!;
        Assert.NotSame(run, found);
        Assert.Equal(all.Skip(1500).Select(one => one.ToJsonString()), (await ReadAsync(found, 1499)).Select(one => one.ToJsonString()));
    }

    [Fact]
    public async Task HostThatDied_LeavesAFailedResponse_ThatCanBeReadOn()
    {
        var agent = new ScriptedAgent();
        var dead = await MakeAsync(agent: agent);
        var run = await StartAsync(dead, "hello", agent: "scripted");
        agent.Say(new AgentPartial("half an answer"));
        await SeenAsync(run, "response.output_text.delta");
        var before = new List<JsonNode>();
        await foreach (var one in run.ReadAsync(-1, default))
        {
            before.Add(JsonNode.Parse(one.Json.Span)!);
            if (one.Type == "response.output_text.delta") break;
        }

        // What a kill leaves: the journal as it stands.
        var other = Scratch.NewFolder("cb-responses-");
        foreach (var file in Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(other, Path.GetRelativePath(_folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
            // A line that was being written.
            await File.AppendAllTextAsync(copy, "{\"type\":\"response.output_te");
        }

        var next = await MakeAsync(options => options.Directory = other, agent);
        var found = (await next.FindAsync(run.Id, "me", default))!;
        var rest = await ReadAsync(found, before.Count - 1);
        var stream = StreamChecker.Check([.. before, .. rest]);
        Assert.Equal("interrupted", (string)stream.Final!["error"]!["code"]!);
        Assert.Equal(["half an answer"], stream.Messages);
        Assert.Equal("failed", (string)JsonNode.Parse((await next.GetAsync(run.Id, "me", default))!.Value.Span)!["status"]!);
        Directory.Delete(other, recursive: true);
    }

    [Fact]
    public async Task Continuation_HasThePastInFront()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agent: agent);
        var first = await StartAsync(runs, "one");
        await first.Completion.WaitAsync(Patience);
        var second = await StartAsync(runs, "two", first.Id);
        await second.Completion.WaitAsync(Patience);
        agent.Say(new AgentReply("ok"));
        agent.End();
        var third = await StartAsync(runs, "three", second.Id, "scripted");
        await third.Completion.WaitAsync(Patience);
        var turn = Assert.Single(agent.Turns);
        Assert.Equal(
            ["user: one", "assistant: echo: one", "user: two", "assistant: echo: two", "user: three"],
            turn.Request!.Input.Cast<MessageItem>()
            .Select(message => $"{message.Role}: {(message.Content[0] as InputTextPart)?.Text ?? ((OutputTextPart)message.Content[0]).Text}"));
        Assert.Equal(first.Session, third.Session);
        Assert.Null(turn.Request.PreviousResponseId);
        Assert.Equal("three", turn.Message.Text);
        Assert.Equal(second.Id, (string)JsonNode.Parse((await third.Completion).Span)!["previous_response_id"]!);
    }

    [Fact]
    public async Task Continuation_OfWhatIsUnknown_AnothersOrNotStored_IsNotFound()
    {
        var runs = await MakeAsync();
        var first = await StartAsync(runs, "one");
        var loose = await runs.StartAsync(new ResponseStart { Request = Request("x") with { Store = false }, Owner = "me" }, default);
        await Task.WhenAll(first.Completion, loose.Completion).WaitAsync(Patience);
        foreach (var (id, owner) in new[] { ("resp_unknown", "me"), (first.Id, "you"), (loose.Id, "me") })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(async () =>
                await runs.StartAsync(new ResponseStart { Request = Request("two") with { PreviousResponseId = id }, Owner = owner }, default));
            Assert.Equal((ErrorCodes.NotFound, "previous_response_not_found"), (fault.Code, (string)fault.Details!["code"]!));
        }

        Assert.Equal(0, runs.Taken);
    }

    [Fact]
    public async Task References_AndCalls_AreResolvedOrRefused()
    {
        var runs = await MakeAsync();
        var tool = new FunctionTool("get_weather", null,
            System.Text.Json.JsonDocument.Parse("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}""").RootElement,
            null);
        var first = await runs.StartAsync(new ResponseStart { Request = Request("What is the weather?") with { Tools = [tool] }, Owner = "me" }, default);
        var call = JsonNode.Parse((await first.Completion.WaitAsync(Patience)).Span)!["output"]![0]!;
        Assert.Equal("function_call", (string)call["type"]!);
        Assert.Equal("What is the weather?", (string)JsonNode.Parse((string)call["arguments"]!)!["city"]!);

        var answered = await runs.StartAsync(new ResponseStart
        {
            Request = new ResponseRequest { PreviousResponseId = first.Id, Tools = [tool], Input = [new FunctionCallOutputItem((string)call["call_id"]!, "sunny")] },
            Owner = "me",
        }, default);
        Assert.Contains("echo: sunny", Text(await answered.Completion.WaitAsync(Patience)), StringComparison.Ordinal);

        var referred = await runs.StartAsync(new ResponseStart
        {
            Request = new ResponseRequest { Input = [new ItemReference { Id = (string)call["id"]! }, new FunctionCallOutputItem((string)call["call_id"]!, "rain")] },
            Owner = "me",
        }, default);
        Assert.Contains("echo: rain", Text(await referred.Completion.WaitAsync(Patience)), StringComparison.Ordinal);

        foreach (var wrong in new ResponseItem[] { new FunctionCallOutputItem("call_nobody", "x"), new ItemReference { Id = "msg_nobody_0" } })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(async () =>
                await runs.StartAsync(new ResponseStart { Request = new ResponseRequest { PreviousResponseId = first.Id, Input = [wrong] }, Owner = "me" }, default));
            Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
            Assert.StartsWith("input[0].", (string)fault.Details!["param"]!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task SameResponseId_IsTheSameRun()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agent: agent);
        var start = new ResponseStart { Request = Request("x"), Owner = "me", ResponseId = "resp_fixed", Agent = "scripted" };
        var both = await Task.WhenAll(runs.StartAsync(start, default).AsTask(), runs.StartAsync(start, default).AsTask());
        Assert.Same(both[0], both[1]);
        agent.Say(new AgentReply("once"));
        agent.End();
        var events = await ReadAsync(both[0]);
        var again = await runs.StartAsync(start, default);
        Assert.Equal(events.Count, (await ReadAsync(again)).Count);
        Assert.Single(agent.Turns);
    }

    [Fact]
    public async Task Deleted_IsGone()
    {
        var runs = await MakeAsync();
        var run = await StartAsync(runs, "x");
        await run.Completion.WaitAsync(Patience);
        Assert.False(await runs.DeleteAsync(run.Id, "you", default));
        Assert.True(await runs.DeleteAsync(run.Id, "me", default));
        Assert.Null(await runs.FindAsync(run.Id, "me", default));
        Assert.Null(await runs.GetAsync(run.Id, "me", default));
        Assert.False(await runs.DeleteAsync(run.Id, "me", default));
    }

    [Fact]
    public async Task Stop_EndsWhatRuns_AsInterrupted()
    {
        var agent = new ScriptedAgent();
        var runs = await MakeAsync(agent: agent);
        var run = await StartAsync(runs, "x", agent: "scripted");
        agent.Say(new AgentPartial("some"));
        await SeenAsync(run, "response.output_text.delta");
        await runs.StopAsync(TimeSpan.Zero).WaitAsync(Patience);
        Assert.Equal("interrupted", (string)StreamChecker.Check(await ReadAsync(run)).Final!["error"]!["code"]!);
        await Assert.ThrowsAsync<BridgeException>(async () => await StartAsync(runs, "y"));
    }

    [Theory]
    [InlineData("http://127.0.0.1/x")]
    [InlineData("http://localhost:8080/x")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("http://[::1]/x")]
    [InlineData("http://[::ffff:10.0.0.1]/x")]
    [InlineData("http://2130706433/x")]
    [InlineData("http://0x7f.1/x")]
    [InlineData("http://db.internal/x")]
    [InlineData("http://user:secret@example.org/x")]
    public async Task PrivateUrls_AreRefused(string url)
    {
        var runs = await MakeAsync();
        var request = Request("x") with { Input = [new MessageItem("user", [new InputTextPart("see"), new InputImagePart(url)])] };
        var fault = await Assert.ThrowsAsync<BridgeException>(async () => await runs.StartAsync(new ResponseStart { Request = request, Owner = "me" }, default));
        Assert.Equal("input[0].content[1].image_url", (string)fault.Details!["param"]!);
    }

    private async Task<ResponseRuns> MakeAsync(Action<ResponseOptions>? configure = null, ScriptedAgent? agent = null, ScriptedAgent[]? agents = null)
    {
        var options = new ResponseOptions { Directory = _folder };
        configure?.Invoke(options);
        IEnumerable<IAgent> all = [new EchoAgent(), .. agent is null ? [] : new[] { agent }, .. agents ?? []];
        var runs = new ResponseRuns(_store, all, options, _time, NullLogger<ResponseRuns>.Instance);
        _made.Add(runs);
        await runs.StartAsync(CancellationToken.None);
        return runs;
    }

    private static async Task<IResponseRun> StartAsync(ResponseRuns runs, string text, string? previous = null, string? agent = null) =>
        await runs.StartAsync(new ResponseStart { Request = Request(text) with { PreviousResponseId = previous }, Owner = "me", Agent = agent }, CancellationToken.None);

    private static ResponseRequest Request(string text) => new() { Input = [new MessageItem("user", [new InputTextPart(text)])] };

    private static async Task<List<JsonNode>> ReadAsync(IResponseRun run, long after = -1)
    {
        using var timeout = new CancellationTokenSource(Patience);
        var events = new List<JsonNode>();
        await foreach (var one in run.ReadAsync(after, timeout.Token))
        {
            Assert.Equal(one.Type, (string)JsonNode.Parse(one.Json.Span)!["type"]!);
            events.Add(JsonNode.Parse(one.Json.Span)!);
        }

        return events;
    }

    private static async Task SeenAsync(IResponseRun run, string type, int count = 1)
    {
        using var timeout = new CancellationTokenSource(Patience);
        await foreach (var one in run.ReadAsync(-1, timeout.Token))
        {
            if (one.Type == type && --count == 0) return;
        }

        Assert.Fail($"the stream ended without enough of {type}");
    }

    private static string Text(ReadOnlyMemory<byte> json) => JsonNode.Parse(json.Span)!.ToJsonString();
}
