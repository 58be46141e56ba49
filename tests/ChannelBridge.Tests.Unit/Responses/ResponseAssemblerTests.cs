using System.Globalization;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Core.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class ResponseAssemblerTests
{
    private const string Family = "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466";

    /// <summary>Whatever an agent says and takes back, the stream is legal, and the last message is what the agent ended with.</summary>
    [Fact]
    public void RandomAgents_GiveALegalStream_AndTheLastWordHolds()
    {
        string[] words = ["Hello", " wor", "ld", "é", "e\u0301", Family, "\uD83D\uDE00", "سلام", "한국어", "\r", "\n", "नमस्ते", "🇩🇪", "1\uFE0F\u20E3"];
        for (var seed = 0; seed < 700; seed++)
        {
            var random = new Random(seed);
            var (assembler, machine, events) = Make(mayRewrite: seed % 2 == 0);
            var text = "";
            var last = (string?)null;
            for (var i = random.Next(30); i > 0; i--)
            {
                var word = words[random.Next(words.Length)];
                switch (random.Next(20))
                {
                    case < 10:
                        text += word;
                        assembler.Add(new AgentPartial(word));
                        break;
                    case < 12:
                        var keep = random.Next(text.Length + 1);
                        if (keep > 0 && char.IsHighSurrogate(text[keep - 1])) keep--;
                        text = random.Next(2) == 0 ? text[..keep] + word : word;
                        assembler.Add(new AgentRewrite(text));
                        break;
                    case < 14:
                        text += word;
                        last = text;
                        assembler.Add(new AgentReply(text, random.Next(2) == 0 ? "block" : "final"));
                        text = "";
                        break;
                    case 14:
                        assembler.Add(new AgentReasoning(word));
                        break;
                    case 15:
                        assembler.Add(new AgentUsage(i, i));
                        break;
                    default:
                        assembler.Flush(random.Next(3) == 0);
                        break;
                }
            }

            if (text.Length > 0)
            {
                last = text;
                assembler.Add(new AgentReply(text));
            }

            assembler.Finish(1);
            var stream = StreamChecker.Check(events);
            Assert.True(machine.HasEnded);
            if (last is not null) Assert.EndsWith(last, string.Concat(stream.Messages), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("\U0001F600\U0001F600 e\u0301a\u0300 " + Family + " 🇩🇪🇫🇷 नमस्ते שלום\r\nend")]
    public void LetterByLetter_EveryDeltaIsWholeGraphemes(string text)
    {
        var whole = string.Concat(Enumerable.Repeat(text, 40));
        var (assembler, _, events) = Make();
        foreach (var letter in whole)
        {
            assembler.Add(new AgentPartial(letter.ToString()));
            // What came in one go is flushed in one go; here nothing else comes while the letter is looked at.
            if (!IsMark(letter) || whole == text) assembler.Flush(all: false);
        }

        assembler.Add(new AgentReply(whole));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal([whole], stream.Messages);
        var borders = StringInfo.ParseCombiningCharacters(whole).Append(whole.Length).ToHashSet();
        var at = 0;
        var split = 0;
        foreach (var delta in stream.Deltas)
        {
            at += delta.Length;
            if (!borders.Contains(at)) split++;
        }

        // The first accent on a plain letter comes after the letter was sent; from then on the letters wait.
        Assert.True(split <= 1, $"{split} deltas end inside a grapheme");
    }

    [Fact]
    public void LargeAnswer_IsCutIntoFiftyGraphemesAtMost()
    {
        var text = string.Concat(Enumerable.Range(0, 100_000).Select(i => i % 7 == 0 ? "😀" : i % 5 == 0 ? "e\u0301" : "abcdef"));
        var (assembler, _, events) = Make();
        assembler.Add(new AgentReply(text));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal(text, string.Concat(stream.Messages));
        Assert.All(stream.Deltas, delta => Assert.True(new StringInfo(delta).LengthInTextElements <= 50));
        Assert.True(stream.Deltas.Count > 5000);
    }

    [Fact]
    public void NothingSaid_IsAnEmptyMessage()
    {
        var (assembler, _, events) = Make();
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal([""], stream.Messages);
        Assert.Contains("response.output_text.done", stream.Types);
    }

    [Fact]
    public void SmallCorrection_InWhatIsHeldBack_StaysInvisible()
    {
        var (assembler, _, events) = Make(mayRewrite: true);
        assembler.Add(new AgentPartial("The answer is fourty"));
        assembler.Flush(all: false);
        assembler.Add(new AgentRewrite("The answer is forty-two."));
        assembler.Add(new AgentReply("The answer is forty-two."));
        assembler.Finish(1);
        Assert.Equal(["The answer is forty-two."], StreamChecker.Check(events).Messages);
    }

    [Fact]
    public void TrueRewrite_ClosesTheMessageAsCommentary_AndOpensAnother()
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentPartial("I think it is Paris"));
        assembler.Flush(all: true);
        assembler.Add(new AgentRewrite("It is Lyon"));
        assembler.Add(new AgentPartial(", of course."));
        assembler.Add(new AgentReply("It is Lyon, of course."));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal(["I think it is Paris", "It is Lyon, of course."], stream.Messages);
        Assert.Equal("commentary", (string)stream.Final!["output"]![0]!["phase"]!);
        Assert.Equal("final_answer", (string)stream.Final["output"]![1]!["phase"]!);
    }

    [Fact]
    public void TextBeforeATool_IsNotSaidAgainByItsReply()
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentPartial("Let me look."));
        assembler.Add(new AgentToolCall("call_1", "look", "{\"a\":1}"));
        assembler.Add(new AgentToolResult("call_1", "found"));
        assembler.Add(new AgentReply("Let me look."));
        assembler.Add(new AgentPartial("Here"));
        assembler.Add(new AgentReply("Here it is."));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal(["Let me look.", "Here it is."], stream.Messages);
        Assert.Equal(["message", "function_call", "function_call_output", "message"], stream.Final!["output"]!.AsArray().Select(item => (string)item!["type"]!));
    }

    [Theory]
    [InlineData(FinishReason.Length, "max_output_tokens")]
    [InlineData(FinishReason.ContentFilter, "content_filter")]
    public void CutOff_LeavesTheLastMessageIncomplete(FinishReason reason, string word)
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentPartial("half an ans"));
        assembler.Add(new AgentReply("half an ans"));
        assembler.Add(new AgentUsage(3, 16));
        assembler.Add(new AgentFinish(reason));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal(word, (string)stream.Final!["incomplete_details"]!["reason"]!);
        Assert.Equal("incomplete", (string)stream.Final["output"]![0]!["status"]!);
        Assert.Equal(19, (int)stream.Final["usage"]!["total_tokens"]!);
    }

    [Fact]
    public void Refusal_IsAPartOfItsMessage()
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentRefusal("I can't "));
        assembler.Add(new AgentRefusal("do that."));
        assembler.Add(new AgentReply(""));
        assembler.Finish(1);
        var content = StreamChecker.Check(events).Final!["output"]![0]!["content"]!.AsArray();
        Assert.Equal("I can't do that.", (string)Assert.Single(content)!["refusal"]!);
    }

    [Fact]
    public void RawReasoning_IsOffUnlessAskedFor()
    {
        var (quiet, _, events) = Make();
        quiet.Add(new AgentReasoning("secret", IsSummary: false));
        quiet.Add(new AgentReasoning("said"));
        quiet.Add(new AgentReply("done"));
        quiet.Finish(1);
        Assert.DoesNotContain(StreamChecker.Check(events).Types, type => type.StartsWith("response.reasoning.", StringComparison.Ordinal));

        var (open, _, all) = Make(options: new ResponseOptions { RawReasoning = RawReasoning.Spec });
        open.Add(new AgentReasoning("secret", IsSummary: false));
        open.Add(new AgentReply("done"));
        open.Finish(1);
        Assert.Contains("response.reasoning.delta", StreamChecker.Check(all).Types);
    }

    [Fact]
    public void AfterTheEnd_NothingComes()
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentPartial("one"));
        assembler.Fail(new ResponseError("timeout", "too late"));
        assembler.Add(new AgentPartial("two"));
        assembler.Add(new AgentToolCall("c", "f", ""));
        assembler.Add(new AgentReply("one two"));
        assembler.Finish(1);
        var stream = StreamChecker.Check(events);
        Assert.Equal(["one"], stream.Messages);
        Assert.Equal("timeout", (string)stream.Final!["error"]!["code"]!);
    }

    [Fact]
    public void MessageEnd_AndAReplyWithoutText_TakeNothingBack()
    {
        var (assembler, _, events) = Make();
        assembler.Add(new AgentPartial("first"));
        assembler.Add(AgentMessageEnd.Instance);
        assembler.Add(new AgentPartial("second"));
        assembler.Add(new AgentReply(""));
        assembler.Finish(1);
        Assert.Equal(["first", "second"], StreamChecker.Check(events).Messages);
    }

    private static bool IsMark(char letter) => char.GetUnicodeCategory(letter) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark;

    private static (ResponseAssembler Assembler, ResponseMachine Machine, List<JsonNode> Events) Make(bool mayRewrite = false, ResponseOptions? options = null)
    {
        var events = new List<JsonNode>();
        var machine = new ResponseMachine(new ResponseState("resp_abc", "echo", 1, new ResponseRequest()), (_, _, json) => events.Add(JsonNode.Parse(json)!));
        return (new ResponseAssembler(machine, options ?? new ResponseOptions(), mayRewrite), machine, events);
    }
}
