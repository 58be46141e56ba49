using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Tells members what they don't know yet. What is known already is passed on to nobody, so that each announcement ends. Who can't be told is owed it, and asked again
/// and again with growing pauses; then, and after each start of this host, both sides compare all that they know: whoever was away learns at its return what it missed,
/// from the first member who reaches it.
/// </summary>
internal sealed partial class TeamSpread(TeamBook book, TeamClient client, HostKey keys, TimeProvider time, Random random, ILogger<TeamSpread> logger) : IDisposable
{
    private const int MostAtOnce = 8;
    private const int MostInOneBody = 16;

    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_refusedPause = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_farewell = TimeSpan.FromDays(1);

    private readonly Dictionary<(string Team, string Member), Debt> _debts = [];
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    /// <summary>How many members are owed something; for diagnostics and tests.</summary>
    public int Owed
    {
        get
        {
            lock (_gate) return _debts.Count;
        }
    }

    /// <summary>Begins: everybody is compared with.</summary>
    public void Start()
    {
        foreach (var team in book.Teams.Concat(book.Left)) OweAll(team);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Ends. What is owed is compared after the next start.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Dispose();
        _wake.Dispose();
    }

    /// <summary>Has records passed on to all members but some.</summary>
    /// <param name="team">The team.</param>
    /// <param name="members">The records.</param>
    /// <param name="except">Ids of those who know them, or null.</param>
    public void Owe(Team team, IReadOnlyCollection<TeamMember> members, string? except)
    {
        if (members.Count == 0) return;
        foreach (var other in OthersOf(team))
        {
            // Nobody is told of itself.
            var news = members.Select(static member => member.Id).Where(id => id != other.Id).ToList();
            if (news.Count > 0 && other.Id != except) Owe(team.Id, other.Id, debt => debt.Records.UnionWith(news));
        }

        Wake();
    }

    /// <summary>Has the team's new secret passed on to all members but one.</summary>
    public void OweSecret(Team team, string? except)
    {
        foreach (var other in OthersOf(team).Where(other => other.Id != except)) Owe(team.Id, other.Id, static debt => debt.Secret = true);
        Wake();
    }

    /// <summary>Has everything compared with all members.</summary>
    public void OweAll(Team team)
    {
        foreach (var other in OthersOf(team)) Owe(team.Id, other.Id, static debt => debt.Whole = true);
        Wake();
    }

    /// <summary>This host is new: it shows all members that it has the secret, whoever tells them of it meanwhile, and compares then.</summary>
    public void Introduce(Team team)
    {
        foreach (var other in OthersOf(team)) Owe(team.Id, other.Id, static debt => debt.Introduce = debt.Whole = true);
        Wake();
    }

    /// <summary>Somebody was heard who may have been away: what it is owed is told now.</summary>
    public void Heard(string memberId)
    {
        var any = false;
        lock (_gate)
        {
            foreach (var (_, debt) in _debts.Where(pair => pair.Key.Member == memberId && pair.Value.Failures > 0))
            {
                debt.DueAt = time.GetUtcNow();
                any = true;
            }
        }

        if (any) Wake();
    }

    private IEnumerable<TeamMember> OthersOf(Team team)
    {
        var self = keys.Known?.Public.Id;
        return team.Table.Members.Where(member => member.Id != self && member.Url != team.Stored.SelfUrl);
    }

    private void Owe(string team, string member, Action<Debt> what)
    {
        lock (_gate)
        {
            if (!_debts.TryGetValue((team, member), out var debt)) _debts[(team, member)] = debt = new Debt { DueAt = time.GetUtcNow() };
            what(debt);
            debt.Version++;
        }
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
    }

    private async Task RunAsync()
    {
        var working = new List<Task>();
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                working.RemoveAll(static task => task.IsCompleted);
                TimeSpan? next = null;
                lock (_gate)
                {
                    var now = time.GetUtcNow();
                    foreach (var (key, debt) in _debts.OrderBy(static pair => pair.Value.DueAt))
                    {
                        if (debt.Running) continue;
                        if (debt.DueAt > now || working.Count >= MostAtOnce)
                        {
                            if (debt.DueAt > now) next = debt.DueAt - now;
                            break;
                        }

                        debt.Running = true;
                        working.Add(TellAsync(key.Team, key.Member, debt));
                    }
                }

                await WaitAsync(next).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }

        await Task.WhenAll(working).ConfigureAwait(false);
    }

    private async Task WaitAsync(TimeSpan? next)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var woken = _wake.WaitAsync(either.Token);
        if (next is { } pause) await Task.WhenAny(woken, Task.Delay(pause, time, either.Token)).ConfigureAwait(false);
        else await woken.ConfigureAwait(false);
        await either.CancelAsync().ConfigureAwait(false);
        await woken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Token.ThrowIfCancellationRequested();
    }

    private async Task TellAsync(string teamId, string memberId, Debt debt)
    {
        await Task.Yield();
        var (records, whole, secret, version) = Take(debt);
        TimeSpan? pause = null;
        try
        {
            pause = await TryTellAsync(teamId, memberId, debt, records, whole, secret, version).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The next start compares.
        }
        catch (Exception fault)
        {
            pause = Fail(debt, teamId, memberId, fault is BridgeException known ? known.Code : fault.GetType().Name);
            if (fault is not BridgeException) LogFault(fault, teamId);
        }

        lock (_gate)
        {
            debt.Running = false;
            if (pause is { } wait) debt.DueAt = time.GetUtcNow() + wait;
            else if (debt.Version == version) _debts.Remove((teamId, memberId));
        }

        if (pause is null && book.FindAny(teamId) is { IsLeft: true } left) await ForgetAsync(left).ConfigureAwait(false);
        Wake();
    }

    /// <returns>When to try again; null: it is told.</returns>
    private async Task<TimeSpan?> TryTellAsync(string teamId, string memberId, Debt debt, List<string> records, bool whole, bool secret, int version)
    {
        if (book.FindAny(teamId) is not { } team || team.Table.Find(memberId) is not { Left: false } member) return null;
        var news = records.Select(id => team.Table.Find(id)).OfType<TeamMember>().ToList();
        // Who was missed before may have missed more.
        whole |= debt.Failures > 0;
        MemberAnswer? answer = null;
        if (team.IsLeft)
        {
            if (time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(team.Stored.LeftAtMs) > s_farewell) return null;
            answer = await PostAsync(team, member, OwnOf(team), null, _stop.Token).ConfigureAwait(false);
            // Whoever doesn't know the team, or us, needs not be told that we have left.
            if (answer is { Status: 400 or 401 or 403 or 404 }) answer = null;
        }
        else if (debt.Introduce && OwnOf(team) is [var own])
        {
            answer = await PostAsync(team, member, [own], team.Secret, _stop.Token).ConfigureAwait(false);
            if (answer.IsDone) debt.Introduce = false;
        }

        if (whole && !team.IsLeft && answer is null or { IsDone: true })
        {
            (answer, news, secret) = await CompareAsync(team, member, _stop.Token).ConfigureAwait(false);
        }

        if (answer is null or { IsDone: true } && !team.IsLeft)
        {
            foreach (var part in news.Chunk(MostInOneBody))
            {
                answer = await PostAsync(team, member, part, null, _stop.Token).ConfigureAwait(false);
                if (!answer.IsDone) break;
            }

            if (secret && answer is null or { IsDone: true }) answer = await TellSecretAsync(team, member, _stop.Token).ConfigureAwait(false) ?? answer;
        }

        if (answer is null or { IsDone: true })
        {
            if (debt.Failures > 0) LogTold(member.Url, teamId, debt.Failures);
            debt.Failures = 0;
            lock (_gate)
            {
                // What came meanwhile is told in another round; what is told is owed no more.
                if (debt.Version == version) return null;
            }

            return TimeSpan.Zero;
        }

        var failed = Fail(debt, teamId, memberId, $"HTTP {answer.Status}");
        if (answer.Status is 401 or 403 or 404) return debt.Failures > 3 ? s_refusedPause : failed;
        return answer.RetryAfter is { } asked && asked > failed ? asked : failed;
    }

    /// <summary>Learns what a member knows, and finds out what it doesn't.</summary>
    private async Task<(MemberAnswer Answer, List<TeamMember> Lacking, bool Secret)> CompareAsync(Team team, TeamMember member, CancellationToken cancellationToken)
    {
        var (answer, _) = await client.AskAsync("GET", member.Url, $"/team/{team.Id}/members", default, null, team.WithLoopback, cancellationToken).ConfigureAwait(false);
        if (!answer.IsDone) return (answer, [], false);
        var read = answer.Read(TeamJson.Default.MembersAnswer);
        var told = TeamWords.Usable(team, read?.Team?.Members, time.GetUtcNow());
        await TakeAsync(team, told, member.Id, cancellationToken).ConfigureAwait(false);
        var secret = false;
        if (read?.Secret is { } word && MemberPublicKey.Parse(member.Key) is { } theirs && word.IsOf(theirs, team.Id))
        {
            if (await TakeSecretAsync(team, word, cancellationToken).ConfigureAwait(false)) OweSecret(team, member.Id);
            secret = SecretWord.IsLater(team.Stored.SecretAtMs, team.Stored.SecretBy, word.ChangedAtMs, word.By ?? "");
        }

        var known = told.ToDictionary(static record => record.Id, StringComparer.Ordinal);
        var lacking = team.Table.All.Where(own => own.Id != member.Id && (!known.TryGetValue(own.Id, out var theirs) || own.IsLaterThan(theirs))).ToList();
        return (answer, lacking, secret);
    }

    /// <summary>Takes records that somebody has told, and passes on what was new.</summary>
    /// <returns>What became of each.</returns>
    public async ValueTask<IReadOnlyList<Merged>> TakeAsync(
        Team team, IReadOnlyList<TeamMember> members, string? from, CancellationToken cancellationToken, bool isJoin = false)
    {
        var results = await book.MergeAsync(team, members, isJoin, cancellationToken).ConfigureAwait(false);
        var news = members.Where((_, i) => results[i] == Merged.Changed).Select(member => team.Table.Find(member.Id)).OfType<TeamMember>().Distinct().ToList();
        if (news.Count > 0) LogChanged(team.Id, news.Count);
        Owe(team, news, from);
        return results;
    }

    /// <summary>Takes a secret that a member has told.</summary>
    /// <returns>True: it is new here.</returns>
    public async ValueTask<bool> TakeSecretAsync(Team team, SecretWord word, CancellationToken cancellationToken)
    {
        if (word.By is not { Length: <= MemberUrls.MaxLength } by || word.ChangedAtMs > (time.GetUtcNow() + RequestProof.Skew).ToUnixTimeMilliseconds()) return false;
        if (team.Secret is null || !SecretWord.IsLater(word.ChangedAtMs, by, team.Stored.SecretAtMs, team.Stored.SecretBy)) return false;
        var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
        if (!SecretWord.IsPlain(word.Kept)) return false;
        if (SecretBox.Open(key, word.Box, SecretWord.About(team.Id, word.ChangedAtMs, by, word.Kept)) is not { Length: InviteCode.SecretBytes } secret) return false;
        // Who isn't among those who stay shows the others that it has the new secret.
        var at = time.GetUtcNow().ToUnixTimeMilliseconds();
        TeamMember[] own = word.Kept?.Contains(key.Public.Id) != true && team.Table.Find(key.Public.Id) is { Left: false } known
            ? [Admission.Admit(known with { ChangedAtMs = Math.Max(at, known.ChangedAtMs + 1) }, team.Id, key.Public, secret, word.ChangedAtMs).Signed(team.Id, key)]
            : [];
        var isNew = await book.ChangeAsync(
            team,
            (now, before) => before is not null && SecretWord.IsLater(word.ChangedAtMs, by, now.SecretAtMs, now.SecretBy)
                ? (now with { SecretAtMs = word.ChangedAtMs, SecretBy = by, Kept = word.Kept ?? [], Taken = new Dictionary<string, long>() }, secret)
                : null,
            own,
            cancellationToken).ConfigureAwait(false);
        if (isNew) Owe(team, own, null);
        return isNew;
    }

    private async Task<MemberAnswer> PostAsync(Team team, TeamMember member, TeamMember[] records, byte[]? secret, CancellationToken cancellationToken)
    {
        var (path, body) = records is [var only]
            ? (only.Left ? "leave" : only.Id == keys.Known?.Public.Id && only.ChangedAtMs > only.JoinedAtMs ? "profile-update" : "announce", Team.Write(only))
            : ("announce", JsonSerializer.SerializeToUtf8Bytes(new AnnounceBatch { Members = records }, TeamJson.Default.AnnounceBatch));
        return (await client.AskAsync("POST", member.Url, $"/team/{team.Id}/{path}", body, secret, team.WithLoopback, cancellationToken).ConfigureAwait(false)).Answer;
    }

    /// <summary>The team's secret for a member; null in an open team.</summary>
    public async ValueTask<SecretWord?> SecretForAsync(Team team, MemberPublicKey member, CancellationToken cancellationToken) =>
        team.SecretFor(member, await keys.GetAsync(cancellationToken).ConfigureAwait(false));

    private async Task<MemberAnswer?> TellSecretAsync(Team team, TeamMember member, CancellationToken cancellationToken)
    {
        if (MemberPublicKey.Parse(member.Key) is not { } to || await SecretForAsync(team, to, cancellationToken).ConfigureAwait(false) is not { } word) return null;
        var body = JsonSerializer.SerializeToUtf8Bytes(word, TeamJson.Default.SecretWord);
        return (await client.AskAsync("POST", member.Url, $"/team/{team.Id}/rotate", body, null, team.WithLoopback, cancellationToken).ConfigureAwait(false)).Answer;
    }

    private TeamMember[] OwnOf(Team team) => keys.Known is { } key && team.Table.Find(key.Public.Id) is { } own ? [own] : [];

    /// <summary>A team that was left is forgotten when all know it, or when it is long ago.</summary>
    private async Task ForgetAsync(Team team)
    {
        lock (_gate)
        {
            if (_debts.Keys.Any(key => key.Team == team.Id) && time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(team.Stored.LeftAtMs) < s_farewell) return;
            foreach (var key in _debts.Keys.Where(key => key.Team == team.Id).ToList()) _debts.Remove(key);
        }

        try
        {
            await book.RemoveAsync(team, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is BridgeException or OperationCanceledException)
        {
            // After the next start it is told and forgotten once more.
        }
    }

    private (List<string> Records, bool Whole, bool Secret, int Version) Take(Debt debt)
    {
        lock (_gate)
        {
            var taken = ((List<string>)[.. debt.Records], debt.Whole, debt.Secret, debt.Version);
            return taken;
        }
    }

    private TimeSpan Fail(Debt debt, string teamId, string memberId, string reason)
    {
        if (debt.Failures++ == 0) LogNotTold(book.FindAny(teamId)?.Table.Find(memberId)?.Url ?? memberId, teamId, reason);
        var pause = s_firstPause * Math.Pow(2, Math.Min(debt.Failures - 1, 10));
        if (pause > s_longestPause) pause = s_longestPause;
        return pause * (0.5 + random.NextDouble());
    }

    [LoggerMessage(LogEvents.MemberNotTold, LogLevel.Information, "The member {Url} of the team {Team} could not be told what is new ({Reason}); it is told when it is back")]
    private partial void LogNotTold(string url, string team, string reason);

    [LoggerMessage(LogEvents.MemberToldAtLast, LogLevel.Information, "The member {Url} of the team {Team} is told what it missed, after {Failures} failed tries")]
    private partial void LogTold(string url, string team, int failures);

    [LoggerMessage(LogEvents.TeamSpreadFault, LogLevel.Error, "Telling members of the team {Team} failed")]
    private partial void LogFault(Exception fault, string team);

    [LoggerMessage(LogEvents.TeamChanged, LogLevel.Information, "The team {Team} has {Count} new or changed members")]
    private partial void LogChanged(string team, int count);

    /// <summary>What one member is to be told.</summary>
    private sealed class Debt
    {
        public HashSet<string> Records { get; } = new(StringComparer.Ordinal);

        public bool Whole { get; set; }

        public bool Secret { get; set; }

        public bool Introduce { get; set; }

        public int Failures { get; set; }

        public int Version { get; set; }

        public DateTimeOffset DueAt { get; set; }

        public bool Running { get; set; }
    }
}
