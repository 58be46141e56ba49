using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Responses;
using ChannelBridge.Protocol.OpenResponses;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>Responses that outlive their host: wherever it died, what comes behind the restart makes one legal stream with what came before it.</summary>
public sealed class OutlivingRunTests : IAsyncLifetime
{
    private const string Id = "resp_outlives";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Scratch.NewFolder("cb-outlive-");
    private readonly ManualTime _time = new();
    private readonly List<ResponseRuns> _made = [];
    private int _folders;

    public static TheoryData<string, string> Scripts => new()
    {
        { "text", "text" }, { "text", "other" }, { "text", "shorter" }, { "text", "nothing" }, { "text", "tools" }, { "tools", "tools" }, { "tools", "text" },
        { "refusal", "text" }, { "text", "refusal" }, { "reply", "reply" }, { "text", "rewrite" },
    };

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var runs in _made) await runs.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Guards against a second terminal event, a gap, an item left open, and an answer that is lost or told as less than the agent said.</summary>
    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task KilledBehindAnyEvent_GoesOnAsOneStream(string before, string after)
    {
        var first = await MakeAsync(before);
        var run = await StartAsync(first);
        await run.Completion.WaitAsync(Patience);
        var whole = await ReadAsync(run, -1);
        var lines = await File.ReadAllLinesAsync(Directory.EnumerateFiles(_folder, "*.done", SearchOption.AllDirectories).Single());
        var said = Said(after);
        for (var count = 1; count < whole.Count; count++)
        {
            var (next, agent) = await MakeAsync(after, lines.Take(1 + count));
            var goesOn = await StartAsync(next);
            await goesOn.Completion.WaitAsync(Patience);
            var stream = StreamChecker.Check([.. whole.Take(count), .. await ReadAsync(goesOn, count - 1)]);
            Assert.Equal("completed", (string)stream.Final!["status"]!);
            Assert.Equal(Id, (string)stream.Final["id"]!);
            var messages = stream.Final["output"]!.AsArray().Where(item => (string)item!["type"]! == "message").ToList();
            Assert.Single(messages, message => (string?)message!["phase"] == "final_answer");
            if (agent.Turns.Count > 0) Assert.Equal(said, TextOf(messages[^1]!));
            // What is closed can't go on: between a text's end and its message's end lies no time, and then the same text comes once more.
            var closed = stream.Types[count - 1] is ResponseEventTypes.TextDone or ResponseEventTypes.PartDone;
            if (before == after && before is "text" or "reply" && !closed) Assert.Equal([said], stream.Messages);
            Assert.Equal(stream.Types.Count, (await ReadAsync((await next.FindAsync(Id, "me", default))!, -1)).Count);
        }
    }

    /// <summary>Guards against a stop that ends accepted requests as failed.</summary>
    [Fact]
    public async Task StoppedInTheMiddle_IsLeftToTheNextHost()
    {
        var runs = Make(new ScriptedAgent(), _folder);
        await runs.Runs.StartAsync(default);
        var run = await StartAsync(runs.Runs);
        var reading = ReadAsync(run, -1);
        runs.Agent.Say(new AgentPartial("half "));
        await foreach (var one in run.ReadAsync(-1, default))
        {
            if (one.Type == ResponseEventTypes.TextDelta) break;
        }

        await runs.Runs.StopAsync(TimeSpan.Zero).WaitAsync(Patience);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.Completion.WaitAsync(Patience));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Patience));

        var next = Make(new ScriptedAgent(), _folder);
        next.Agent.Say(new AgentPartial("half "), new AgentPartial("and whole"));
        next.Agent.End();
        await next.Runs.StartAsync(default);
        var goesOn = await StartAsync(next.Runs);
        await goesOn.Completion.WaitAsync(Patience);
        Assert.Equal(["half and whole"], StreamChecker.Check(await ReadAsync(goesOn, -1)).Messages);
    }

    [Fact]
    public async Task TakenUpByNobody_IsInterruptedInItsTime()
    {
        var first = await MakeAsync("text");
        await (await StartAsync(first)).Completion.WaitAsync(Patience);
        var lines = await File.ReadAllLinesAsync(Directory.EnumerateFiles(_folder, "*.done", SearchOption.AllDirectories).Single());
        var (next, _) = await MakeAsync("text", lines.Take(5));
        Assert.Null(await next.FindAsync(Id, "me", default));
        Assert.Null(await next.FindAsync(Id, "you", default));
        _time.Advance(TimeSpan.FromMinutes(62));
        using var patience = new CancellationTokenSource(Patience);
        while (await next.FindAsync(Id, "me", default) is null) await Task.Delay(5, patience.Token);
        var stream = StreamChecker.Check(await ReadAsync((await next.FindAsync(Id, "me", default))!, -1));
        Assert.Equal("interrupted", (string)stream.Final!["error"]!["code"]!);
    }

    private static AgentEvent[] Script(string name) => name switch
    {
        "text" => [new AgentPartial("Hello "), new AgentPartial("world, 👩‍👩‍👧 e\u0301 "), new AgentPartial("again and again")],
        "other" => [new AgentPartial("Hello you, "), new AgentPartial("who else?")],
        "shorter" => [new AgentPartial("Hello ")],
        "reply" => [new AgentPartial("Hello "), new AgentPartial("world"), new AgentReply("Hello world, all of it")],
        "rewrite" => [new AgentPartial("Hello "), new AgentRewrite("Good day"), new AgentReply("Good day to you")],
        "refusal" => [new AgentPartial("Well: "), new AgentRefusal("I won't.")],
        "tools" =>
        [
            new AgentReasoning("thinking"), new AgentPartial("Let me see. "), new AgentToolCall("c1", "look", "{}"), new AgentToolResult("c1", "seen"),
            new AgentPartial("It is "), new AgentPartial("there."),
        ],
        _ => [],
    };

    private static string Said(string name) => name switch
    {
        "reply" => "Hello world, all of it",
        "rewrite" => "Good day to you",
        "tools" => "It is there.",
        "refusal" => "Well: I won't.",
        _ => string.Concat(Script(name).Cast<AgentPartial>().Select(partial => partial.Suffix)),
    };

    private static string TextOf(JsonNode message) =>
        string.Concat(message["content"]!.AsArray().Select(part => (string)(part!["text"] ?? part["refusal"])!));

    private static async ValueTask<IResponseRun> StartAsync(ResponseRuns runs) => await runs.StartAsync(
        new ResponseStart
        {
            Request = new ResponseRequest { Input = [new MessageItem("user", [new InputTextPart("x")])] },
            Owner = "me",
            Agent = "scripted",
            ResponseId = Id,
            OutlivesHost = true,
        },
        CancellationToken.None);

    private static async Task<List<JsonNode>> ReadAsync(IResponseRun run, long after)
    {
        var events = new List<JsonNode>();
        await foreach (var one in run.ReadAsync(after, default)) events.Add(JsonNode.Parse(one.Json.Span)!);
        return events;
    }

    private async Task<ResponseRuns> MakeAsync(string script)
    {
        var (runs, _) = Make(Prepared(script), _folder);
        await runs.StartAsync(default);
        return runs;
    }

    /// <summary>A host that finds what a kill has left: some lines of the journal, and a part of one.</summary>
    private async Task<(ResponseRuns Runs, ScriptedAgent Agent)> MakeAsync(string script, IEnumerable<string> left)
    {
        var folder = Path.Combine(_folder, $"next-{_folders++}");
        var path = Path.Combine(folder, Id[^2..], Id + ".run");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, string.Concat(left.Select(line => line + "\n")) + "{\"type\":\"respo");
        var made = Make(Prepared(script), folder);
        await made.Runs.StartAsync(default);
        return made;
    }

    private static ScriptedAgent Prepared(string script)
    {
        var agent = new ScriptedAgent();
        agent.Say(Script(script));
        agent.End();
        return agent;
    }

    private (ResponseRuns Runs, ScriptedAgent Agent) Make(ScriptedAgent agent, string folder)
    {
        var runs = new ResponseRuns(new MemoryStore(_time), [agent], new ResponseOptions { Directory = folder }, _time, NullLogger<ResponseRuns>.Instance);
        _made.Add(runs);
        return (runs, agent);
    }
}
