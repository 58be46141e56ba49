using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Juji;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>Where pushes go, and where they never do.</summary>
public sealed class PushTests
{
    [Fact]
    public async Task WithoutRoutes_BroadcastsAreOneConversation_AndDirectOnesAnother()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        await side.SendAsync(Push("governance/notification", "governance.proposal", "public", "created"));
        await side.SendAsync(Push("governance/notification", "governance.proposal", "direct", "voted"));
        await side.SendAsync(Push("juji/notification", "Content Published!", null, "content.published"));
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 3);
        Assert.Equal(
            ["juji:main:governance.proposal", "juji:main:direct:governance.proposal", "juji:main:content_published_"],
            lab.Inbox.Accepted.Select(static one => one.Message.SessionKey));
        var message = lab.Inbox.Accepted[0].Message;
        Assert.Equal(ReplyWay.Channel, message.Rules!.Replies);
        Assert.False(message.Rules.Commands);
        Assert.Equal("[juji governance.proposal created public] A title\nA message\n{\"amount\":5,\"secret\":\"s\"}", message.Text);
    }

    [Fact]
    public async Task SamePush_WithinAMoment_IsOne_AndAnIdMakesItOneForGood()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        for (var i = 0; i < 3; i++) await side.SendAsync(Push("juji/notification", "a", null, "b"));
        for (var i = 0; i < 2; i++)
        {
            var kept = Push("juji/notification", "a", null, "b");
            kept["push_id"] = "p1";
            kept["attempt"] = i;
            await side.SendAsync(kept);
        }

        await lab.UntilAsync(static status => (long)status["duplicatePushes"]! == 3 && (long)status["pushes"]! == 2);
        Assert.Equal([TimeSpan.FromSeconds(2), TimeSpan.FromDays(30)], lab.Inbox.Accepted.Select(static one => one.Window));
    }

    [Fact]
    public async Task Pong_AndAnswersOfOthers_AreNoMessages_UnlessTheyAreUnknown()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        await side.SendAsync("""{"type":"pong"}""");
        await side.SendAsync("""{"u_id":"of nobody","topic":"t","message":"m"}""");
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 1);
        Assert.Equal("juji:main:t", lab.Inbox.Last.SessionKey);
    }

    [Fact]
    public async Task Routes_TheFirstThatFits_AndNothingOfADirectPushWhereItIsntListed()
    {
        await using var lab = await JujiLab.StartAsync((_, account) =>
        {
            account.Routes["1"] = new JujiRouteOptions { Topics = ["noise.*"], To = "drop" };
            account.Routes["2"] = new JujiRouteOptions { Topics = ["governance.*"], Variants = ["public", "*"], To = "bncr/shop:qq:1:2", Data = ["amount", "absent"] };
            account.Routes["10"] = new JujiRouteOptions { Topics = ["*"], To = "bncr:qq:everything:0" };
            account.Routes["9"] = new JujiRouteOptions { Events = ["asset.transfer.*"], To = "agent" };
        });
        var side = await lab.Community.NextConnectionAsync();
        await side.SendAsync(Push("juji/notification", "noise.x", null, "e"));
        await side.SendAsync(Push("governance/notification", "governance.vote", " DIRECT ", "e"));
        await side.SendAsync(Push("governance/notification", "governance.vote", "public", "e"));
        await side.SendAsync(Push("juji/notification", "asset", null, "asset.transfer.in"));
        await side.SendAsync(Push("juji/notification", "other", null, "e"));
        await lab.UntilAsync(static status => (long)status["pushes"]! == 3 && (long)status["unroutedPushes"]! == 2);
        Assert.Equal(
            [(new TargetOrigin("bncr", "shop", "qq:1:2"), "A title\nA message\namount: 5"), (new TargetOrigin("bncr", "", "qq:everything:0"), "A title\nA message")],
            lab.Notifier.Told.Select(static told => (told.Target, told.Text)));
        Assert.Equal("juji:main:asset", lab.Inbox.Accepted.Single().Message.SessionKey);
    }

    [Fact]
    public async Task DirectPush_TakesARouteThatListsIt()
    {
        await using var lab = await JujiLab.StartAsync((_, account) =>
        {
            account.Routes["1"] = new JujiRouteOptions { To = "bncr:public:1:2" };
            account.Routes["2"] = new JujiRouteOptions { Variants = ["direct"], To = "bncr:private:1:2", Data = ["secret"] };
        });
        var side = await lab.Community.NextConnectionAsync();
        await side.SendAsync(Push("governance/notification", "t", "direct", "e"));
        await Wait.UntilAsync(() => lab.Notifier.Told.Count == 1);
        Assert.Equal("private:1:2", lab.Notifier.Told.Single().Target.Target);
    }

    [Fact]
    public async Task Answer_GoesToTheRoutesTarget_ElseItIsKeptAndSentToNobody()
    {
        await using var lab = await JujiLab.StartAsync((_, account) =>
        {
            account.Routes["1"] = new JujiRouteOptions { Topics = ["told"], Answer = "bncr:qq:1:2" };
            account.Routes["2"] = new JujiRouteOptions();
        });
        var side = await lab.Community.NextConnectionAsync();
        await side.SendAsync(Push("juji/notification", "told", null, "e"));
        await side.SendAsync(Push("juji/notification", "kept", null, "e"));
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 2);
        foreach (var (message, _, _) in lab.Inbox.Accepted.ToList())
        {
            var turn = new AgentTurn(Guid.NewGuid(), message, 1);
            var ending = new TurnEnding { Turn = turn, Outcome = TurnOutcome.Completed, Replies = [new AgentReply("I think so: " + message.SessionKey)] };
            await ((IRecords)lab.Store).WriteAsync(await lab.Channel.EndAsync(ending, CancellationToken.None));
            lab.Channel.OnTurnEnded(turn, failed: false);
        }

        await Wait.UntilAsync(() => lab.Notifier.Told.Count == 1);
        var told = lab.Notifier.Told.Single();
        Assert.Equal("I think so: juji:main:told", told.Text);
        Assert.IsType<RecordDelete>(Assert.Single(told.Records!));
        var answers = (await lab.StatusAsync())["answers"]!.AsArray();
        Assert.Equal("I think so: juji:main:kept", (string)Assert.Single(answers)!["text"]!);
    }

    [Fact]
    public async Task Push_ThatFindsNoRoom_IsTriedUntilItIsTaken()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        var tries = 0;
        lab.Inbox.Before = () => Interlocked.Increment(ref tries) < 3 ? throw BridgeException.Busy("full", TimeSpan.FromMilliseconds(1)) : Task.CompletedTask;
        await side.SendAsync(Push("juji/notification", "t", null, "e"));
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 1);
        Assert.Equal(3, tries);
    }

    [Fact]
    public async Task Send_ToAMember_IsPosted_AndAckedByTheAnswer()
    {
        await using var lab = await JujiLab.StartAsync();
        await lab.Community.NextConnectionAsync();
        var target = await lab.Channel.ResolveTargetAsync("", "juji:17", CancellationToken.None);
        Assert.Equal(("main", "juji:main:to:17", "17"), (target.AccountId, target.SessionKey, target.Route));
        Assert.Equal(target, await lab.Channel.ResolveTargetAsync("main", target.SessionKey, CancellationToken.None));
        await Assert.ThrowsAsync<BridgeException>(async () => await lab.Channel.ResolveTargetAsync("", "juji:x", CancellationToken.None));
        var push = await lab.Outbox.AttachedAsync("main", "juji/main");
        var id = Guid.NewGuid();
        var message = new OutboundMessage { Channel = "juji", AccountId = "main", SessionKey = target.SessionKey, Route = target.Route, Text = "Hello" };
        Assert.Equal(PushOutcome.Flushed, await push!.PushAsync(new PushItem(id, 1, message, 0, 1), CancellationToken.None));
        var sent = lab.Community.Requests.Single(static request => request.Path == "/message/send").Body!;
        Assert.Equal("[17]", sent["agent_ids"]!.ToJsonString());
        Assert.Equal(("Hello", id.ToString("N")), ((string)sent["payload"]!["message"]!, (string)sent["payload"]!["push_id"]!));
        Assert.True(Assert.Single(lab.Outbox.Acks).Ok);
        lab.Community.Rest = static (context, _) =>
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        };
        await push.PushAsync(new PushItem(id, 1, message, 0, 2), CancellationToken.None);
        Assert.True(lab.Outbox.Acks.Last() is { Ok: false, Fatal: true });
    }

    private static JsonObject Push(string type, string topic, string? variant, string happened)
    {
        var push = new JsonObject { ["type"] = type, ["topic"] = topic, ["event"] = happened, ["title"] = "A title", ["message"] = "A message" };
        if (variant is not null) push["variant"] = variant;
        push["data"] = new JsonObject { ["amount"] = 5, ["secret"] = "s" };
        return push;
    }
}
