using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Channels.Juji.Endpoint;
using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>The endpoint before its members: who is let in, what is counted, and calls beside each other.</summary>
public sealed class MemberTests
{
    private static IPAddress Address(int number) => new([20, 0, (byte)(number / 250), (byte)(number % 250)]);

    [Theory]
    [InlineData("another key")]
    [InlineData("another id")]
    [InlineData("too old")]
    [InlineData("too early")]
    [InlineData("63 bytes")]
    [InlineData("65 bytes")]
    [InlineData("no signature")]
    [InlineData("another token")]
    public async Task Login_ThatIsWrong_IsClosedWith4401_AndCountedForItsAddressAndAgent(string what)
    {
        using var lab = new EndpointLab();
        using var key = IdentityKey.Create();
        using var other = IdentityKey.Create();
        var (id, token) = await lab.RegisterAsync(key);
        var at = what switch { "too old" => lab.Now - 301, "too early" => lab.Now + 301, _ => lab.Now };
        var good = AgentKeys.Sign(key, id, at);
        var signature = what switch
        {
            "another key" => AgentKeys.Sign(other, id, at),
            "another id" => AgentKeys.Sign(key, id + 1, at),
            "63 bytes" => good[..126],
            "65 bytes" => good + "00",
            "no signature" => "",
            _ => good,
        };
        var peer = lab.Open($"?agent_id={id}&token={(what == "another token" ? "x" : token)}&ts={at}&sig={signature}", Address(1));
        Assert.Equal(4401, await peer.ClosedWithAsync());
        Assert.Equal([Community.SessionKeyOf(id)], peer.Failures);
        Assert.Null(peer.Caller);
        for (var i = 0; i < 10; i++) await lab.Open($"?agent_id={id}&token={token}&ts={at}&sig=", Address(1)).ClosedWithAsync();
        Assert.Equal(ErrorCodes.RateLimited, lab.Attempts.Check(Address(1), null)?.Code);
        Assert.Equal(ErrorCodes.RateLimited, lab.Attempts.Check(Address(2), Community.SessionKeyOf(id))?.Code);
    }

    [Fact]
    public async Task AThousandBadLogins_FromOneAddressOrFromAThousand_AreLimited_AndTheOwnerGetsIn()
    {
        using var lab = new EndpointLab();
        using var key = IdentityKey.Create();
        var (id, token) = await lab.RegisterAsync(key);
        // Under a thousand names from one address, then under one name from a thousand addresses.
        for (var i = 0; i < 1000; i++) await lab.Open($"?agent_id={1000 + i}&token=x", Address(1)).ClosedWithAsync();
        Assert.Equal(1013, await lab.Open("?agent_id=5000&token=x", Address(1)).ClosedWithAsync());
        Assert.Equal(4401, await lab.Open("?agent_id=5000&token=x", Address(2)).ClosedWithAsync());
        for (var i = 0; i < 1000; i++) await lab.Open($"?agent_id={id}&token=x", Address(10 + i)).ClosedWithAsync();
        Assert.Equal(1013, await lab.Open($"?agent_id={id}&token=x", Address(3)).ClosedWithAsync());

        // The right one is never refused for what others do, wherever it comes from.
        var owner = lab.Open(lab.Query(id, token, key), Address(1));
        Assert.Equal(id, (long)JsonNode.Parse(await owner.HearAsync())!["agent_id"]!);
        lab.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(4401, await lab.Open($"?agent_id={id}&token=x", Address(1)).ClosedWithAsync());
    }

    [Fact]
    public async Task Calls_BeyondTheBound_WaitForOneThatEnds_AndAnswersCarryTheirIds()
    {
        var slow = new SlowAction();
        using var lab = new EndpointLab(slow);
        var (id, peer) = await lab.ConnectAsync("w");
        for (var i = 0; i < AgentConnection.MostAtOnce + 3; i++) peer.Say(Call(id, $"u{i}", "test/slow"));
        await slow.BegunAsync(AgentConnection.MostAtOnce);
        // One more is read and waits for its place; no other is taken before.
        await Wait.UntilAsync(() => peer.Taken == AgentConnection.MostAtOnce + 1);
        Assert.Equal(AgentConnection.MostAtOnce, slow.Begun);
        slow.End("u7");
        Assert.Equal("u7", (string?)JsonNode.Parse(await peer.HearAsync())!["u_id"]);
        await slow.BegunAsync(AgentConnection.MostAtOnce + 1);
        await Wait.UntilAsync(() => peer.Taken == AgentConnection.MostAtOnce + 2);
        slow.EndAll();
        var rest = new HashSet<string>();
        for (var i = 0; i < AgentConnection.MostAtOnce + 2; i++) rest.Add((string)JsonNode.Parse(await peer.HearAsync())!["u_id"]!);
        Assert.Equal(AgentConnection.MostAtOnce + 2, rest.Count);
        Assert.DoesNotContain("u7", rest);
    }

    [Fact]
    public async Task TheSameId_WhileItsAnswerIsBeingMade_AlsoFromTheNextConnection_IsOneCall()
    {
        var slow = new SlowAction();
        using var lab = new EndpointLab(slow);
        var (id, token) = await lab.RegisterAsync(wallet: "w");
        var first = lab.Open($"?agent_id={id}&token={token}");
        await first.HearAsync();
        first.Say(Call(id, "u1", "test/slow"));
        await slow.BegunAsync(1);
        first.Close();
        var second = lab.Open($"?agent_id={id}&token={token}");
        await second.HearAsync();
        second.Say(Call(id, "u1", "skills/list"));
        // Read before anything is answered: the pong of the ping behind it says so.
        second.Say("ping");
        Assert.Equal("""{"type":"pong"}""", await second.HearAsync());
        slow.End("u1");
        var answer = JsonNode.Parse(await second.HearAsync())!;
        Assert.Equal(("u1", "slow", "success"), ((string?)answer["u_id"], (string?)answer["content"], (string?)answer["status"]));
        second.Say(Call(id, "u1", "test/slow"));
        Assert.Equal(answer.ToJsonString(), JsonNode.Parse(await second.HearAsync())!.ToJsonString());
        Assert.Equal(1, slow.Begun);
    }

    [Fact]
    public async Task AnActionThatTakesTooLong_IsAnsweredWithAnError()
    {
        var slow = new SlowAction();
        using var lab = new EndpointLab(slow);
        var (id, peer) = await lab.ConnectAsync("w");
        peer.Say(Call(id, "u1", "test/slow"));
        await slow.BegunAsync(1);
        lab.Time.Advance(TimeSpan.FromSeconds(111));
        var answer = JsonNode.Parse(await peer.HearAsync())!;
        Assert.Equal(("u1", "error", "test/slow took longer than 110 s"), ((string?)answer["u_id"], (string?)answer["status"], (string?)answer["content"]!["error"]));
    }

    [Fact]
    public async Task Broadcast_LeavesOutWhoUnsubscribed_AndADirectedPushDoesNot()
    {
        using var lab = new EndpointLab();
        var ids = new List<long>();
        for (var i = 0; i < 5; i++) ids.Add((await lab.RegisterAsync(wallet: $"w{i}")).Id);
        // The host's own agent is a member, but not one that connects.
        await lab.Book.OwnAsync(CancellationToken.None);
        await lab.Subscriptions.SetAsync(ids[0], "task.published", wanted: false, CancellationToken.None);
        await lab.Subscriptions.SetAsync(ids[1], "content.published", wanted: false, CancellationToken.None);
        await lab.Subscriptions.SetAsync(ids[2], "content.published", wanted: false, CancellationToken.None);
        await lab.Subscriptions.SetAsync(ids[2], "content.published", wanted: true, CancellationToken.None);
        await lab.Community.BroadcastAsync(new JsonObject { ["topic"] = "content.published" }, "k1", except: ids[4]);
        Assert.Equal([ids[0], ids[2], ids[3]], Told());
        lab.Outbox.Sent.Clear();
        await lab.Community.SendAsync([ids[1], 99], new JsonObject { ["topic"] = "content.published" }, "k2");
        Assert.Equal([ids[1]], Told());

        IEnumerable<long> Told() => lab.Outbox.Sent.Select(static sent => long.Parse(sent.Message.Route, CultureInfo.InvariantCulture)).Order();
    }

    [Theory]
    [InlineData("""{"type":"x","data":{"push_id":"inner"}}""", """{"type":"x","data":{"push_id":"inner"},"push_id":"00112233445566778899aabbccddeeff"}""")]
    [InlineData("""{"push_id":"own","a":["push_id"]}""", """{"push_id":"own","a":["push_id"]}""")]
    [InlineData("""{"a":"治 \u5149 😀"}""", """{"a":"治 \u5149 😀","push_id":"00112233445566778899aabbccddeeff"}""")]
    [InlineData("{}", """{"push_id":"00112233445566778899aabbccddeeff"}""")]
    public void Push_GetsItsIdBehindTheRest_UnlessItHasOne(string push, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(Community.Identified(push, Guid.ParseExact("00112233445566778899aabbccddeeff", "N")).Span));

    private static string Call(long agentId, string id, string action) => new JsonObject
    {
        ["agent_id"] = agentId,
        ["u_id"] = id,
        ["params"] = new JsonObject { ["action"] = action, ["params"] = new JsonObject() },
    }.ToJsonString();

    /// <summary>An action whose calls end when a test says so.</summary>
    private sealed class SlowAction : IJujiAction
    {
        private readonly Dictionary<string, TaskCompletionSource> _running = [];
        private bool _all;

        public string Name => "test/slow";

        public JsonNode ParametersSchema { get; } = new JsonObject();

        public int Begun
        {
            get { lock (_running) return _running.Count; }
        }

        public async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
        {
            var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_running)
            {
                _running.Add(call.RequestId, end);
                if (_all) end.SetResult();
            }

            await end.Task;
            return "slow";
        }

        public Task BegunAsync(int count) => Wait.UntilAsync(() => Begun == count);

        public void End(string id)
        {
            lock (_running) _running[id].SetResult();
        }

        public void EndAll()
        {
            lock (_running)
            {
                _all = true;
                foreach (var end in _running.Values) end.TrySetResult();
            }
        }
    }
}
