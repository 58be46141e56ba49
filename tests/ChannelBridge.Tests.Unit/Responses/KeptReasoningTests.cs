using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>What a provider wants back reaches it again, whichever way the conversation goes on, and whether the client saw it or not.</summary>
public sealed class KeptReasoningTests
{
    private const string Results = """{"type":"function_call_output","call_id":"c1","output":"1"}""";
    private static readonly JsonElement Field = JsonDocument.Parse("""{"field":"reasoning_content"}""").RootElement;
    private static readonly JsonElement Signature = JsonDocument.Parse("""{"thought_signature":"S"}""").RootElement;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HiddenReasoning_ComesBackToTheAgent_ByIdAndByReplay(bool store)
    {
        var agent = Thinking();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var first = await door.AskAsync($$"""{"model":"scripted","input":"x","store":{{(store ? "true" : "false")}}}""");
        // The client sees the call alone.
        var call = Assert.Single(first["output"]!.AsArray())!;
        Assert.DoesNotContain("thought_signature", first.ToJsonString(), StringComparison.Ordinal);
        if (store) await door.AskAsync($$"""{"model":"scripted","previous_response_id":"{{first["id"]}}","input":[{{Results}}]}""");
        await door.AskAsync($$"""{"model":"scripted","store":false,"input":[{"role":"user","content":"x"},{{call.ToJsonString()}},{{Results}}]}""");
        foreach (var turn in agent.Turns.Skip(1)) IsWhole(turn);
    }

    [Fact]
    public async Task SealedReasoning_ComesBackToTheAgent_AndNoOtherTokenOpensIt()
    {
        var agent = Thinking();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var first = await door.AskAsync("""{"model":"scripted","input":"x","store":false,"include":["reasoning.encrypted_content"]}""");
        var (reasoning, call) = (first["output"]![0]!, first["output"]![1]!);
        Assert.Equal("reasoning", (string)reasoning["type"]!);
        Assert.Empty(reasoning["summary"]!.AsArray());
        Assert.Null(reasoning["content"]);
        // Another client has made the call its own: what it doesn't know of it comes by the sealed item alone.
        var renamed = call.ToJsonString().Replace("c1", "c9", StringComparison.Ordinal).Replace("fc_", "zz_", StringComparison.Ordinal);
        await door.AskAsync(
            $$"""{"model":"scripted","store":false,"input":[{"role":"user","content":"x"},{{reasoning.ToJsonString()}},{{renamed}},{{Results.Replace("c1", "c9", StringComparison.Ordinal)}}]}""");
        var back = agent.Turns[1].Request!.Input.OfType<ReasoningItem>().Single();
        Assert.Equal("hm", ((ReasoningTextPart)back.Content!.Single()).Text);
        Assert.Equal(Field.GetRawText(), back.Extra!.Value.GetRawText());

        var changed = reasoning.ToJsonString().Replace("cbr1.", "cbr1.AAAA", StringComparison.Ordinal);
        Assert.Equal("invalid_encrypted_content", (string)(await door.AskAsync($$"""{"input":[{{changed}},{"role":"user","content":"x"}]}""", 400))["error"]!["code"]!);
    }

    [Fact]
    public async Task AProvidersOwnSeal_IsGivenToWhoAsksForIt_AndKeptForItself()
    {
        var agent = new ScriptedAgent { Repeats = true };
        agent.Say(new AgentReasoning("in short"), new AgentReasoningEnd("SEALED"), new AgentReply("done"));
        agent.End();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var asked = await door.AskAsync("""{"model":"scripted","input":"x","include":["reasoning.encrypted_content"]}""");
        Assert.Equal("SEALED", (string)asked["output"]![0]!["encrypted_content"]!);
        Assert.Equal("in short", (string)asked["output"]![0]!["summary"]![0]!["text"]!);
        var quiet = await door.AskAsync("""{"model":"scripted","input":"x"}""");
        Assert.Null(quiet["output"]![0]!["encrypted_content"]);
        await door.AskAsync($$"""{"model":"scripted","input":"go on","previous_response_id":"{{quiet["id"]}}"}""");
        Assert.Equal("SEALED", agent.Turns[2].Request!.Input.OfType<ReasoningItem>().Single().EncryptedContent);
    }

    [Fact]
    public async Task Citations_StandAtTheirText()
    {
        var agent = new ScriptedAgent();
        agent.Say(new AgentPartial("See."), new AgentCitation("https://a.example/x", "A", 0, 3), new AgentCitation("javascript:alert(1)", "", 0, 0), new AgentReply("See."));
        agent.End();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync("responses", """{"model":"scripted","input":"x","stream":true}""");
        var final = StreamChecker.Check(DoorUnderTest.Parse(await response.Content.ReadAsStringAsync())).Final!;
        var annotation = Assert.Single(final["output"]![0]!["content"]![0]!["annotations"]!.AsArray())!;
        Assert.Equal("""{"type":"url_citation","url":"https://a.example/x","start_index":0,"end_index":3,"title":"A"}""", annotation.ToJsonString());
    }

    private static ScriptedAgent Thinking()
    {
        var agent = new ScriptedAgent { Repeats = true };
        agent.Say(new AgentReasoning("hm", IsSummary: false), new AgentReasoningEnd(null, Field), new AgentToolCall("c1", "f", "{}") { Extra = Signature });
        agent.End();
        return agent;
    }

    private static void IsWhole(AgentTurn turn)
    {
        var input = turn.Request!.Input;
        var call = Assert.Single(input.OfType<FunctionCallItem>());
        Assert.Equal(Signature.GetRawText(), call.Extra!.Value.GetRawText());
        var reasoning = Assert.IsType<ReasoningItem>(input[input.ToList().IndexOf(call) - 1]);
        Assert.Equal("hm", ((ReasoningTextPart)reasoning.Content!.Single()).Text);
        Assert.Equal(Field.GetRawText(), reasoning.Extra!.Value.GetRawText());
    }
}
