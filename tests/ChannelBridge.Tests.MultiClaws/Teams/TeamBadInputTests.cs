using System.Text;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class TeamBadInputTests : IAsyncLifetime
{
    private readonly TeamLab _lab = new();
    private TeamNode _a = null!;
    private TeamNode _b = null!;
    private string _team = null!;
    private string _url = null!;

    public async Task InitializeAsync()
    {
        _a = await _lab.AddAsync("a");
        _b = await _lab.AddAsync("b");
        var (team, _) = await _a.Desk.CreateAsync("us", default);
        _team = team.Id;
        _url = $"{_a.Url}/team/{_team}";
        await _b.Desk.JoinAsync(TeamDesk.InviteOf(team), default);
        await _lab.QuietAsync();
    }

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Theory]
    [InlineData("announce")]
    [InlineData("leave")]
    [InlineData("profile-update")]
    [InlineData("rotate")]
    public async Task Request_WithoutAGoodProof_Is401AndChangesNothing(string what)
    {
        var path = $"/team/{_team}/{what}";
        var body = what == "rotate" ? "{}"u8.ToArray() : Team.Write(await OwnAsync(_b, left: what == "leave"));
        var before = Members();
        async Task RefusedAsync(string? proof, byte[] sent) => Assert.Equal(401, (await _lab.SendAsync("POST", _url + "/" + what, sent, proof)).Status);

        await RefusedAsync(null, body);
        await RefusedAsync("Bearer whatever", body);
        await RefusedAsync("MultiClaws garbage", body);
        // A stranger's own key, with a secret that it made up.
        var stranger = await _lab.AddAsync("stranger");
        await RefusedAsync(await stranger.ProofAsync("POST", _a.Url, path, body), body);
        await RefusedAsync(await stranger.ProofAsync("POST", _a.Url, path, body, new byte[32]), body);
        // For another member, of another path, with another body.
        await RefusedAsync(await _b.ProofAsync("POST", _b.Url, path, body), body);
        await RefusedAsync(await _b.ProofAsync("POST", _a.Url, path + "x", body), body);
        await RefusedAsync(await _b.ProofAsync("POST", _a.Url, path, body), [.. body, (byte)' ']);
        // A clock ten minutes off.
        foreach (var minutes in new[] { 10, -10 })
        {
            _b.Shift = TimeSpan.FromMinutes(minutes);
            await RefusedAsync(await _b.ProofAsync("POST", _a.Url, path, body), body);
        }

        _b.Shift = default;
        Assert.Equal(before, Members());
        // Replayed.
        var good = await _b.ProofAsync("POST", _a.Url, path, body);
        Assert.NotEqual(401, (await _lab.SendAsync("POST", _url + "/" + what, body, good)).Status);
        before = Members();
        await RefusedAsync(good, body);
        Assert.Equal(before, Members());
    }

    [Fact]
    public async Task ExMember_AfterARotation_IsRefusedWhateverItSays()
    {
        var old = _a.Book.Find(_team)!.Secret;
        await _b.Desk.LeaveAsync(_team, default);
        await Wait.UntilAsync(() => _a.Names(_team) == "a");
        await _lab.QuietAsync();
        await _a.Desk.RotateAsync(_team, default);
        var before = Members();
        foreach (var what in new[] { "announce", "leave", "profile-update", "rotate" })
        {
            var path = $"/team/{_team}/{what}";
            var body = what == "rotate" ? "{}"u8.ToArray() : Team.Write(await OwnAsync(_b, left: what == "leave"));
            foreach (var secret in new[] { null, old })
                Assert.Equal(401, (await _lab.SendAsync("POST", _url + "/" + what, body, await _b.ProofAsync("POST", _a.Url, path, body, secret))).Status);
        }

        foreach (var secret in new[] { null, old })
            Assert.Equal(401, (await _lab.SendAsync("GET", _url + "/members", [], await _b.ProofAsync("GET", _a.Url, $"/team/{_team}/members", [], secret))).Status);
        Assert.Equal(before, Members());
    }

    [Theory]
    [InlineData("ring\u0007")]
    [InlineData("turned \u202Earound")]
    [InlineData(null)]
    public async Task Bio_ThatIsOddOrTooLarge_IsRefused(string? text)
    {
        text ??= new string('x', 1 << 20);
        var before = Members();
        foreach (var what in new[] { "announce", "profile-update" })
        {
            var body = Team.Write((await OwnAsync(_b, left: false) with { Description = text }).Signed(_team, await _b.Keys.GetAsync(default)));
            var (status, answer, _) = await _lab.SendAsync("POST", _url + "/" + what, body, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/{what}", body));
            Assert.Equal(body.Length > 1 << 20 ? 413 : 400, status);
            if (status == 400) Assert.Contains("description", Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
        }

        Assert.Equal(before, Members());
        await Assert.ThrowsAsync<BridgeException>(() => _b.Profile.SetAsync(null, text, default).AsTask());
    }

    [Fact]
    public async Task Leave_OfAnotherMember_NeedsItsOwnSignature()
    {
        var c = await _lab.AddAsync("c");
        await c.Desk.JoinAsync(TeamDesk.InviteOf(_a.Book.Find(_team)!), default);
        await _lab.QuietAsync();
        var key = await _b.Keys.GetAsync(default);
        var forged = (_a.Book.Find(_team)!.Table.Members.Single(member => member.Url == c.Url) with { Left = true, ChangedAtMs = Now() }).Signed(_team, key) with
        {
            Key = (await c.Keys.GetAsync(default)).Public.Text,
        };
        var body = Team.Write(forged);
        var (status, answer, _) = await _lab.SendAsync("POST", _url + "/leave", body, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/leave", body));
        Assert.Equal(400, status);
        Assert.Contains(c.Url, Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
        Assert.Equal("a b c", _a.Names(_team));
    }

    [Fact]
    public async Task Joiner_SpeaksForItselfOnly()
    {
        var secret = _a.Book.Find(_team)!.Secret;
        var joiner = await _lab.AddAsync("joiner");
        var other = Team.Write(await OwnAsync(_b, left: false));
        Assert.Equal(401, (await _lab.SendAsync("POST", _url + "/announce", other, await joiner.ProofAsync("POST", _a.Url, $"/team/{_team}/announce", other, secret))).Status);
    }

    [Fact]
    public async Task Member_MadeUpByAnother_IsNotTaken()
    {
        using var key = MemberKey.Create();
        var own = new TeamMember { Url = "http://10.8.0.1", Name = "x", JoinedAtMs = 1, ChangedAtMs = 1 };
        foreach (var made in new[] { own, own with { Admitted = "AAAA", AdmittedAtMs = 1 }, Admission.Admit(own, _team, key.Public, new byte[32], 1) })
        {
            var body = Team.Write(made.Signed(_team, key));
            Assert.Equal(200, (await _lab.SendAsync("POST", _url + "/announce", body, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/announce", body))).Status);
            Assert.Equal("a b", _a.Names(_team));
            // Nor by itself, though it has the code.
            var proof = RequestProof.Make(key, "POST", _a.Url, new Uri(_url + "/announce"), body, DateTimeOffset.UtcNow, _a.Book.Find(_team)!.Secret);
            var (status, answer, _) = await _lab.SendAsync("POST", _url + "/announce", body, $"{RequestProof.Scheme} {proof.Write()}");
            Assert.Equal(400, status);
            Assert.Contains("admitted", Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Joiner_IsCountedByAddress_AMemberByItsKey()
    {
        var endpoint = _a.Endpoints.Http.First(static one => one.Path.EndsWith("/members", StringComparison.Ordinal));
        var names = new List<string>();
        using var first = MemberKey.Create();
        using var second = MemberKey.Create();
        foreach (var (key, secret, from) in new[]
        {
            (first, _a.Book.Find(_team)!.Secret, "10.7.7.7"), (second, _a.Book.Find(_team)!.Secret, "10.7.7.7"), (second, _a.Book.Find(_team)!.Secret, "10.7.7.8"),
            (await _b.Keys.GetAsync(default), null, "10.7.7.7"), (await _b.Keys.GetAsync(default), null, "10.7.7.8"),
        })
        {
            var path = $"/team/{_team}/members";
            var request = new EndpointRequest
            {
                Id = "r",
                Verb = "GET",
                Path = path,
                Origin = _a.Url,
                Template = endpoint.Path,
                PathValues = new Dictionary<string, string> { ["id"] = _team },
                Headers = new Dictionary<string, string>
                {
                    ["Authorization"] = $"{RequestProof.Scheme} {RequestProof.Make(key, "GET", _a.Url, new Uri(_a.Url + path), [], DateTimeOffset.UtcNow, secret).Write()}",
                },
                RemoteAddress = System.Net.IPAddress.Parse(from),
            };
            names.Add((await endpoint.Access.Check!(request, default)).Caller!.Name);
        }

        // The door counts by the caller's name.
        Assert.Equal(names[0], names[1]);
        Assert.NotEqual(names[1], names[2]);
        Assert.Equal(names[3], names[4]);
        Assert.NotEqual(names[0], names[3]);
    }

    [Fact]
    public async Task Stranger_WhoKnowsTheTeamsId_LearnsNothing()
    {
        Assert.Equal(401, (await _lab.SendAsync("GET", _url + "/members", [], null)).Status);
        var stranger = await _lab.AddAsync("stranger");
        Assert.Equal(401, (await _lab.SendAsync("GET", _url + "/members", [], await stranger.ProofAsync("GET", _a.Url, $"/team/{_team}/members", []))).Status);
        var (status, body, _) = await _lab.SendAsync("GET", $"{_a.Url}/team/unknown/members", [], null);
        Assert.Equal(404, status);
        Assert.Equal("{\"error\":\"team not found\"}", Encoding.UTF8.GetString(body));
    }

    [Fact]
    public async Task Member_AtTheA2AEndpoint_IsAPeerOfItsOwn()
    {
        var body = "{}"u8.ToArray();
        var proof = (await _b.ProofAsync("POST", _a.Url, "/a2a", body))[(RequestProof.Scheme.Length + 1)..];
        var request = new EndpointRequest { Id = "r", Verb = "POST", Path = "/a2a", Origin = _a.Url, Template = "/a2a" };
        var verdict = await _a.Gate.AuthenticateAsync(proof, "a2a", request, default);
        Assert.Equal((await _b.Keys.GetAsync(default)).Public.Id, verdict.Caller!.Name);
        Assert.True(verdict.Caller.MayUseChannel("a2a"));
        Assert.False(verdict.Caller.MayUseChannel("multiclaws"));
        Assert.NotNull(verdict.BodyHash);
        // Once.
        Assert.Null((await _a.Gate.AuthenticateAsync(proof, "a2a", request, default)).Caller);
        var stranger = await _lab.AddAsync("stranger");
        proof = (await stranger.ProofAsync("POST", _a.Url, "/a2a", body))[(RequestProof.Scheme.Length + 1)..];
        Assert.Null((await _a.Gate.AuthenticateAsync(proof, "a2a", request, default)).Caller);
        // Not with the team's secret either: it only admits.
        proof = (await stranger.ProofAsync("POST", _a.Url, "/a2a", body, _a.Book.Find(_team)!.Secret))[(RequestProof.Scheme.Length + 1)..];
        Assert.Null((await _a.Gate.AuthenticateAsync(proof, "a2a", request, default)).Caller);
    }

    [Fact]
    public async Task Requests_ToMembersAreSigned_AndKeysTravelEncryptedOnly()
    {
        var member = (await _a.Agents.FindAsync(_b.Url, default))!;
        using var toMember = new HttpRequestMessage(HttpMethod.Post, _b.Url + "/a2a") { Content = new StringContent("{}") };
        await _a.Agents.AuthorizeAsync(member, toMember, default);
        Assert.Equal(RequestProof.Scheme, toMember.Headers.Authorization!.Scheme);
        var request = new EndpointRequest { Id = "r", Verb = "POST", Path = "/a2a", Origin = _b.Url, Template = "/a2a" };
        Assert.NotNull((await _b.Gate.AuthenticateAsync(toMember.Headers.Authorization.Parameter!, "a2a", request, default)).Caller);

        foreach (var (url, shown) in new[] { ("http://192.168.7.7:80", false), ("https://agent.example.org", true), ("http://127.0.0.1:3100", true) })
        {
            var added = await _a.Agents.AddAsync(url, "the-key-of-it", default);
            Assert.True(added.HasKey);
            using var toAdded = new HttpRequestMessage(HttpMethod.Post, url + "/a2a");
            await _a.Agents.AuthorizeAsync(added, toAdded, default);
            Assert.Equal(shown ? "Bearer the-key-of-it" : null, toAdded.Headers.Authorization?.ToString());
        }

        foreach (var record in await _a.Store.ListRecordsAsync("multiclaws.agent", null, null, 1000))
            Assert.DoesNotContain("the-key-of-it", Encoding.UTF8.GetString(record.Value.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invites_ThatLeadNowhere_StoreNothing()
    {
        var c = await _lab.AddAsync("c");
        var good = TeamDesk.InviteOf(_a.Book.Find(_team)!);
        var code = InviteCode.Parse(good)!;
        foreach (var (text, said) in new[]
        {
            (good[..^5], "invalid invite code"),
            ("mc:garbage!", "invalid invite code"),
            (new string('x', 1 << 20), "invalid invite code"),
            ((code with { TeamId = "unknown" }).Write(), "there is no such team"),
            ((code with { Secret = new byte[32] }).Write(), "invite code isn't valid"),
            ((code with { Url = "http://10.0.0.77:7788" }).Write(), "Unable to reach team seed node at http://10.0.0.77:7788"),
            ((code with { Url = "http://10.0.0.77:7788" }).Write(), "https://tailscale.com/download"),
            ((code with { Url = "http://127.0.0.1:7788" }).Write(), "leads where no member may be"),
            ((code with { Url = c.Url }).Write(), "this host itself"),
        })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => c.Desk.JoinAsync(text, default));
            Assert.Contains(said, fault.Message, StringComparison.Ordinal);
            Assert.Empty(c.Book.Teams);
        }

        var again = await Assert.ThrowsAsync<BridgeException>(() => _b.Desk.JoinAsync(good, default));
        Assert.Contains("already", again.Message, StringComparison.Ordinal);
        Assert.Equal("a b", _a.Names(_team));
        Assert.Empty(await c.Store.ListRecordsAsync("multiclaws.team", null, null, 10));
    }

    [Fact]
    public async Task Member_ThatAnnouncesThousands_FillsTheTeamAndNoMore()
    {
        var (secret, at) = (_a.Book.Find(_team)!.Secret, _a.Book.Find(_team)!.Stored.SecretAtMs);
        for (var part = 0; part < 3; part++)
        {
            var crowd = new List<string>();
            for (var i = 0; i < 200; i++)
            {
                using var made = MemberKey.Create();
                var one = new TeamMember { Url = $"http://10.8.{part}.{i}", Name = "x", JoinedAtMs = 1, ChangedAtMs = 1 };
                crowd.Add(Encoding.UTF8.GetString(Team.Write(Admission.Admit(one, _team, made.Public, secret, at).Signed(_team, made))));
            }

            var body = Encoding.UTF8.GetBytes($"{{\"members\":[{string.Join(',', crowd)}]}}");
            Assert.Equal(200, (await _lab.SendAsync("POST", _url + "/announce", body, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/announce", body))).Status);
        }

        Assert.Equal(MemberTable.MostMembers, _a.Book.Find(_team)!.Table.Members.Count);
        var many = Encoding.UTF8.GetBytes($"{{\"members\":[{string.Join(',', Enumerable.Repeat("{\"url\":\"http://10.0.0.1\"}", 10_000))}]}}");
        Assert.Equal(400, (await _lab.SendAsync("POST", _url + "/announce", many, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/announce", many))).Status);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("not json")]
    [InlineData("{\"members\":[]}")]
    [InlineData("{\"members\":[null]}")]
    [InlineData("{\"url\":5}")]
    [InlineData("{\"url\":\"http://10.0.0.9\",\"name\":null}")]
    public async Task Body_ThatMakesNoSense_Is400(string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        Assert.Equal(400, (await _lab.SendAsync("POST", _url + "/announce", body, await _b.ProofAsync("POST", _a.Url, $"/team/{_team}/announce", body))).Status);
        Assert.Equal("a b", _a.Names(_team));
    }

    private string Members() => string.Join('\n', _a.Book.Find(_team)!.Table.All.Select(static member => member.ToString()).Order(StringComparer.Ordinal));

    private static long Now() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    private async Task<TeamMember> OwnAsync(TeamNode node, bool left) =>
        new TeamMember { Url = node.Url, Name = "new name", JoinedAtMs = 1, ChangedAtMs = Now(), Left = left }.Signed(_team, await node.Keys.GetAsync(default));
}
