using System.Text.Json.Nodes;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class ResponseMachineTests
{
    private static readonly string[] Texts = ["Hello", " ", "é", "e\u0301", "\U0001F469", "\U0001F469\u200D\U0001F469\u200D\U0001F467",
        "\uD83D", "\uDC69", "שלום", "\r\n", "\"\\\u2028\u0000", "x"];

    /// <summary>Whatever is called in whatever order, the stream is legal: the machine's one promise.</summary>
    [Fact]
    public void RandomCalls_GiveALegalStream()
    {
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var (machine, events) = Make(seed % 3 == 0 ? Full() : new ResponseRequest());
            for (var i = random.Next(40); i > 0; i--) Call(machine, random);
            if (!machine.HasEnded) machine.Complete(1, null);
            for (var i = random.Next(5); i > 0; i--) Call(machine, random);
            StreamChecker.Check(events);
        }
    }

    /// <summary>A stream that broke off anywhere can be taken up and ended, and is legal as a whole.</summary>
    [Fact]
    public void Restored_AtEveryPoint_GoesOnLegally()
    {
        for (var seed = 0; seed < 25; seed++)
        {
            var random = new Random(seed);
            var (machine, events) = Make(Full());
            for (var i = 0; i < 25; i++) Call(machine, random, ends: false);
            machine.Complete(1, new ResponseUsage(1, 2));
            for (var cut = 1; cut <= events.Count; cut++)
            {
                var kept = events.Take(cut).Select(one => (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(one.ToJsonString())).ToList();
                var whole = events.Take(cut).ToList();
                var restored = ResponseMachine.Restore(kept, (_, _, json) => whole.Add(JsonNode.Parse(json)!));
                Assert.Equal(cut == events.Count, restored.HasEnded);
                restored.Fail(new ResponseError("interrupted", "the host was stopped"));
                StreamChecker.Check(whole);
            }
        }
    }

    [Fact]
    public void EveryEventOfTheContract_CanComeOut()
    {
        var seen = new HashSet<string>();
        for (var seed = 0; seed < 120; seed++)
        {
            var random = new Random(seed);
            var (machine, events) = Make(Full());
            for (var i = 0; i < 40; i++) Call(machine, random);
            seen.UnionWith(events.Select(one => (string)one["type"]!));
        }

        Assert.Equal(24, ContractSchema.Events.Count);
        Assert.Equal(ContractSchema.Events.Keys.Order(), seen.Order());
    }

    [Fact]
    public void Snapshot_RepeatsTheRequest_AndFitsTheContract()
    {
        var (machine, events) = Make(Full());
        machine.Complete(7, new ResponseUsage(10, 20, 3, 4));
        var response = StreamChecker.Check(events).Final!;
        Assert.Empty(ContractSchema.Check("ResponseResource", response));
        Assert.Equal("be brief", (string)response["instructions"]!);
        Assert.Equal(0.5, (double)response["temperature"]!);
        Assert.Equal(30, (int)response["usage"]!["total_tokens"]!);
        Assert.Equal("high", (string)response["reasoning"]!["effort"]!);
        Assert.Equal("allowed_tools", (string)response["tool_choice"]!["type"]!);
        Assert.Null(response["tools"]![0]!["description"]);
        Assert.Equal(7, (long)response["completed_at"]!);
    }

    [Fact]
    public void OneEvent_IsOneLine()
    {
        var lines = new List<byte[]>();
        var machine = new ResponseMachine(new ResponseState("resp_1", "m", 1, new ResponseRequest()), (_, _, json) => lines.Add(json));
        machine.AppendText("a\nb\r\u2028\u2029\u0085c");
        machine.Complete(1);
        Assert.All(lines, line => Assert.DoesNotContain(System.Text.Encoding.UTF8.GetString(line), c => c is '\n' or '\r' or '\u2028' or '\u2029' or '\u0085'));
    }

    [Fact]
    public void SplitSurrogates_AreJoined_AndSingleOnesReplaced()
    {
        var (machine, events) = Make(new ResponseRequest());
        machine.AppendText("a\uD83D");
        machine.AppendText("\uDC69b\uDC00\uD83D");
        machine.Complete(1);
        Assert.Equal(["a\U0001F469b\uFFFD\uFFFD"], StreamChecker.Check(events).Messages);
    }

    private static (ResponseMachine Machine, List<JsonNode> Events) Make(ResponseRequest request)
    {
        var events = new List<JsonNode>();
        return (new ResponseMachine(new ResponseState("resp_abc", "echo", 1_700_000_000, request), (_, _, json) => events.Add(JsonNode.Parse(json)!)), events);
    }

    private static ResponseRequest Full() => ResponseRequestReader.Read("""
        { "model": "echo", "input": "hi", "instructions": "be brief", "temperature": 0.5, "top_p": 0.25, "presence_penalty": -1, "frequency_penalty": 1.5, "top_logprobs": 3,
          "max_output_tokens": 100, "max_tool_calls": 2, "reasoning": { "effort": "high" }, "parallel_tool_calls": false, "truncation": "auto", "store": false, "service_tier": "flex",
          "metadata": { "a": "b" }, "safety_identifier": "s", "prompt_cache_key": "k", "previous_response_id": "resp_0",
          "text": { "format": { "type": "json_schema", "name": "n", "schema": { "type": "object" } }, "verbosity": "low" },
          "tools": [ { "type": "function", "name": "f", "parameters": { "type": "object" } } ], "tool_choice": { "type": "allowed_tools", "mode": "auto", "tools": [ { "type": "function", "name": "f" } ] } }
        """u8.ToArray());

    private static void Call(ResponseMachine machine, Random random, bool ends = true)
    {
        var text = Texts[random.Next(Texts.Length)];
        switch (random.Next(ends ? 60 : 56))
        {
            case < 20: machine.AppendText(text); break;
            case < 24: machine.AppendRefusal(text); break;
            case < 28: machine.AppendSummary(text); break;
            case < 30: machine.AppendReasoning(text); break;
            case < 33: machine.OpenCall("call_1", "f"); break;
            case < 38: machine.AppendArguments(text); break;
            case < 40: machine.AddCallOutput("call_1", text); break;
            case < 44: machine.CloseItem(random.Next(3) switch { 0 => "commentary", 1 => "final_answer", _ => null }); break;
            case < 46: machine.OpenMessage(); break;
            case < 48:
                machine.Annotate(
                System.Text.Json.JsonSerializer.SerializeToElement(
                new { type = "url_citation", url = "https://example.org", start_index = 0, end_index = 1, title = "t" })); break;
            case < 50: machine.Create(); break;
            case < 53: machine.Queue(); break;
            case < 56: machine.Start(); break;
            case 56: machine.Complete(1, new ResponseUsage(1, 1)); break;
            case 57: machine.CutOff("max_output_tokens"); break;
            case 58: machine.Fail(new ResponseError("server_error", "it broke")); break;
            default: machine.Fail(new ResponseError("server_error", "it broke"), streamFault: true); break;
        }
    }
}
