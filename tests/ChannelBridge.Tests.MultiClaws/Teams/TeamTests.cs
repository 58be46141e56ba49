using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class TeamTests : IAsyncLifetime
{
    private readonly TeamLab _lab = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task Team_ByInvite_IsKnownToAllAndThenAllAreSilent()
    {
        var (a, b, c, team) = await ThreeAsync();
        Assert.Equal("a b c", a.Names(team));
        Assert.Equal("a b c", b.Names(team));
        Assert.Equal("a b c", c.Names(team));
        var count = _lab.Traffic.Count;
        // Nothing known is passed on: three hosts need few words.
        Assert.InRange(count, 4, 24);
        Assert.All(_lab.Traffic, static seen => Assert.Equal(200, seen.Status));
        Assert.Equal(2, (await a.Agents.ListAsync(default)).Count);
        Assert.Equal([team], (await a.Agents.FindAsync(b.Url + "/", default))!.TeamIds);
    }

    [Fact]
    public async Task Profile_Changed_ReachesAll()
    {
        var (a, b, c, team) = await ThreeAsync();
        await b.Profile.SetAsync("bee", "knows bees", default);
        await b.Desk.TellOwnAsync(default);
        await Wait.UntilAsync(() => a.Names(team) == "a bee c" && c.Names(team) == "a bee c");
        Assert.Equal("bee\n\nknows bees", a.Book.Find(team)!.Table.Members.Single(member => member.Url == b.Url).Description);
    }

    [Fact]
    public async Task Leaving_ReachesAllAndEndsTheRight()
    {
        var (a, b, c, team) = await ThreeAsync();
        var id = (await b.Keys.GetAsync(default)).Public.Id;
        var rights = a.Gate.CallerOf(id).Revoked;
        Assert.False(rights.IsCancellationRequested);
        await b.Desk.LeaveAsync(team, default);
        await Wait.UntilAsync(() => a.Names(team) == "a c" && c.Names(team) == "a c" && b.Book.FindAny(team) is null);
        Assert.True(rights.IsCancellationRequested);
        Assert.Empty(await b.Agents.ListAsync(default));
        Assert.Single(await a.Agents.ListAsync(default));
        // An old word of its doesn't bring it back.
        foreach (var seen in _lab.Traffic.Where(seen => seen.Verb == "POST").ToList()) await _lab.SendAsync(seen.Verb, seen.To + seen.Path, seen.Body, seen.Headers.Split('\n')[0]);
        Assert.Equal("a c", a.Names(team));
        // Who has the code may come again.
        await b.Desk.JoinAsync(TeamDesk.InviteOf(a.Book.Find(team)!), default);
        await Wait.UntilAsync(() => a.Names(team) == "a b c" && c.Names(team) == "a b c");
    }

    [Fact]
    public async Task Member_ThatWasAway_IsToldAtItsReturn()
    {
        var (a, b, c, team) = await ThreeAsync();
        _lab.Away[c.Url] = true;
        var d = await _lab.AddAsync("d");
        await d.Desk.JoinAsync(TeamDesk.InviteOf(b.Book.Find(team)!), default);
        await a.Desk.RotateAsync(team, default);
        await a.Profile.SetAsync("aa", null, default);
        await a.Desk.TellOwnAsync(default);
        await Wait.UntilAsync(() => b.Names(team) == "aa b c d" && d.Names(team) == "aa b c d");
        Assert.Equal("a b c", c.Names(team));
        _lab.Away.Clear();
        await Wait.UntilAsync(() => c.Names(team) == "aa b c d");
        await Wait.UntilAsync(() => Same(c, a, team));
        await _lab.QuietAsync();
    }

    [Fact]
    public async Task Member_ThatWasRestarted_ComparesWithAll()
    {
        var (a, b, c, team) = await ThreeAsync();
        await _lab.RemoveAsync(c);
        await b.Profile.SetAsync("bb", null, default);
        await b.Desk.TellOwnAsync(default);
        await Wait.UntilAsync(() => a.Names(team) == "a bb c");
        var again = await _lab.AddAsync("c", store: c.Store, url: c.Url);
        await Wait.UntilAsync(() => again.Names(team) == "a bb c");
        Assert.Equal(a.Book.Find(team)!.Secret, again.Book.Find(team)!.Secret);
        Assert.Equal((await a.Keys.GetAsync(default)).Public.Id, a.Book.Find(team)!.Table.Members[0].Id);
    }

    [Fact]
    public async Task Rotation_KeepsMembersAndShutsOldCodesOut()
    {
        var (a, b, c, team) = await ThreeAsync();
        var old = TeamDesk.InviteOf(a.Book.Find(team)!);
        await c.Desk.LeaveAsync(team, default);
        await Wait.UntilAsync(() => b.Names(team) == "a b");
        await b.Desk.RotateAsync(team, default);
        await Wait.UntilAsync(() => Same(a, b, team));
        foreach (var node in new[] { c, await _lab.AddAsync("d") })
        {
            var refused = await Assert.ThrowsAsync<BridgeException>(() => node.Desk.JoinAsync(old, default));
            Assert.Contains("invite code isn't valid", refused.Message, StringComparison.Ordinal);
            Assert.Null(node.Book.Find(team));
        }

        Assert.Equal("a b", a.Names(team));
        await c.Desk.JoinAsync(TeamDesk.InviteOf(a.Book.Find(team)!), default);
        await Wait.UntilAsync(() => b.Names(team) == "a b c");
    }

    [Fact]
    public async Task OldCode_ThroughAMemberThatHasNotHeardOfTheRotation_BringsNobodyInForLong()
    {
        var (a, b, c, team) = await ThreeAsync();
        var old = TeamDesk.InviteOf(b.Book.Find(team)!);
        await c.Desk.LeaveAsync(team, default);
        await Wait.UntilAsync(() => a.Names(team) == "a b" && b.Names(team) == "a b" && c.Book.FindAny(team) is null);
        await _lab.QuietAsync();
        _lab.Cut = (a, b);
        await a.Desk.RotateAsync(team, default);
        var d = await _lab.AddAsync("d");
        await d.Desk.JoinAsync(TeamDesk.InviteOf(a.Book.Find(team)!), default);
        await c.Desk.JoinAsync(old, default);
        Assert.Equal("a b c", b.Names(team));
        var id = (await c.Keys.GetAsync(default)).Public.Id;
        var rights = b.Gate.CallerOf(id).Revoked;
        Assert.False(rights.IsCancellationRequested);
        // What b tells of it is taken by nobody who has heard of the rotation, also not from a member's mouth.
        var word = Team.Write(b.Book.Find(team)!.Table.Find(id)!);
        Assert.Equal(200, (await _lab.SendAsync("POST", $"{d.Url}/team/{team}/announce", word, await a.ProofAsync("POST", d.Url, $"/team/{team}/announce", word))).Status);
        Assert.Equal("a b d", d.Names(team));

        _lab.Cut = null;
        await Wait.UntilAsync(() => new[] { a, b, d }.All(node => node.Names(team) == "a b d"));
        Assert.True(rights.IsCancellationRequested);
        Assert.True(Same(a, b, team));
        // Neither the code nor its own word brings it back, and after a restart it is out as well.
        var e = await _lab.AddAsync("e");
        await Assert.ThrowsAsync<BridgeException>(() => e.Desk.JoinAsync(old, default));
        Assert.Equal(401, (await _lab.SendAsync("POST", $"{b.Url}/team/{team}/announce", word, await c.ProofAsync("POST", b.Url, $"/team/{team}/announce", word))).Status);
        await _lab.RemoveAsync(b);
        var again = await _lab.AddAsync("b", store: b.Store, url: b.Url);
        Assert.Equal("a b d", again.Names(team));
    }

    // Anybody can seal something for a member's public key: only what another member has signed is a secret of the team.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SecretFromBetweenTwoHosts_IsNotTaken(bool withASignature)
    {
        var (a, b, _, team) = await ThreeAsync();
        await _lab.QuietAsync();
        var secret = b.Book.Find(team)!.Secret!;
        var to = (await b.Keys.GetAsync(default)).Public;
        using var stranger = MemberKey.Create();
        var forged = 0;
        _lab.Forge = body =>
        {
            var at = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
            var word = new SecretWord { ChangedAtMs = at, By = a.Url, Box = SecretBox.Seal(to, new byte[32], SecretWord.About(team, at, a.Url, null)) };
            if (withASignature) word = word.Signed(team, stranger);
            var answer = JsonNode.Parse(body)!.AsObject();
            answer["secret"] = JsonSerializer.SerializeToNode(word, TeamJson.Default.SecretWord);
            forged++;
            return JsonSerializer.SerializeToUtf8Bytes(answer);
        };
        await _lab.RemoveAsync(b);
        var again = await _lab.AddAsync("b", store: b.Store, url: b.Url);
        await Wait.UntilAsync(() => forged > 0);
        await _lab.QuietAsync();
        Assert.Equal(secret, again.Book.Find(team)!.Secret);
        Assert.Equal(a.Book.Find(team)!.Secret, again.Book.Find(team)!.Secret);
    }

    [Fact]
    public async Task Listener_OnTheNetwork_SeesNoSecret()
    {
        var (a, b, _, team) = await ThreeAsync();
        var first = a.Book.Find(team)!.Secret!;
        await a.Desk.RotateAsync(team, default);
        await Wait.UntilAsync(() => Same(a, b, team));
        await _lab.QuietAsync();
        var second = a.Book.Find(team)!.Secret!;
        Assert.NotEqual(first, second);
        foreach (var seen in _lab.Traffic)
        {
            var text = seen.Path + seen.Headers + Encoding.UTF8.GetString(seen.Body) + Encoding.UTF8.GetString(seen.Answer);
            foreach (var secret in new[] { first, second })
            {
                Assert.DoesNotContain(Base64.Write(secret), text, StringComparison.Ordinal);
                Assert.DoesNotContain(Convert.ToHexString(secret), text, StringComparison.OrdinalIgnoreCase);
            }
        }

        // Nor does a copy of the store.
        foreach (var ns in new[] { "multiclaws.team", "multiclaws.member", "multiclaws.key" })
        {
            foreach (var record in await a.Store.ListRecordsAsync(ns, null, null, 1000))
                Assert.DoesNotContain(Convert.ToBase64String(second), Encoding.UTF8.GetString(record.Value.Span), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Address_Changed_IsFollowed()
    {
        var (a, b, c, team) = await ThreeAsync();
        Assert.NotNull(b);
        _lab.Away[c.Url] = false;
        _lab.Away.Clear();
        await _lab.RemoveAsync(c);
        var moved = await _lab.AddAsync("c", store: c.Store, url: "http://10.0.0.99:7788");
        await moved.Desk.TellOwnAsync(default);
        await Wait.UntilAsync(() => a.Book.Find(team)!.Table.Members.Any(static member => member.Url == "http://10.0.0.99:7788"));
        Assert.Equal("a b c", a.Names(team));
        await Wait.UntilAsync(() => b.Book.Find(team)!.Table.Members.Any(static member => member.Url == "http://10.0.0.99:7788"));
        Assert.NotNull(await b.Agents.FindAsync("http://10.0.0.99:7788", default));
        Assert.Null(await b.Agents.FindAsync(c.Url, default));
    }

    [Fact]
    public async Task OpenTeam_TakesNodesWithoutKeys_AndOnlyWhereAllowed()
    {
        var a = await _lab.AddAsync("a", static options => options.AllowOpenTeams = true);
        var (team, _) = await a.Desk.CreateAsync("open", default);
        var code = TeamDesk.InviteOf(team);
        Assert.Null(InviteCode.Parse(code)!.Secret);
        // As a published node joins: it asks for the members and announces itself, with no proof of anything.
        var (status, body, _) = await _lab.SendAsync("GET", $"{a.Url}/team/{team.Id}/members", [], null);
        Assert.Equal(200, status);
        Assert.Contains("\"teamName\":\"open\"", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
        var own = "{\"url\":\"http://10.0.7.7:3100/\",\"name\":\"old\",\"description\":\"o\\n\\nknows\",\"joinedAtMs\":1700000000000}"u8.ToArray();
        Assert.Equal(200, (await _lab.SendAsync("POST", $"{a.Url}/team/{team.Id}/announce", own, null)).Status);
        Assert.Equal("a old", a.Names(team.Id));
        Assert.Equal(200, (await _lab.SendAsync("POST", $"{a.Url}/team/{team.Id}/profile-update",
            "{\"url\":\"http://10.0.7.7:3100/\",\"name\":\"older\",\"changedAtMs\":1700000000001}"u8.ToArray(), null)).Status);
        Assert.Equal("a older", a.Names(team.Id));
        // Who has a key needs it, there too.
        var mine = Encoding.UTF8.GetBytes($"{{\"url\":\"{a.Url}\"}}");
        await _lab.SendAsync("POST", $"{a.Url}/team/{team.Id}/leave", mine, null);
        Assert.Equal("a older", a.Names(team.Id));
        Assert.Equal(200, (await _lab.SendAsync("POST", $"{a.Url}/team/{team.Id}/leave", "{\"url\":\"http://10.0.7.7:3100\"}"u8.ToArray(), null)).Status);
        Assert.Equal("a", a.Names(team.Id));

        var strict = await _lab.AddAsync("strict");
        Assert.Contains("AllowOpenTeams", (await Assert.ThrowsAsync<BridgeException>(() => strict.Desk.JoinAsync(code, default))).Message, StringComparison.Ordinal);
        var second = await _lab.AddAsync("b", static options => options.AllowOpenTeams = true);
        await second.Desk.JoinAsync(code, default);
        Assert.Equal("a b", second.Names(team.Id));
    }

    private static bool Same(TeamNode one, TeamNode other, string team) => one.Book.Find(team)!.Secret.AsSpan().SequenceEqual(other.Book.Find(team)!.Secret)
        && one.Book.Find(team)!.Stored.SecretAtMs > one.Book.Find(team)!.Stored.CreatedAtMs;

    private async Task<(TeamNode A, TeamNode B, TeamNode C, string Team)> ThreeAsync()
    {
        var a = await _lab.AddAsync("a");
        var b = await _lab.AddAsync("b");
        var c = await _lab.AddAsync("c");
        var (team, warning) = await a.Desk.CreateAsync("us", default);
        Assert.Null(warning);
        await b.Desk.JoinAsync(TeamDesk.InviteOf(team), default);
        await c.Desk.JoinAsync(TeamDesk.InviteOf(b.Book.Find(team.Id)!), default);
        await Wait.UntilAsync(() => a.Names(team.Id) == "a b c" && b.Names(team.Id) == "a b c" && c.Names(team.Id) == "a b c");
        await _lab.QuietAsync();
        return (a, b, c, team.Id);
    }
}
