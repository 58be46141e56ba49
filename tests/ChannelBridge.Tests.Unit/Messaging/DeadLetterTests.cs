using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Messaging;

public sealed class DeadLetterTests
{
    [Fact]
    public async Task List_Show_Replay_SendsTheSameMessageUnderTheSameIdAtTheLanesEnd()
    {
        var (core, target, dead) = await WithDeadLettersAsync(1);
        var listed = await CallAsync(core, "deadLetters.list", new { reason = AccountOutbox.FatalAck });
        Assert.Equal(dead[0].ToString(), (string?)listed["entries"]![0]!["messageId"]);
        var shown = await CallAsync(core, "deadLetters.show", new { messageId = dead[0] });
        Assert.Equal("bad0", (string?)shown["message"]!["text"]);
        Assert.Single(shown["history"]!.AsArray());

        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "later"), "later");
        var later = (await target.WaitForAsync(1))[^1];
        var replayed = await CallAsync(core, "deadLetters.replay", new { messageIds = dead });
        Assert.Equal(1, (int)replayed["changed"]!);
        await core.AckAsync(later.Id);
        var again = (await target.WaitForAsync(1))[^1];
        Assert.Equal((dead[0], "bad0", 1), (again.Id, again.Message.Text, again.Attempt));
        Assert.True(again.Seq > later.Seq);
        Assert.Equal(AckResult.Acked, await core.AckAsync(again.Id));
        Assert.Equal(new Backlog(0, 0), core.Outbox.GetBacklog("test", "primary"));
        var audit = await CallAsync(core, "deadLetters.audit", new { });
        Assert.Equal(("replay", "tester (Local)"), ((string?)audit["entries"]![0]!["action"], (string?)audit["entries"]![0]!["by"]));
    }

    [Fact]
    public async Task Discard_DryRunChangesNothing_ThenRemovesAndRecordsWho()
    {
        var (core, _, dead) = await WithDeadLettersAsync(3);
        var dry = await CallAsync(core, "deadLetters.discard", new { all = true, dryRun = true });
        Assert.Equal((3, 0), ((int)dry["matched"]!, (int)dry["changed"]!));
        Assert.Equal(3, core.Outbox.GetBacklog("test", "primary").DeadLetter);
        var wet = await CallAsync(core, "deadLetters.discard", new { messageIds = dead.Take(2) });
        Assert.Equal(2, (int)wet["changed"]!);
        Assert.Equal(1, core.Outbox.GetBacklog("test", "primary").DeadLetter);
        Assert.Equal(2, (await CallAsync(core, "deadLetters.audit", new { }))["entries"]!.AsArray().Count);
    }

    /// <summary>A replay would send to a client what it says it has.</summary>
    [Theory]
    [InlineData(false, DeliveryState.Acked)]
    [InlineData(true, DeliveryState.Delivered)]
    public async Task LateAck_OfWhatTheHostGaveUp_IsNoDeadLetterAnyMore(bool delivered, DeliveryState state)
    {
        var core = await new CoreUnderTest(configure: options => options.DefaultDelivery = new DeliveryPolicy { MaxAttempts = 1 }).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "slow"), "slow");
        var item = (await target.WaitForAsync(1))[^1];
        await InboxTests.AdvanceUntilAsync(core, () => core.Outbox.GetBacklog("test", "primary") == new Backlog(0, 1));

        var ack = new Ack(item.Id, "test", "primary", Ok: true, Delivered: delivered);
        AckResult[] answers = [await core.Outbox.AckAsync(ack), await core.Outbox.AckAsync(ack)];
        Assert.Equal([AckResult.Acked, AckResult.AlreadyAckedOrMissing], answers);
        Assert.Equal(new Backlog(0, 0), core.Outbox.GetBacklog("test", "primary"));
        Assert.Equal(state, core.Store.Outbox()[0].State);
        Assert.Equal(0, (int)(await CallAsync(core, "deadLetters.replay", new { all = true }))["matched"]!);
    }

    [Fact]
    public async Task LateAck_OfWhatTheClientRefusedForGood_ChangesNothing()
    {
        var (core, _, dead) = await WithDeadLettersAsync(1);
        Assert.Equal(AckResult.AlreadyAckedOrMissing, await core.AckAsync(dead[0]));
        Assert.Equal(new Backlog(0, 1), core.Outbox.GetBacklog("test", "primary"));
    }

    /// <summary>A filter that is misspelt or empty would otherwise select everything.</summary>
    [Theory]
    [InlineData("""{"all":true,"olderThan":100000}""")]
    [InlineData("""{"accountId":"Primary","reasons":["expired"]}""")]
    [InlineData("""{"accountId":"Primary","route":""}""")]
    [InlineData("""{"route":" "}""")]
    [InlineData("""{"reason":"","all":true}""")]
    public async Task Selection_MisspeltOrEmptyFilter_IsRefused(string parameters)
    {
        var (core, _, _) = await WithDeadLettersAsync(2);
        foreach (var name in (string[])["deadLetters.replay", "deadLetters.discard", "deadLetters.prune"])
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, name, JsonNode.Parse(parameters)!));
            Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
        }

        Assert.Equal(2, core.Outbox.GetBacklog("test", "primary").DeadLetter);
    }

    [Fact]
    public async Task Age_OlderThanAnyClock_MatchesNothing()
    {
        var (core, _, _) = await WithDeadLettersAsync(2);
        Assert.Equal(0, (int)(await CallAsync(core, "deadLetters.prune", new { olderThanMs = long.MaxValue }))["matched"]!);
        Assert.Empty((await CallAsync(core, "outbox.list", new { olderThanMs = 100_000_000_000_000_000 }))["entries"]!.AsArray());
    }

    [Theory]
    [InlineData("outbox.list", """{"state":"dead"}""", 2)]
    [InlineData("outbox.list", """{"state":"acked"}""", 0)]
    [InlineData("outbox.list", """{"route":"","sessionKey":"","reason":"","channel":""}""", 2)]
    [InlineData("deadLetters.list", """{"states":["expired"]}""", 0)]
    [InlineData("deadLetters.list", """{"state":"dead"}""", 2)]
    [InlineData("deadLetters.list", """{"box":"inbox","state":"expired"}""", 0)]
    [InlineData("outbox.list", """{"states":["lost"]}""", null)]
    [InlineData("outbox.list", """{"state":"dead","states":["dead"]}""", null)]
    [InlineData("outbox.list", """{"box":"inbox"}""", null)]
    [InlineData("outbox.list", """{"status":"dead"}""", null)]
    [InlineData("deadLetters.list", """{"states":["acked"]}""", null)]
    public async Task List_Filters(string method, string parameters, int? found)
    {
        var (core, _, _) = await WithDeadLettersAsync(2);
        var call = CallAsync(core, method, JsonNode.Parse(parameters)!);
        if (found is { } count) Assert.Equal(count, (await call)["entries"]!.AsArray().Count);
        else Assert.Equal(ErrorCodes.InvalidRequest, (await Assert.ThrowsAsync<BridgeException>(() => call)).Code);
    }

    /// <summary>Ids are opaque to clients: one that can't be is as unknown as one that isn't.</summary>
    [Theory]
    [InlineData("outbox.get", """{"messageId":"nope"}""")]
    [InlineData("deadLetters.show", """{"messageId":"nope"}""")]
    [InlineData("deadLetters.discard", """{"messageIds":["nope"]}""")]
    public async Task UnknownId_IsNamedInTheError(string method, string parameters)
    {
        var (core, _, _) = await WithDeadLettersAsync(1);
        var fault = await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, method, JsonNode.Parse(parameters)!));
        Assert.Equal((ErrorCodes.NotFound, true), (fault.Code, fault.Message.Contains("'nope'", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Prune_TakesOnlyTheOld()
    {
        var (core, _, _) = await WithDeadLettersAsync(2);
        Assert.Equal(0, (int)(await CallAsync(core, "deadLetters.prune", new { olderThanMs = 3_600_000 }))["changed"]!);
        core.Time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(2, (int)(await CallAsync(core, "deadLetters.prune", new { olderThanMs = 3_600_000 }))["changed"]!);
    }

    [Theory]
    [InlineData("deadLetters.discard", "{}")]
    [InlineData("deadLetters.prune", "{\"all\":true}")]
    [InlineData("deadLetters.replay", "{\"all\":true,\"limit\":0}")]
    [InlineData("deadLetters.replay", "{\"messageIds\":[\"\"]}")]
    [InlineData("deadLetters.show", "{}")]
    [InlineData("deadLetters.list", "{\"cursor\":\"nonsense\"}")]
    [InlineData("deadLetters.list", "{\"limit\":100000}")]
    [InlineData("outbox.list", "{\"states\":[\"lost\"]}")]
    [InlineData("outbox.get", "{\"messageId\":7}")]
    public async Task BadInput_IsRefusedAndChangesNothing(string method, string parameters)
    {
        var (core, _, _) = await WithDeadLettersAsync(1);
        var error = await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, method, JsonDocument.Parse(parameters).RootElement));
        Assert.Equal(ErrorCodes.InvalidRequest, error.Code);
        Assert.Equal(1, core.Outbox.GetBacklog("test", "primary").DeadLetter);
    }

    [Fact]
    public async Task List_PagesByCursor_ShowsEachOnce()
    {
        var (core, _, dead) = await WithDeadLettersAsync(7);
        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = await CallAsync(core, "outbox.list", new { limit = 3, cursor, states = (string[])["dead"] });
            seen.AddRange(page["entries"]!.AsArray().Select(entry => (string)entry!["messageId"]!));
            cursor = (string?)page["nextCursor"];
        }
        while (cursor is not null);

        Assert.Equal(dead.Select(id => id.ToString()).Order(), seen.Order());
    }

    [Fact]
    public async Task Receipt_FollowsTheMessage()
    {
        var core = await new CoreUnderTest().StartAsync();
        var sent = await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        Assert.Equal("accepted", (string?)(await CallAsync(core, "outbox.get", new { messageId = sent.Id }))["state"]);
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await target.WaitForAsync(1);
        Assert.Equal("pushed", (string?)(await CallAsync(core, "outbox.get", new { messageId = sent.Id }))["state"]);
        await core.AckAsync(sent.Id);
        await core.Outbox.AckAsync(new Ack(sent.Id, "test", "primary", Ok: true, Delivered: true));
        var receipt = await CallAsync(core, "outbox.get", new { messageId = sent.Id });
        Assert.Equal("delivered", (string?)receipt["state"]);
        Assert.All((string[])["acceptedAt", "pushedAt", "ackedAt", "deliveredAt"], name => Assert.NotNull(receipt[name]));
    }

    [Fact]
    public async Task TokenLimitedToAccounts_SeesOnlyItsOwn()
    {
        var (core, _, dead) = await WithDeadLettersAsync(1);
        var stranger = new Caller("stranger", Scopes.All, Door.Local) { Accounts = new HashSet<string> { "other" } };
        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, "outbox.get", new { messageId = dead[0] }, stranger))).Code);
        Assert.Equal(ErrorCodes.Forbidden, (await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, "deadLetters.discard", new { all = true }, stranger))).Code);
        Assert.Equal(ErrorCodes.Forbidden, (await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, "outbox.list", new { accountId = "Primary" }, stranger))).Code);
    }

    [Fact]
    public async Task Events_TellSubscribersHowFarAMessageGot()
    {
        var core = await new CoreUnderTest().StartAsync();
        var watcher = new FakeConnection();
        await InvokeAsync(core.Hub.Methods.First(method => method.Name == "events.subscribe"), "{}", watcher);
        var target = new FakeTarget(core.Time) { OnPush = async item => await core.AckAsync(item.Id) };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        // The turn may have ended before the acceptance is told.
        await Wait.UntilAsync(() => watcher.Events.Any(e => e.Contains("\"acked\"", StringComparison.Ordinal))
            && watcher.Events.Any(e => e.StartsWith("inbox.accepted", StringComparison.Ordinal)));
        // Its ack is here before the push has returned; what is told goes forward nevertheless.
        var states = watcher.Events.Select(text => text.Contains("\"pushed\"", StringComparison.Ordinal) ? "pushed"
            : text.Contains("\"acked\"", StringComparison.Ordinal) ? "acked" : "");
        Assert.Equal(["pushed", "acked"], states.Where(state => state.Length > 0));
        Assert.DoesNotContain(watcher.Events, text => text.Contains("echo:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Inbox_GivenUpTurn_IsListedShownAndReplayedUnderItsId()
    {
        var refuses = true;
        var (core, target, dead) = await WithGivenUpTurnsAsync(Refusing(() => refuses), 2);
        var listed = await CallAsync(core, "deadLetters.list", new { box = "inbox", reason = ErrorCodes.InvalidRequest });
        Assert.Equal(dead, listed["entries"]!.AsArray().Select(entry => (string?)entry!["messageId"]));
        Assert.Equal(("inbox", "dead"), ((string?)listed["entries"]![0]!["box"], (string?)listed["entries"]![0]!["state"]));
        Assert.Empty((await CallAsync(core, "deadLetters.list", new { box = "inbox", reason = "OTHER" }))["entries"]!.AsArray());
        Assert.Empty((await CallAsync(core, "deadLetters.list", new { }))["entries"]!.AsArray());
        var first = await CallAsync(core, "deadLetters.list", new { box = "inbox", limit = 1 });
        Assert.Equal(dead[1], (string?)(await CallAsync(core, "deadLetters.list", new { box = "inbox", cursor = (string?)first["nextCursor"] }))["entries"]![0]!["messageId"]);
        Assert.Equal("q0", (string?)(await CallAsync(core, "deadLetters.show", new { messageId = dead[0] }))["inbound"]!["text"]);

        refuses = false;
        Assert.Equal(1, (int)(await CallAsync(core, "deadLetters.replay", new { messageIds = new[] { dead[0] } }))["changed"]!);
        var answer = (await target.WaitForAsync(1))[^1];
        Assert.Equal("answer to q0", answer.Message.Text);
        await core.AckAsync(answer.Id);
        Assert.Equal(0, (int)(await CallAsync(core, "deadLetters.replay", new { box = "inbox", sessionKey = "c0" }))["matched"]!);
        Assert.Equal(1, core.Backlogs.Of("test", "primary").InboxDead);
        Assert.Equal("replay", (string?)(await CallAsync(core, "deadLetters.audit", new { }))["entries"]![0]!["action"]);
    }

    [Fact]
    public async Task Inbox_GivenUpTurn_CanBeDiscardedButStaysADuplicate()
    {
        var (core, _, dead) = await WithGivenUpTurnsAsync(Refusing(() => true), 2);
        Assert.Equal(2, (int)(await CallAsync(core, "deadLetters.discard", new { box = "inbox", all = true, dryRun = true }))["matched"]!);
        Assert.Equal(2, (int)(await CallAsync(core, "deadLetters.discard", new { box = "inbox", all = true }))["changed"]!);
        Assert.Equal(0, core.Backlogs.Of("test", "primary").InboxDead);
        Assert.Equal(dead.Order(), (await CallAsync(core, "deadLetters.audit", new { }))["entries"]!.AsArray().Select(line => (string?)line!["messageId"]).Order());
        Assert.True((await core.AcceptAsync(CoreUnderTest.Message("c0", "q0", "refusing"))).Duplicate);
        await Assert.ThrowsAsync<BridgeException>(() => CallAsync(core, "deadLetters.list", new { box = "letterbox" }));
    }

    [Fact]
    public async Task Inbox_GivenUpTurn_GoesAfterItsRetentionWithALineAndARecord()
    {
        var (core, _, dead) = await WithGivenUpTurnsAsync(Refusing(() => true), 1);
        core.Time.Advance(core.Options.DeadLetterRetention + TimeSpan.FromHours(1));
        await core.Retention.EnforceAsync(CancellationToken.None);
        Assert.Contains(core.Log.Lines, line => line.Contains("Removed 1 unanswered messages of test/primary", StringComparison.Ordinal));
        Assert.Empty(await core.Store.ListDeadInboxAsync(null, 10, headersOnly: true));
    }

    private static async Task<(CoreUnderTest Core, FakeTarget Target, List<string> Dead)> WithGivenUpTurnsAsync(ScriptedAgent agent, int count)
    {
        var core = await new CoreUnderTest(agent: agent, configure: options => options.TurnFailureNotice = "").StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var ids = new List<string>();
        for (var number = 0; number < count; number++)
        {
            ids.Add((await core.AcceptAsync(CoreUnderTest.Message($"c{number}", $"q{number}", agent.Name))).Id.ToString());
            for (var wait = 0; wait < 6_000 && core.Store.Inbox().Any(entry => entry.State == TurnState.Pending); wait++) await Task.Delay(10);
            core.Time.Advance(TimeSpan.FromSeconds(1));
        }

        return (core, target, ids);
    }

    /// <summary>Fails for good while it is told to, else answers.</summary>
    private static ScriptedAgent Refusing(Func<bool> refuses) => new ScriptedAgent("refusing", (turn, _) => refuses()
        ? throw BridgeException.Invalid("no")
        : Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("answer to " + turn.Message.Text)])).Ready();

    private static async Task<(CoreUnderTest Core, FakeTarget Target, List<Guid> Dead)> WithDeadLettersAsync(int count)
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var dead = new List<Guid>();
        for (var number = 0; number < count; number++)
        {
            await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"bad{number}"), $"bad{number}");
            var item = (await target.WaitForAsync(1))[^1];
            await core.AckAsync(item.Id, ok: false, fatal: true);
            dead.Add(item.Id);
        }

        return (core, target, dead);
    }

    private static async Task<JsonNode> CallAsync(CoreUnderTest core, string name, object parameters, Caller? caller = null)
    {
        var routes = new RouteFilter(new Registry());
        var receipts = new ReceiptMethods(core.Store, core.Outbox, routes, new AccountNames(new Registry()), core.Time);
        var letters = new DeadLetterMethods(core.Store, core.Outbox, core.DeadMessages, receipts, routes, core.Options, core.Time, NullLogger<DeadLetterMethods>.Instance);
        var method = receipts.Methods.Concat(letters.Methods).Single(candidate => candidate.Name == name);
        return await InvokeAsync(method, JsonSerializer.Serialize(parameters), new FakeConnection(caller));
    }

    private static async Task<JsonNode> InvokeAsync(RpcMethod method, string parameters, IClientConnection connection)
    {
        var output = new ArrayBufferWriter<byte>();
        await method.InvokeAsync(Encoding.UTF8.GetBytes(parameters), new MethodCall(connection), output, CancellationToken.None);
        return JsonNode.Parse(output.WrittenSpan)!;
    }

    private sealed class FakeConnection(Caller? caller = null) : IClientConnection
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _events = new();

        public IEnumerable<string> Events => _events;

        public string Id { get; } = Guid.NewGuid().ToString();

        public Caller Caller => caller ?? new Caller("tester", Scopes.All, Door.Local);

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => DateTimeOffset.UnixEpoch;

        public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
        {
            _events.Enqueue(eventName + " " + Encoding.UTF8.GetString(payload.Span));
            return ValueTask.FromResult(PushOutcome.Flushed);
        }
    }
}
