using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>
/// A C# channel that the plugin's manifest doesn't name, answered by the real gateway's agent; and words outside of any turn.
/// </summary>
[Collection(GatewaysCollection.Name)]
public sealed class ChannelsTests(ChannelLab lab) : IClassFixture<ChannelLab>
{
    private static readonly TurnRules NoCommands = new() { Commands = false };

    [OpenClawFact]
    public async Task UnknownChannel_IsAnsweredByTheGatewaysAgent_AndCaseTellsItsConversationsApart()
    {
        await lab.Channel.SayAsync("ann", "remember marzipan ask:small-letters");
        Assert.Equal("answer to small-letters", await lab.Channel.AnswerAsync("ann"));
        await lab.Channel.SayAsync("Ann", "ask:large-letter");
        Assert.Equal("answer to large-letter", await lab.Channel.AnswerAsync("Ann"));
        Assert.DoesNotContain("marzipan", lab.Model.PromptOf("large-letter"), StringComparison.Ordinal);
        await lab.Channel.SayAsync("ann", "ask:small-again");
        await lab.Channel.AnswerAsync("ann");
        Assert.Contains("marzipan", lab.Model.PromptOf("small-again"), StringComparison.Ordinal);
    }

    /// <summary>The sample of docs/writing-a-channel.md, with one setting changed: its answers come from the gateway's agent.</summary>
    [OpenClawFact]
    public async Task SampleChannel_IsAnsweredByTheGatewaysAgent()
    {
        var letter = Path.Combine(lab.Letters, "gerda.part");
        await File.WriteAllTextAsync(letter, "ask:by-letter");
        File.Move(letter, Path.Combine(lab.Letters, "in", "gerda.txt"));
        var answers = Path.Combine(lab.Letters, "out");
        await InteropLab.UntilAsync(() => Directory.GetFiles(answers, "*.txt").Length > 0, "no answer in the folder", TimeSpan.FromSeconds(240));
        Assert.Equal("answer to by-letter", (await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(answers, "*.txt")))).Trim());
    }

    [OpenClawFact]
    public async Task SenderWithoutCommands_SlashAndStop_AreTextsForTheModel()
    {
        await lab.Channel.SayAsync("carla", "/status ask:not-a-command", NoCommands);
        Assert.Equal("answer to not-a-command", await lab.Channel.AnswerAsync("carla"));
        Assert.Contains("/status", lab.Model.PromptOf("not-a-command"), StringComparison.Ordinal);
    }

    /// <summary>Guards against an answer that is lost with the gateway that was to bring it back in the turn.</summary>
    [OpenClawFact]
    public async Task GatewayKilledInTheTurn_TheAnswerComesLateAndEndsIt()
    {
        var hold = lab.Model.Hold("killed-in-it");
        await lab.Channel.SayAsync("dora", "ask:killed-in-it");
        await lab.Model.AskedAsync("killed-in-it");
        await lab.Gateway.KillAsync();
        hold.TrySetResult();
        await lab.Gateway.StartAsync();
        Assert.Equal("answer to killed-in-it", await lab.Channel.AnswerAsync("dora"));
    }

    [OpenClawFact]
    public async Task Notice_IntoASessionOfTheGateway_ReachesTheModelOnceInTheNextTurn()
    {
        await lab.Channel.SayAsync("emil", "ask:before-the-notice");
        await lab.Channel.AnswerAsync("emil");
        var session = new GatewaySessionOrigin($"agent:main:{LabChannel.LaneOf("emil")}");
        await lab.Notifier.NotifyAsync(session, "the parcel with nougat has come", "parcel-1");
        await lab.Notifier.NotifyAsync(session, "the parcel with nougat has come", "parcel-1");
        await HandedOverAsync();

        await lab.Channel.SayAsync("emil", "ask:after-the-notice");
        Assert.Equal("answer to after-the-notice", await lab.Channel.AnswerAsync("emil"));
        Assert.Equal(2, lab.Model.PromptOf("after-the-notice").Split("the parcel with nougat has come").Length);
    }

    [OpenClawFact]
    public async Task Notice_ToALaneOrATarget_IsDeliveredLikeAnyMessage()
    {
        await lab.Notifier.NotifyAsync(new LaneOrigin("labchat", "main", LabChannel.LaneOf("fritz"), "fritz"), "one", "fritz-1");
        await lab.Notifier.NotifyAsync(new TargetOrigin("labchat", "", "fritz"), "two", "fritz-2");
        await lab.Notifier.NotifyAsync(new TargetOrigin("labchat", "", "fritz"), "two", "fritz-2");
        await lab.Notifier.NotifyAsync(new TargetOrigin("labchat", "", "fritz"), "three", "fritz-3");
        Assert.Equal(["one", "two", "three"], [await lab.Channel.AnswerAsync("fritz"), await lab.Channel.AnswerAsync("fritz"), await lab.Channel.AnswerAsync("fritz")]);
    }

    private Task HandedOverAsync() => InteropLab.UntilAsync(() => lab.PendingNotices == 0, "the notice isn't handed over");
}
