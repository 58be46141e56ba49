using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Profile;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>What the host's user does with teams: makes, joins and leaves them, gives one another secret. Faults have the words that clients show.</summary>
internal sealed class TeamDesk(
    TeamBook book,
    TeamSpread spread,
    TeamClient client,
    HostKey keys,
    OwnProfile profile,
    SelfAddress address,
    MultiClawsOptions options,
    TimeProvider time) : IOwnPlace, IDisposable
{
    /// <summary>Where Tailscale is.</summary>
    public const string Tailscale = "https://tailscale.com/download";

    private const string OtherNetwork =
        " That address is reached within one network only. In another network, install Tailscale on both sides (" + Tailscale + "), sign in to the same tailnet, "
        + "restart both hosts, and ask for a new invite code.";

    private const int MaxTeams = 64;

    private readonly SemaphoreSlim _gate = new(1);

    /// <inheritdoc/>
    public string? SelfUrl => address.Find();

    /// <summary>False: another host of the store says where this one's members find it; two that did would contradict each other without end.</summary>
    public bool MayMove { get; set; } = true;

    /// <inheritdoc/>
    public async ValueTask<string?> WhyIncompleteAsync(CancellationToken cancellationToken)
    {
        var view = await profile.GetAsync(cancellationToken).ConfigureAwait(false);
        return OwnProfile.IsComplete(view)
            ? null
            : "This host's profile is incomplete: its bio is empty. Write a bio of what this assistant can do and which data it has, have the user confirm name and bio, "
                + "save them with multiclaws_profile_set (or: channelbridge profile set), and try again.";
    }

    /// <summary>Makes a team.</summary>
    /// <returns>The team, and a warning or null.</returns>
    public async Task<(Team Team, string? Warning)> CreateAsync(string name, CancellationToken cancellationToken)
    {
        await CheckProfileAsync(cancellationToken).ConfigureAwait(false);
        if (TeamMember.NameFault(name) is { } fault) throw BridgeException.Invalid("name " + fault);
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        CheckRoom();
        var self = address.Find() ?? throw BridgeException.Invalid("This host listens nowhere, so that nobody could join: set Listen:Urls, e.g. to http://0.0.0.0:7788.");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var stored = new StoredTeam
        {
            TeamId = Guid.NewGuid().ToString(),
            TeamName = name,
            SelfUrl = self,
            CreatedAtMs = now,
            Open = options.AllowOpenTeams,
            SecretAtMs = now,
            SecretBy = self,
        };
        // A team for nodes without keys asks for nothing: a secret that only some need to show keeps nobody out.
        var secret = options.AllowOpenTeams ? null : RandomNumberGenerator.GetBytes(InviteCode.SecretBytes);
        var own = await OwnAsync(stored, secret, self, now, now, cancellationToken).ConfigureAwait(false);
        var team = await book.PutAsync(stored, secret, [own], cancellationToken).ConfigureAwait(false);
        return (team, MemberUrls.IsLoopback(self)
            ? "This host listens on this machine only, so that only hosts on it can join: set Listen:Urls to an address that others reach, e.g. http://0.0.0.0:7788."
            : null);
    }

    /// <summary>The code that lets others join.</summary>
    public static string InviteOf(Team team) => new InviteCode(team.Id, team.Stored.SelfUrl, team.Secret).Write();

    /// <summary>Joins a team.</summary>
    public async Task<Team> JoinAsync(string text, CancellationToken cancellationToken)
    {
        var code = InviteCode.Parse(text) ?? throw BridgeException.Invalid("invalid invite code");
        await CheckProfileAsync(cancellationToken).ConfigureAwait(false);
        if (code.Secret is null && !options.AllowOpenTeams)
        {
            throw BridgeException.Invalid(
                "This invite code is of a team that asks for no proof of its members: join it only if you must, with Channels:MultiClaws:AllowOpenTeams=true.");
        }

        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await book.LoadAsync(cancellationToken).ConfigureAwait(false);
            if (book.Find(code.TeamId) is not null) throw BridgeException.Invalid("This host is in that team already.");
            CheckRoom();
            var self = address.Find() ?? throw BridgeException.Invalid(
                "This host listens nowhere, so that the team could not reach it: set Listen:Urls, e.g. to http://0.0.0.0:7788.");
            if (code.Url == self) throw BridgeException.Invalid("This invite code leads to this host itself, which isn't in that team (any more).");
            if (MemberUrls.IsLoopback(self) && !MemberUrls.IsLoopback(code.Url))
                throw BridgeException.Invalid("This host listens on this machine only, so that the team could not reach it: set Listen:Urls, e.g. to http://0.0.0.0:7788.");
            return await EnterAsync(code, self, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Leaves a team.</summary>
    public async Task LeaveAsync(string? teamId, CancellationToken cancellationToken)
    {
        var team = await RequireAsync(teamId, cancellationToken).ConfigureAwait(false);
        var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
        var own = team.Table.Find(key.Public.Id);
        var now = Next(own);
        var last = (own ?? new TeamMember { Url = team.Stored.SelfUrl, JoinedAtMs = now }) with { Left = true, ChangedAtMs = now, Name = "", Description = null };
        await book.ChangeAsync(team, (stored, secret) => (stored with { LeftAtMs = now }, secret), [last.Signed(team.Id, key)], cancellationToken).ConfigureAwait(false);
        spread.OweAll(team);
        if (team.Table.Members.Count == 0) await book.RemoveAsync(team, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives a team another secret: codes that were handed out before admit to nothing.</summary>
    public async Task<Team> RotateAsync(string? teamId, CancellationToken cancellationToken)
    {
        var team = await RequireAsync(teamId, cancellationToken).ConfigureAwait(false);
        if (team.Stored.Open) throw BridgeException.Invalid("This team asks for no secret: make another one without Channels:MultiClaws:AllowOpenTeams.");
        var secret = RandomNumberGenerator.GetBytes(InviteCode.SecretBytes);
        await book.ChangeAsync(
            team,
            (stored, _) => (
                stored with
                {
                    SecretAtMs = Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), stored.SecretAtMs + 1),
                    SecretBy = stored.SelfUrl,
                    Kept = [.. team.Table.Members.Select(static member => member.Id)],
                    Taken = new Dictionary<string, long>(),
                },
                secret),
            [],
            cancellationToken).ConfigureAwait(false);
        spread.OweSecret(team, null);
        return team;
    }

    /// <summary>A team: the named one, or the first.</summary>
    /// <exception cref="BridgeException">There is none.</exception>
    public async ValueTask<Team> RequireAsync(string? teamId, CancellationToken cancellationToken)
    {
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (teamId is null) return book.Teams is [var first, ..] ? first : throw new BridgeException(ErrorCodes.NotFound, "no team exists");
        return book.Find(teamId) ?? throw new BridgeException(ErrorCodes.NotFound, $"team not found: {(TeamIds.IsPlain(teamId) ? teamId : "that is no team's id")}");
    }

    /// <summary>The teams: the named one, or all.</summary>
    public async ValueTask<IReadOnlyList<Team>> ListAsync(string? teamId, CancellationToken cancellationToken)
    {
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        return teamId is null ? book.Teams : book.Find(teamId) is { } team ? [team] : [];
    }

    /// <summary>Tells all teams what has changed about this host: its name, its bio, its address.</summary>
    public async ValueTask TellOwnAsync(CancellationToken cancellationToken)
    {
        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (book.Teams.Count == 0) return;
        var self = address.Find();
        var view = await profile.GetAsync(cancellationToken).ConfigureAwait(false);
        var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
        foreach (var team in book.Teams)
        {
            // An address that can't be found now (no listener yet, no network) is no reason to say another.
            var url = self is null || !MayMove || (MemberUrls.IsLoopback(self) && !team.WithLoopback) ? team.Stored.SelfUrl : self;
            var own = team.Table.Find(key.Public.Id);
            var isTold = own is { Left: false } && own.Url == url && own.Name == view.OwnerName && own.Description == OwnProfile.Describe(view);
            if (isTold && (own!.Admitted is not null || team.Secret is null)) continue;
            var now = Next(own);
            var next = await OwnAsync(team.Stored, team.Secret, url, own is { Left: false } ? own.JoinedAtMs : now, now, cancellationToken).ConfigureAwait(false);
            await book.ChangeAsync(team, (stored, secret) => (stored with { SelfUrl = url }, secret), [next], cancellationToken).ConfigureAwait(false);
            spread.Owe(team, [next], null);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();

    private async Task<Team> EnterAsync(InviteCode code, string self, CancellationToken cancellationToken)
    {
        var withLoopback = MemberUrls.IsLoopback(self);
        var (answer, proof) = await ReachAsync(code, "GET", "members", default, withLoopback, cancellationToken).ConfigureAwait(false);
        if (!answer.IsDone) throw Refused(answer, code.Url, $"failed to fetch team members from {code.Url}: HTTP {answer.Status}");
        if (code.Secret is { } secret && !IsProven(secret, proof.Nonce, answer))
            throw BridgeException.Invalid($"failed to fetch team members from {code.Url}: whoever answers there doesn't have the team's secret");
        var read = answer.Read(TeamJson.Default.MembersAnswer)?.Team;
        if (read?.TeamName is not { } name || TeamMember.NameFault(name) is not null)
            throw BridgeException.Invalid($"failed to fetch team members from {code.Url}: the answer makes no sense");
        var stored = new StoredTeam
        {
            TeamId = code.TeamId,
            TeamName = name,
            SelfUrl = self,
            CreatedAtMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
            Open = code.Secret is null,
            SecretAtMs = read.SecretAtMs,
            SecretBy = read.SecretBy is { Length: <= MemberUrls.MaxLength } by ? by : "",
            Kept = SecretWord.IsPlain(read.Kept) ? read.Kept ?? [] : [],
        };
        var members = TeamWords.Usable(new Team(stored, code.Secret), read.Members, time.GetUtcNow());
        var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
        var before = members.FirstOrDefault(member => member.Id == key.Public.Id);
        var now = Next(before);
        var own = await OwnAsync(stored, code.Secret, self, now, now, cancellationToken).ConfigureAwait(false);
        var (told, _) = await ReachAsync(code, "POST", "announce", Team.Write(own), withLoopback, cancellationToken).ConfigureAwait(false);
        if (!told.IsDone) throw Refused(told, code.Url, $"Failed to announce self to {code.Url}: HTTP {told.Status}");
        var team = await book.PutAsync(stored, code.Secret, [.. members.Where(member => member.Id != own.Id), own], cancellationToken).ConfigureAwait(false);
        // The member that was asked tells the others; whom it doesn't reach, this host may.
        spread.Introduce(team);
        return team;
    }

    private async Task<(MemberAnswer Answer, RequestProof Proof)> ReachAsync(
        InviteCode code, string verb, string what, ReadOnlyMemory<byte> body, bool withLoopback, CancellationToken cancellationToken)
    {
        try
        {
            return await client.AskAsync(verb, code.Url, $"/team/{code.TeamId}/{what}", body, code.Secret, withLoopback, cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.Unavailable)
        {
            var elsewhere = IPAddress.TryParse(new Uri(code.Url).IdnHost, out var ip) && (MemberUrls.IsPrivate(ip) || MemberUrls.IsTailnet(ip));
            throw new BridgeException(
                ErrorCodes.Unavailable,
                $"Unable to reach team seed node at {code.Url}." + (elsewhere ? OtherNetwork : ""),
                fault)
            { Retryable = true };
        }
    }

    private static bool IsProven(byte[] secret, string nonce, MemberAnswer answer) =>
        answer.Proof is { } said
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(said), Encoding.UTF8.GetBytes(RequestProof.Answer(secret, nonce, answer.Body.Span)));

    private static BridgeException Refused(MemberAnswer answer, string url, string message)
    {
        var said = answer.Status switch
        {
            401 or 403 => "the invite code isn't valid (any more), or the clocks of both hosts are more than 5 minutes apart",
            404 => "there is no such team",
            _ => Said(answer),
        };
        return BridgeException.Invalid(said is null ? message : $"{message}: {said}");
    }

    // A stranger's words: short, and only what can be shown.
    private static string? Said(MemberAnswer answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer.Body);
            if (document.RootElement is not { ValueKind: JsonValueKind.Object } said || !said.TryGetProperty("error", out var error)) return null;
            if (error.ValueKind != JsonValueKind.String) return null;
            return new string([.. error.GetString()!.Take(200).Where(static c => !char.IsControl(c))]);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async ValueTask<TeamMember> OwnAsync(StoredTeam team, byte[]? secret, string url, long joinedAt, long changedAt, CancellationToken cancellationToken)
    {
        var view = await profile.GetAsync(cancellationToken).ConfigureAwait(false);
        var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
        var own = new TeamMember { Url = url, Name = view.OwnerName, Description = OwnProfile.Describe(view), JoinedAtMs = joinedAt, ChangedAtMs = changedAt };
        return Admission.Admit(own, team.TeamId, key.Public, secret, team.SecretAtMs).Signed(team.TeamId, key);
    }

    private async ValueTask CheckProfileAsync(CancellationToken cancellationToken)
    {
        if (await WhyIncompleteAsync(cancellationToken).ConfigureAwait(false) is { } why) throw BridgeException.Invalid(why);
    }

    private void CheckRoom()
    {
        if (book.Teams.Count >= MaxTeams) throw new BridgeException(ErrorCodes.QuotaExceeded, $"A host is in {MaxTeams} teams at most; leave one first.");
    }

    // Later than what the others may have of this host, whatever the clock says.
    private long Next(TeamMember? before) => Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), (before?.ChangedAtMs ?? 0) + 1);
}
