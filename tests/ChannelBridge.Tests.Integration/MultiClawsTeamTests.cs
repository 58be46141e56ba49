using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.MultiClaws.Teams;
using ChannelBridge.Client;

namespace ChannelBridge.Tests.Integration;

/// <summary>Teams of hosts as processes, and a member written by hand before one of them.</summary>
public sealed class MultiClawsTeamTests
{
    [Fact]
    public async Task ThreeHosts_ByInvite_KnowAndCallEachOther_UntilOneLeaves()
    {
        await using var a = await TeamHost.StartAsync("a");
        await using var b = await TeamHost.StartAsync("b");
        await using var c = await TeamHost.StartAsync("c");
        var made = await a.CallAsync("multiclaws.team.create", new JsonObject { ["name"] = "us" });
        var team = (string)made["team"]!["teamId"]!;
        await b.CallAsync("multiclaws.team.join", new JsonObject { ["inviteCode"] = (string)made["inviteCode"]! });
        await c.CallAsync("teams.join", new JsonObject { ["inviteCode"] = (string)(await b.CallAsync("teams.invite", []))["inviteCode"]! });
        foreach (var host in new[] { a, b, c }) await host.UntilMembersAsync(team, "a b c");

        // Each calls each, over plain HTTP and without any token, as a peer of its own.
        Assert.Equal("echo: from c", (string)(await c.CallAsync("task.delegate", Task(a, "from c")))["output"]!);
        Assert.Equal("echo: from a", (string)(await a.CallAsync("task.delegate", Task(b, "from a")))["output"]!);
        var peers = (await a.CallAsync("a2a.tasks.list", []))["tasks"]!.AsArray();
        Assert.StartsWith("member-", (string)Assert.Single(peers)!["peer"]!, StringComparison.Ordinal);

        // A name that changes reaches all; who leaves may call nobody any more.
        await b.CallAsync("profile.set", new JsonObject { ["ownerName"] = "bee" });
        foreach (var host in new[] { a, c }) await host.UntilMembersAsync(team, "a bee c");
        await c.CallAsync("multiclaws.team.leave", new JsonObject { ["teamId"] = team });
        foreach (var host in new[] { a, b }) await host.UntilMembersAsync(team, "a bee");
        Assert.Empty((await c.CallAsync("agents.list", []))["agents"]!.AsArray());
        Assert.Equal("not_found", await c.FaultAsync("multiclaws.team.members", []));

        // The secret and the keys of the hosts stand in no log.
        var secret = InviteCode.Parse((string)made["inviteCode"]!)!.Secret!;
        foreach (var host in new[] { a, b, c })
        {
            Assert.Equal(0, await host.Process.StopAsync());
            Assert.DoesNotContain(Base64.Write(secret), host.Process.Output + host.Process.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Member_KilledAndAway_IsToldAtItsReturn()
    {
        await using var a = await TeamHost.StartAsync("a");
        await using var b = await TeamHost.StartAsync("b");
        await using var c = await TeamHost.StartAsync("c");
        var made = await a.CallAsync("teams.create", new JsonObject { ["name"] = "us" });
        var team = (string)made["team"]!["teamId"]!;
        foreach (var host in new[] { b, c }) await host.CallAsync("teams.join", new JsonObject { ["inviteCode"] = (string)made["inviteCode"]! });
        foreach (var host in new[] { a, b, c }) await host.UntilMembersAsync(team, "a b c");
        await c.KillAsync();
        await a.CallAsync("profile.set", new JsonObject { ["ownerName"] = "ann", ["bio"] = "knows more" });
        var rotated = await b.CallAsync("teams.rotate", []);
        Assert.NotEqual((string)made["inviteCode"]!, (string)rotated["inviteCode"]!);
        await b.UntilMembersAsync(team, "ann b c");
        await c.RestartAsync();
        await c.UntilMembersAsync(team, "ann b c");
        var secret = InviteCode.Parse((string)rotated["inviteCode"]!)!.Secret;
        foreach (var host in new[] { a, c })
            await Wait.UntilAsync(async () => InviteCode.Parse((string)(await host.CallAsync("teams.invite", []))["inviteCode"]!)!.Secret!.AsSpan().SequenceEqual(secret));

        // The code from before admits to nothing.
        await using var d = await TeamHost.StartAsync("d");
        Assert.Equal("team_join_failed", await d.FaultAsync("multiclaws.team.join", new JsonObject { ["inviteCode"] = (string)made["inviteCode"]! }));
        await d.CallAsync("multiclaws.team.join", new JsonObject { ["inviteCode"] = (string)rotated["inviteCode"]! });
        await c.UntilMembersAsync(team, "ann b c d");
    }

    [Fact]
    public async Task Requests_AtTheRealDoor_NeedTheMembersSignature()
    {
        await using var host = await TeamHost.StartAsync("a");
        var made = await host.CallAsync("teams.create", new JsonObject { ["name"] = "us" });
        var code = InviteCode.Parse((string)made["inviteCode"]!)!;
        using var member = new HandMember("http://127.0.0.1:9", code, host.Process.Url);
        using var stranger = new HandMember("http://127.0.0.1:8", code, host.Process.Url);
        const string Card = """{"jsonrpc":"2.0","id":1,"method":"GetExtendedAgentCard","params":{}}""";

        // Who knows the team's id, or even its secret, isn't a member yet.
        Assert.Equal(HttpStatusCode.Unauthorized, await member.AskAsync("GET", $"/team/{code.TeamId}/members", ""));
        Assert.Equal(HttpStatusCode.OK, await member.AskAsync("GET", $"/team/{code.TeamId}/members", "", admit: true));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.AskAsync("POST", "/a2a", Card, admit: true));
        Assert.Equal(HttpStatusCode.OK, await member.AskAsync("POST", $"/team/{code.TeamId}/announce", member.Record(1), admit: true));
        Assert.Equal(HttpStatusCode.OK, await member.AskAsync("POST", "/a2a", Card));

        // Another body than the signed one, the same request twice, a stranger, no proof, another scheme.
        Assert.Equal(HttpStatusCode.Unauthorized, await member.AskAsync("POST", "/a2a", Card, sent: Card + " "));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.AskAsync("POST", $"/team/{code.TeamId}/announce", member.Record(2), sent: member.Record(3)));
        var proof = member.Proof("POST", "/a2a", Card);
        Assert.Equal(HttpStatusCode.OK, await member.SendAsync("POST", "/a2a", Card, proof));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.SendAsync("POST", "/a2a", Card, proof));
        Assert.Equal(HttpStatusCode.Unauthorized, await stranger.AskAsync("POST", "/a2a", Card));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.SendAsync("POST", "/a2a", Card, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.SendAsync("POST", "/a2a", Card, new AuthenticationHeaderValue("Other", "x")));
        Assert.Equal(HttpStatusCode.Unauthorized, await member.SendAsync("POST", "/a2a", Card, new AuthenticationHeaderValue("MultiClaws", "x")));

        // A member's key opens A2A and the team, and nothing else of the host.
        Assert.Equal(HttpStatusCode.Unauthorized, await member.AskAsync("GET", "/v1/models", ""));

        // A thousand announcements: 60 a minute, and others are served meanwhile.
        var answers = await System.Threading.Tasks.Task.WhenAll(
            Enumerable.Range(0, 200).Select(i => member.AskAsync("POST", $"/team/{code.TeamId}/announce", member.Record(10 + i))));
        Assert.Contains(HttpStatusCode.TooManyRequests, answers);
        Assert.Equal(HttpStatusCode.OK, await stranger.AskAsync("GET", $"/team/{code.TeamId}/members", "", admit: true));

        // Refusals are counted and audited, by the name of the key.
        await Wait.UntilAsync(async () => (await host.CallAsync("access.tokens.audit", [])).ToJsonString().Contains(stranger.Id, StringComparison.Ordinal));

        // Leaving ends the right at once.
        Assert.Equal(HttpStatusCode.OK, await stranger.AskAsync("POST", $"/team/{code.TeamId}/announce", stranger.Record(1), admit: true));
        Assert.Equal(HttpStatusCode.OK, await stranger.AskAsync("POST", "/a2a", Card));
        Assert.Equal(HttpStatusCode.OK, await stranger.AskAsync("POST", $"/team/{code.TeamId}/leave", stranger.Record(2, left: true)));
        Assert.Equal(HttpStatusCode.Unauthorized, await stranger.AskAsync("POST", "/a2a", Card));
    }

    [Fact]
    public async Task Team_AndKeys_SurviveAKill_AndNeedTheHostsKey()
    {
        await using var host = await TeamHost.StartAsync("a");
        var made = await host.CallAsync("teams.create", new JsonObject { ["name"] = "us" });
        await host.CallAsync("agents.add", new JsonObject { ["url"] = "http://127.0.0.1:9", ["apiKey"] = "the-key-of-another-host" });
        Assert.DoesNotContain("the-key-of", (await host.CallAsync("agents.list", [])).ToJsonString(), StringComparison.Ordinal);
        await host.KillAsync();
        foreach (var file in Directory.GetFiles(host.Process.Data, "channelbridge.db*"))
        {
            if (file.EndsWith(".lock", StringComparison.Ordinal)) continue;
            var bytes = await File.ReadAllBytesAsync(file);
            Assert.Equal(-1, bytes.AsSpan().IndexOf("the-key-of-another-host"u8));
            Assert.Equal(-1, bytes.AsSpan().IndexOf(InviteCode.Parse((string)made["inviteCode"]!)!.Secret));
        }

        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(host.Process.Data, "key")));
        await host.RestartAsync();
        Assert.Equal((string)made["inviteCode"]!, (string)(await host.CallAsync("teams.invite", []))["inviteCode"]!);
        using var client = new HttpClient();
        Assert.Equal("""{"ok":true,"plugin":"multiclaws"}""", await client.GetStringAsync(new Uri(host.Process.Url, "/multiclaws/health")));
    }

    private static JsonObject Task(TeamHost to, string text) => new() { ["agentUrl"] = to.Process.Url.ToString(), ["task"] = text };

    /// <summary>A host with a profile.</summary>
    private sealed class TeamHost : IAsyncDisposable
    {
        public HostProcess Process { get; private set; } = null!;

        private ChannelBridgeClient _client = null!;

        public static async Task<TeamHost> StartAsync(string name)
        {
            var host = new TeamHost { Process = await HostProcess.StartAsync() };
            await host.ConnectAsync();
            await host.CallAsync("profile.set", new JsonObject { ["ownerName"] = name, ["bio"] = $"knows {name}" });
            return host;
        }

        public async Task<JsonObject> CallAsync(string method, JsonObject parameters) =>
            JsonNode.Parse((await _client.CallAsync(method, Encoding.UTF8.GetBytes(parameters.ToJsonString()))).Span)!.AsObject();

        public async Task<string> FaultAsync(string method, JsonObject parameters) =>
            (await Assert.ThrowsAsync<ChannelBridgeClientException>(() => CallAsync(method, parameters))).Code;

        public Task UntilMembersAsync(string team, string names) => Wait.UntilAsync(async () =>
        {
            var answer = await CallAsync("teams.members", new JsonObject { ["teamId"] = team });
            return string.Join(' ', answer["members"]!.AsArray().Select(static member => (string)member!["name"]!).Order(StringComparer.Ordinal)) == names;
        }, $"members of the team are {names}");

        public async Task KillAsync()
        {
            await _client.DisposeAsync();
            await Process.KillAsync();
        }

        public async Task RestartAsync()
        {
            Process = await HostProcess.StartAsync(Process.Data, url: Process.Url.ToString().TrimEnd('/'));
            await ConnectAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await _client.DisposeAsync();
            await Process.DisposeAsync();
        }

        private async Task ConnectAsync()
        {
            _client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{Process.Socket}", Token = Process.Token });
            await _client.ConnectAsync();
        }
    }

    /// <summary>A member that is no host: it signs by hand.</summary>
    private sealed class HandMember(string url, InviteCode code, Uri host) : IDisposable
    {
        private readonly MemberKey _key = MemberKey.Create();
        private readonly HttpClient _http = new() { BaseAddress = host };

        public string Id => _key.Public.Id;

        public string Record(long at, bool left = false) => Encoding.UTF8.GetString(Team.Write(
            Admission.Admit(new TeamMember { Url = url, Name = "hand", JoinedAtMs = 1, ChangedAtMs = at, Left = left }, code.TeamId, _key.Public, code.Secret, 1)
                .Signed(code.TeamId, _key)));

        public AuthenticationHeaderValue Proof(string verb, string path, string body, bool admit = false) => new(
            RequestProof.Scheme,
            RequestProof.Make(_key, verb, code.Url, new Uri(code.Url + path), Encoding.UTF8.GetBytes(body), DateTimeOffset.UtcNow, admit ? code.Secret : null).Write());

        public Task<HttpStatusCode> AskAsync(string verb, string path, string body, bool admit = false, string? sent = null) =>
            SendAsync(verb, path, sent ?? body, Proof(verb, path, body, admit));

        public async Task<HttpStatusCode> SendAsync(string verb, string path, string body, AuthenticationHeaderValue? proof)
        {
            using var request = new HttpRequestMessage(new HttpMethod(verb), path);
            request.Headers.Authorization = proof;
            request.Headers.Add("A2A-Version", "1.0");
            if (body.Length > 0) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            using var answer = await _http.SendAsync(request);
            return answer.StatusCode;
        }

        public void Dispose()
        {
            _http.Dispose();
            _key.Dispose();
        }
    }
}
