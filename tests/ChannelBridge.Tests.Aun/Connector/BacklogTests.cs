using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>What a gateway hands over reaches the agent once and in order, whatever the gateway does.</summary>
public sealed class BacklogTests
{
    private static JsonObject Text(string text) => new() { ["type"] = "text", ["text"] = text };

    [Fact]
    public async Task Backlog_OfMoreThanAPage_IsPulledWithoutAHole_AndAckedAfterwards()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway =>
        {
            for (var i = 1; i <= 450; i++) gateway.AddAsync(ConnectorLab.Aid, Text($"m{i}"), push: false).GetAwaiter().GetResult();
        });

        await Wait.UntilAsync(() => lab.Gateway.Acked == 450);
        Assert.Equal(Enumerable.Range(1, 450).Select(i => $"m{i}"), lab.Inbox.Texts);
    }

    [Fact]
    public async Task Pushes_AreTakenInOrder_AndDoubledOnesOnce()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        for (var i = 1; i <= 20; i++)
        {
            var message = await lab.Gateway.AddAsync(ConnectorLab.Aid, Text($"m{i}"));
            await lab.Gateway.PushAsync(ConnectorLab.Aid, message);
        }

        await Wait.UntilAsync(() => lab.Gateway.Acked == 20);
        await lab.UntilAsync(status => (long)status["duplicates"]! == 20);
        Assert.Equal(Enumerable.Range(1, 20).Select(i => $"m{i}"), lab.Inbox.Texts);
    }

    [Fact]
    public async Task AHole_HoldsUpWhatIsBehindIt_UntilTheGatewaySaysThatItWontCome()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway => gateway.ServerAckSeq = 0);
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m1"));
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m4"), seq: 4);

        await lab.UntilAsync(status => (long?)status["missingFrom"] == 2 && (long?)status["missingTo"] == 3);
        Assert.Equal(["m1"], lab.Inbox.Texts);
        lab.Gateway.ServerAckSeq = 3;

        await lab.UntilAsync(status => (long)status["seq"]! == 4 && status["missingFrom"] is null);
        Assert.Equal(["m1", "m4"], lab.Inbox.Texts);
        var status = await lab.StatusAsync();
        Assert.Equal(2, (long)status["holesPassed"]!);
    }

    [Fact]
    public async Task AHole_ThatIsFilledByAPush_LetsWhatIsBehindItThrough()
    {
        await using var lab = await ConnectorLab.StartAsync(before: gateway => gateway.ServerAckSeq = 0);
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m2"), seq: 2);
        await lab.UntilAsync(status => (long?)status["missingFrom"] == 1);
        await lab.Gateway.PushAsync(ConnectorLab.Aid, new JsonObject
        {
            ["message_id"] = "first",
            ["from"] = "alice.example.org",
            ["to"] = ConnectorLab.Aid,
            ["seq"] = 1,
            ["payload"] = Text("m1"),
        });

        await lab.UntilAsync(status => (long)status["seq"]! == 2);
        Assert.Equal(["m1", "m2"], lab.Inbox.Texts);
    }

    [Fact]
    public async Task NumbersThatGoBack_AreReadFromTheBeginning_AndNothingIsTakenTwice()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        for (var i = 1; i <= 5; i++) await lab.Gateway.AddAsync(ConnectorLab.Aid, Text($"m{i}"), id: $"id{i}");
        await Wait.UntilAsync(() => lab.Gateway.Acked == 5);

        // The gateway has lost its log: it counts anew, and has one of the old messages and two new ones.
        lab.Gateway.Logs.Clear();
        lab.Gateway.ServerAckSeq = 0;
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m5"), id: "id5", push: false);
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m6"), id: "id6", push: false);
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m7"), id: "id7", push: false);
        await lab.Gateway.CloseAsync(ConnectorLab.Aid);

        await lab.UntilAsync(status => (long)status["seq"]! == 3 && (long)status["wentBack"]! == 1);
        Assert.Equal(["m1", "m2", "m3", "m4", "m5", "m6", "m7"], lab.Inbox.Texts);
    }

    [Fact]
    public async Task ARestart_GoesOnFromTheStoredNumber()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m1"));
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 1);
        await lab.StopAsync();
        lab.Gateway.ServerAckSeq = 0;
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m2"), push: false);
        var before = lab.Gateway.Calls.Count;

        await lab.BeginAsync();
        await Wait.UntilAsync(() => lab.Inbox.Accepted.Count == 2);
        Assert.Equal(1, (long)lab.Gateway.Calls.Skip(before).First(call => call.Method == "message.pull").Params["after_seq"]!);
        Assert.Equal(["m1", "m2"], lab.Inbox.Texts);
    }

    [Fact]
    public async Task Nothing_IsAcked_BeforeItIsAccepted()
    {
        await using var lab = await ConnectorLab.StartAsync();
        var accepting = new TaskCompletionSource();
        var asked = new TaskCompletionSource();
        lab.Inbox.Before = () =>
        {
            asked.TrySetResult();
            return accepting.Task;
        };
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("m1"));
        await asked.Task.WaitAsync(Wait.Limit);
        Assert.DoesNotContain("message.ack", lab.Gateway.Methods);
        accepting.SetResult();

        await Wait.UntilAsync(() => lab.Gateway.Acked == 1);
    }

    [Fact]
    public async Task WhatIsForOthers_OrNoMessage_IsPassedOver_AndCounted()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("own"), from: ConnectorLab.Aid);
        var other = await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("other device"), push: false);
        other["device_id"] = "another";
        await lab.Gateway.PushAsync(ConnectorLab.Aid, other);
        var broken = await lab.Gateway.AddAsync(ConnectorLab.Aid, Text("broken"), push: false);
        broken["payload"] = "a text";
        await lab.Gateway.PushAsync(ConnectorLab.Aid, broken);
        await lab.Gateway.EventAsync(ConnectorLab.Aid, "message.received", new JsonObject { ["seq"] = "x", ["from"] = 7 });
        await lab.Gateway.AddAsync(ConnectorLab.Aid, new JsonObject { ["type"] = "image", ["url"] = "https://example.org/a.png" });

        await lab.UntilAsync(status => (long)status["seq"]! == 4 && (long)status["refused"]! == 2);
        Assert.Equal(["""{"type":"image","url":"https://example.org/a.png"}"""], lab.Inbox.Texts);
        var status = await lab.StatusAsync();
        Assert.Equal(2, (long)status["notForUs"]!);
        Assert.All(status["receipts"]!.AsArray(), receipt => Assert.Equal("dead", (string)receipt!["state"]!));
    }

    [Fact]
    public async Task WithoutNumbersAndIds_AsInTheQuickStart_MessagesAreTakenByTheirContent()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        var bare = new JsonObject { ["from"] = "alice.example.org", ["to"] = ConnectorLab.Aid, ["payload"] = Text("Hello") };
        await lab.Gateway.PushAsync(ConnectorLab.Aid, bare);
        await lab.Gateway.PushAsync(ConnectorLab.Aid, bare);

        await lab.UntilAsync(status => (long)status["accepted"]! == 1 && (long)status["duplicates"]! == 1);
    }

    [Fact]
    public void AnyOrderOfPushes_WithDoubledAndMissingOnes_IsDeliveredOnceAndInOrder()
    {
        var seeds = Gen.Choose(0, int.MaxValue).ToArbitrary();
        Prop.ForAll(seeds, seed => RunAsync(seed).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(10));

        static async Task<bool> RunAsync(int seed)
        {
            var random = new Random(seed);
            await using var lab = await ConnectorLab.StartAsync();
            await lab.ConnectedAsync();
            var messages = new List<JsonObject>();
            for (var i = 1; i <= 30; i++) messages.Add(await lab.Gateway.AddAsync(ConnectorLab.Aid, Text($"m{i}"), push: false));
            // Pushed in any order, some twice, some never, with a broken connection in between; the log has them all.
            foreach (var message in messages.Concat(messages).OrderBy(_ => random.Next()).Where(_ => random.Next(3) > 0))
            {
                await lab.Gateway.PushAsync(ConnectorLab.Aid, message);
                if (random.Next(20) == 0) await lab.Gateway.CloseAsync(ConnectorLab.Aid);
            }

            await lab.ConnectedAsync();
            await Wait.UntilAsync(async () =>
            {
                await lab.Gateway.PushAsync(ConnectorLab.Aid, messages[^1]);
                return lab.Gateway.Acked == 30;
            });
            return lab.Inbox.Texts.SequenceEqual(Enumerable.Range(1, 30).Select(i => $"m{i}"));
        }
    }
}
