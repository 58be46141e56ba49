using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Integration;

/// <summary>The community's side in the real host, before members written from the protocol's text, and before the connector of another host; either side killed.</summary>
public sealed class JujiEndpointTests
{
    [Fact]
    public async Task Member_RegistersConnectsAndCalls()
    {
        await using var host = await StartAsync();
        using var member = await Member.RegisterAsync(host, "one");
        using var other = await Member.RegisterAsync(host, "two");
        Assert.Equal($$"""{"type":"connected","agent_id":{{member.Id}}}""", await member.ConnectAsync());
        await member.SayAsync("ping");
        Assert.Equal("""{"type":"pong"}""", await member.HearAsync());
        await member.SayAsync("{}");
        Assert.Equal("""{"type":"pong"}""", await member.HearAsync());

        var agents = await member.CallAsync("agent/list", []);
        Assert.Equal(["one", "two"], agents["content"]!.AsArray().Select(static agent => (string)agent!["name"]!));
        Assert.DoesNotContain("token", agents.ToJsonString(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("two", (string)(await member.CallAsync("agent/get", new JsonObject { ["agent_id"] = other.Id }))["content"]!["name"]!);
        Assert.Equal("there is no such agent", (string)(await member.CallAsync("agent/get", new JsonObject { ["agent_id"] = 99 }))["content"]!["error"]!);
        Assert.Equal("error", (string)(await member.CallAsync("no/such", []))["status"]!);

        // The identity is the connection's, whatever the parameters say.
        var set = await member.CallAsync("notification/subscription/set", new JsonObject { ["topic"] = "content.published", ["subscribed"] = false, ["agent_id"] = other.Id });
        Assert.Equal(member.Id, (long)set["content"]!["agent_id"]!);
        Assert.Equal("error", (string)(await member.CallAsync("notification/subscription/set", new JsonObject { ["topic"] = "none", ["subscribed"] = false }))["status"]!);
        Assert.Single((await member.CallAsync("notification/subscription/list", []))["content"]!["subscriptions"]!.AsArray());

        // What is offered over HTTP and over the connection is the same.
        var capabilities = await host.GetAsync("/juji/message/capabilities");
        Assert.Equal(capabilities.ToJsonString(), (await member.CallAsync("community/capabilities", []))["content"]!.ToJsonString());
        Assert.Equal(
            (await host.GetAsync("/juji/message/actions"))["actions"]!.AsArray().Select(static action => (string)action!),
            capabilities["websocket"]!["actions"]!.AsArray().Select(static action => (string)action!["action"]!));
        Assert.Contains("/message/send", (await host.GetAsync("/juji/openapi.json"))["paths"]!.AsObject().Select(static path => path.Key));
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client().GetAsync("/juji/message/channels")).StatusCode);
        Assert.Equal(0, await host.StopAsync());
        foreach (var said in new[] { host.Output, host.Errors }) Assert.DoesNotContain(member.Token, said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BadInput_IsAnsweredById_AndTheConnectionGoesOn()
    {
        await using var host = await StartAsync();
        using var member = await Member.RegisterAsync(host, "one");
        await member.ConnectAsync();
        foreach (var wrong in new[] { "no json", "[1]", "\"x\"", new string('[', 100), """{"agent_id":1}""", new string(' ', 2 << 20) + "1" })
        {
            await member.SayAsync(wrong);
            var answer = JsonNode.Parse(await member.HearPushAsync())!;
            Assert.Equal(("error", null), ((string)answer["status"]!, (string?)answer["u_id"]));
        }

        await member.SayAsync($$$$"""{"agent_id":{{{{member.Id + 1}}}},"u_id":"u1","params":{"action":"agent/list","params":{}}}""");
        var other = JsonNode.Parse(await member.HearPushAsync())!;
        Assert.Equal(("error", "u1"), ((string)other["status"]!, (string)other["u_id"]!));

        // The same u_id is the same call, whatever it asks for the second time.
        await member.SayAsync($$$$"""{"agent_id":{{{{member.Id}}}},"u_id":"u2","params":{"action":"skills/list","params":{}}}""");
        var first = await member.HearPushAsync();
        await member.SayAsync($$$$"""{"agent_id":{{{{member.Id}}}},"u_id":"u2","params":{"action":"agent/list","params":{}}}""");
        Assert.Equal(first, await member.HearPushAsync());
        Assert.Contains("\"success\"", first, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BadLogins_AreClosedWith4401_AndTheGoodOneGetsIn()
    {
        await using var host = await StartAsync();
        using var member = await Member.RegisterAsync(host, "one");
        Assert.Equal(4401, await member.RefusedAsync(token: "wrong"));
        Assert.Equal(4401, await member.RefusedAsync(signature: new string('0', 128)));
        // Loopback isn't limited, but the name is; whoever has the right token and key comes in all the same.
        var codes = new List<int>();
        while (codes.Count < 200 && !codes.Contains(1013)) codes.Add(await member.RefusedAsync(token: "wrong"));
        Assert.Equal(1013, codes[^1]);
        Assert.All(codes.SkipLast(1), static code => Assert.Equal(4401, code));
        Assert.Equal(4401, await member.Again(member.Id + 1).RefusedAsync());
        Assert.StartsWith("""{"type":"connected""", await member.ConnectAsync(), StringComparison.Ordinal);

        var more = new List<Member>();
        try
        {
            for (var i = 0; i < 3; i++)
            {
                more.Add(member.Again());
                await more[^1].ConnectAsync();
            }

            using var tooMany = member.Again();
            Assert.Equal(1013, await tooMany.RefusedAsync());
        }
        finally
        {
            foreach (var one in more) one.Dispose();
        }
    }

    [Fact]
    public async Task Pushes_WaitForWhoIsAway_OverAKill_AndAreToldOnce()
    {
        var host = await StartAsync();
        var data = host.Data;
        using var sender = await Member.RegisterAsync(host, "sender");
        using var receiver = await Member.RegisterAsync(host, "receiver");
        await sender.ConnectAsync();
        var sent = await sender.CallAsync("message/send", new JsonObject
        {
            ["agent_ids"] = new JsonArray(receiver.Id, 99),
            ["payload"] = new JsonObject { ["type"] = "x", ["message"] = "first", ["from_agent_id"] = 12345 },
        });
        Assert.Equal($$"""{"accepted":[{{receiver.Id}}],"unknown":[99]}""", sent["content"]!.ToJsonString());
        await host.KillAsync();
        await host.DisposeAsync();

        await using var next = await StartAsync(data: data);
        receiver.Move(next);
        await receiver.ConnectAsync();
        var push = JsonNode.Parse(await receiver.HearPushAsync())!;
        Assert.Equal(("first", sender.Id), ((string)push["message"]!, (long)push["from_agent_id"]!));

        // By HTTP, with a token, and the same again under its own id.
        using var http = next.Client(authorized: true);
        for (var i = 0; i < 2; i++)
        {
            var answer = await http.PostAsJsonAsync("/juji/message/send", new JsonObject
            {
                ["agent_ids"] = new JsonArray(receiver.Id),
                ["payload"] = new JsonObject { ["type"] = "x", ["message"] = "second", ["push_id"] = "p2" },
            });
            answer.EnsureSuccessStatusCode();
        }

        using var nobody = next.Client();
        Assert.Equal(HttpStatusCode.Unauthorized, (await nobody.PostAsJsonAsync("/juji/message/send", new JsonObject())).StatusCode);
        push = JsonNode.Parse(await receiver.HearPushAsync())!;
        Assert.Equal(("second", "p2"), ((string)push["message"]!, (string)push["push_id"]!));

        // An operator writes to a member as to anybody.
        await using var client = new WireClient();
        await client.ConnectAsync(next.WebSocketUrl, next.Token);
        await client.CallAsync("send", new JsonObject { ["channel"] = "juji-endpoint", ["to"] = $"{receiver.Id}", ["message"] = "third", ["idempotencyKey"] = "k3" });
        push = JsonNode.Parse(await receiver.HearPushAsync())!;
        Assert.Equal(("agent/message", "third"), ((string)push["type"]!, (string)push["message"]!));
    }

    [Fact]
    public async Task HostsAgent_IsAMember_AndAnswersWhoWritesToIt()
    {
        await using var host = await StartAsync("CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__AGENT=echo");
        using var member = await Member.RegisterAsync(host, "one");
        await member.ConnectAsync();
        var own = (long)(await host.GetAsync("/juji/message/capabilities"))["host_agent_id"]!;
        await member.CallAsync("message/send", new JsonObject { ["agent_ids"] = new JsonArray(own), ["payload"] = new JsonObject { ["message"] = "/stop hello" } });
        Assert.Equal("echo: /stop hello", (string)JsonNode.Parse(await member.HearPushAsync())!["message"]!);
        Assert.Equal(4401, await member.Again(own).RefusedAsync());
    }

    [Fact]
    public async Task Skill_IsHandedOut()
    {
        await using var host = await StartAsync();
        using var http = host.Client();
        var raw = await http.GetStringAsync("/juji/skills/juji/download?format=raw");
        Assert.Contains($"JUJI_BASE_URL={host.Url.GetLeftPart(UriPartial.Authority)}/juji", raw, StringComparison.Ordinal);
        using var archive = new ZipArchive(await http.GetStreamAsync("/juji/skills/juji/download?format=zip"));
        Assert.Equal(["juji/SKILL.md", "juji/scripts/juji.sh"], archive.Entries.Select(static entry => entry.FullName));
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/juji/skills/other")).StatusCode);
    }

    /// <summary>Calls and pushes of two hosts, while one and then the other is killed again and again: every call is answered, every push comes once.</summary>
    [Fact]
    public async Task Connector_BeforeTheEndpoint_EitherSideKilled()
    {
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_ROUNDS"), out var asked) ? asked : 4;
        var heard = new HashSet<string>();
        var endpoint = await StartAsync();
        var connector = await ConnectAsync(endpoint.Url, HostProcess.NewDataFolder());
        try
        {
            using var sender = await Member.RegisterAsync(endpoint, "sender");
            var member = await IdAsync(connector);
            for (var round = 0; round < rounds; round++)
            {
                using var http = endpoint.Client(authorized: true);
                (await http.PostAsJsonAsync("/juji/message/send", new JsonObject
                {
                    ["agent_ids"] = new JsonArray(member),
                    ["payload"] = new JsonObject { ["type"] = "juji/notification", ["topic"] = "round", ["message"] = $"push {round}" },
                })).EnsureSuccessStatusCode();
                await using var client = new WireClient();
                await client.ConnectAsync(connector.WebSocketUrl, connector.Token);
                await NoteAsync(client);
                if (round % 2 == 0)
                {
                    var call = client.CallAsync("juji.call", new JsonObject { ["action"] = "agent/list" });
                    var (data, port) = (endpoint.Data, endpoint.Url);
                    await endpoint.KillAsync();
                    await endpoint.DisposeAsync();
                    endpoint = await StartAsync(data: data, url: port.GetLeftPart(UriPartial.Authority));
                    Assert.Equal(2, (await call)["result"]!.AsArray().Count);
                }
                else
                {
                    var data = connector.Data;
                    await connector.KillAsync();
                    await connector.DisposeAsync();
                    connector = await ConnectAsync(endpoint.Url, data);
                }
            }

            await using var last = new WireClient();
            await last.ConnectAsync(connector.WebSocketUrl, connector.Token);
            await Wait.UntilAsync(async () => await NoteAsync(last) == rounds, "every push has come");
            Assert.Equal(Enumerable.Range(0, rounds).Select(static round => $"push {round}").Order(StringComparer.Ordinal), heard.Order(StringComparer.Ordinal));
        }
        finally
        {
            await connector.DisposeAsync();
            await endpoint.DisposeAsync();
        }

        // The status shows the last answers only, so they are looked at in each round.
        async Task<int> NoteAsync(WireClient client)
        {
            var answers = await AnswersAsync(client);
            Assert.Equal(answers.Count, answers.Distinct().Count());
            heard.UnionWith(answers);
            return heard.Count;
        }
    }

    private static async Task<List<string>> AnswersAsync(WireClient client) =>
    [
        .. (await client.CallAsync("juji.status", []))["accounts"]![0]!["answers"]!.AsArray().Select(static answer => ((string)answer!["text"]!).Split('\n')[1]),
    ];

    private static async Task<long> IdAsync(HostProcess connector)
    {
        await using var client = new WireClient();
        await client.ConnectAsync(connector.WebSocketUrl, connector.Token);
        long id = 0;
        await Wait.UntilAsync(async () => (id = (long?)(await client.CallAsync("juji.status", []))["accounts"]![0]!["agentId"] ?? 0) > 0, "the connector has registered");
        return id;
    }

    private static Task<HostProcess> ConnectAsync(Uri endpoint, string data) => HostProcess.StartAsync(data, environment: new Dictionary<string, string>
    {
        ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__BASEURL"] = endpoint.GetLeftPart(UriPartial.Authority) + "/juji",
        ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__ENVFILE"] = Path.Combine(data, "juji.env"),
        ["CHANNELBRIDGE__CHANNELS__JUJI__RECONNECTBASEDELAY"] = "100ms",
        ["CHANNELBRIDGE__CHANNELS__JUJI__RECONNECTMAXDELAY"] = "1s",
    });

    private static Task<HostProcess> StartAsync(string? setting = null, string? data = null, string url = "http://127.0.0.1:0")
    {
        var environment = new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__ENABLED"] = "true",
            ["CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__SETTLETIME"] = "100ms",
        };
        if (setting?.Split('=', 2) is [var name, var value]) environment[name] = value;
        return HostProcess.StartAsync(data, url: url, environment: environment);
    }
}

/// <summary>Requests to a host.</summary>
internal static class JujiHost
{
    public static HttpClient Client(this HostProcess host, bool authorized = false)
    {
        var client = new HttpClient { BaseAddress = host.Url };
        if (authorized) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Token);
        return client;
    }

    public static async Task<JsonNode> GetAsync(this HostProcess host, string path)
    {
        using var client = host.Client();
        return JsonNode.Parse(await client.GetStringAsync(path))!;
    }
}

/// <summary>A member of the community, written from the protocol's text.</summary>
internal sealed class Member : IDisposable
{
    private readonly IdentityKey _key;
    private Uri _url;
    private ClientWebSocket _socket = new();
    private int _calls;

    private Member(Uri url, IdentityKey key, long id, string token)
    {
        _url = url;
        _key = key;
        Id = id;
        Token = token;
    }

    public long Id { get; }

    public string Token { get; }

    public static async Task<Member> RegisterAsync(HostProcess host, string name)
    {
        var key = IdentityKey.Create();
        using var http = host.Client();
        var answer = await http.PostAsJsonAsync("/juji/agent/register", new JsonObject { ["public_key"] = Convert.ToHexStringLower(key.PublicKey.Span), ["name"] = name });
        answer.EnsureSuccessStatusCode();
        var agent = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        return new Member(host.Url, key, (long)agent["agent_id"]!, (string)agent["ws_token"]!);
    }

    /// <summary>Another connection of the same, or of who it says it is.</summary>
    public Member Again(long? id = null) => new(_url, _key, id ?? Id, Token);

    /// <summary>Its community is elsewhere now.</summary>
    public void Move(HostProcess host) => _url = host.Url;

    /// <summary>Connects and gives the first frame.</summary>
    public async Task<string> ConnectAsync(string? token = null, string? signature = null)
    {
        _socket.Dispose();
        _socket = new ClientWebSocket();
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        signature ??= Convert.ToHexStringLower(_key.Sign(Encoding.UTF8.GetBytes($"juji-ws-v1|{Id}|{now}")));
        var url = new Uri($"ws://{_url.Authority}/juji/ws?agent_id={Id}&token={token ?? Token}&ts={now}&sig={signature}");
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await _socket.ConnectAsync(url, timeout.Token);
        return await HearAsync();
    }

    /// <summary>Connects and gives the code by which it is refused.</summary>
    public async Task<int> RefusedAsync(string? token = null, string? signature = null)
    {
        Assert.Equal("", await ConnectAsync(token, signature));
        return (int)_socket.CloseStatus!.Value;
    }

    public async Task SayAsync(string text)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, timeout.Token);
    }

    /// <summary>The next frame; empty when it was closed.</summary>
    public async Task<string> HearAsync()
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var buffer = new byte[64 * 1024];
        using var whole = new MemoryStream();
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(), timeout.Token);
            if (part.MessageType == WebSocketMessageType.Close) return "";
            whole.Write(buffer, 0, part.Count);
            if (part.EndOfMessage) return Encoding.UTF8.GetString(whole.ToArray());
        }
    }

    /// <summary>The next frame that isn't the pong of a silence.</summary>
    public async Task<string> HearPushAsync()
    {
        while (true)
        {
            var frame = await HearAsync();
            if (frame != """{"type":"pong"}""") return frame;
        }
    }

    public async Task<JsonObject> CallAsync(string action, JsonObject parameters)
    {
        var id = $"call-{++_calls}";
        await SayAsync(new JsonObject { ["agent_id"] = Id, ["u_id"] = id, ["params"] = new JsonObject { ["action"] = action, ["params"] = parameters } }.ToJsonString());
        var answer = JsonNode.Parse(await HearPushAsync())!.AsObject();
        Assert.Equal(id, (string)answer["u_id"]!);
        return answer;
    }

    public void Dispose() => _socket.Dispose();
}
