using System.Collections.Concurrent;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>The teams of this host, in memory and on disk.</summary>
internal sealed class TeamBook(IRecords records, ISecretSeal seal, HostKey key, TimeProvider time) : IDisposable
{
    private const string TeamNamespace = "multiclaws.team";
    private const string MemberNamespace = "multiclaws.member";
    private const int Page = 500;

    private readonly ConcurrentDictionary<string, Team> _teams = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _rights = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1);
    private Action? _changed;
    private volatile bool _loaded;

    /// <summary>The teams that this host is in, the oldest first.</summary>
    public IReadOnlyList<Team> Teams =>
        [.. _teams.Values.Where(static team => !team.IsLeft).OrderBy(static team => team.Stored.CreatedAtMs).ThenBy(static team => team.Id, StringComparer.Ordinal)];

    /// <summary>The teams that it has left, whose members are still being told.</summary>
    public IReadOnlyList<Team> Left => [.. _teams.Values.Where(static team => team.IsLeft)];

    /// <summary>Has something called after teams or members changed.</summary>
    public void OnChange(Action changed) => _changed += changed;

    /// <summary>A team that this host is in, or null.</summary>
    public Team? Find(string id) => _teams.TryGetValue(id, out var team) && !team.IsLeft ? team : null;

    /// <summary>A team that this host is in or has left, or null.</summary>
    public Team? FindAny(string id) => _teams.GetValueOrDefault(id);

    /// <summary>The teams in which somebody is a member.</summary>
    public IReadOnlyList<Team> TeamsOf(string memberId) => [.. Teams.Where(team => team.Table.Find(memberId) is { Left: false })];

    /// <summary>Signalled when somebody is a member of no team any more.</summary>
    public CancellationToken RightsOf(string memberId)
    {
        var token = _rights.GetOrAdd(memberId, static _ => new CancellationTokenSource()).Token;
        // It may have left between the look and this.
        if (TeamsOf(memberId).Count == 0) EndRights(memberId);
        return token;
    }

    /// <summary>Reads everything, once.</summary>
    public async ValueTask LoadAsync(CancellationToken cancellationToken)
    {
        if (_loaded) return;
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_loaded) await ReadAsync(cancellationToken).ConfigureAwait(false);
            _loaded = true;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Reads what other hosts of the store have changed.</summary>
    public async ValueTask RefreshAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Adds a team, or puts another one of its id in its place.</summary>
    public async ValueTask<Team> PutAsync(StoredTeam stored, byte[]? secret, IReadOnlyList<TeamMember> members, CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken).ConfigureAwait(false);
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var team = new Team(Sealed(stored, secret), secret);
            foreach (var member in members) team.Table.Merge(member);
            var before = _teams.GetValueOrDefault(team.Id)?.Table.All ?? [];
            var writes = new List<RecordWrite>();
            writes.AddRange(before.Where(old => team.Table.Find(old.Id) is null).Select(old => DeleteOf(team.Id, old.Id)));
            writes.Add(PutOf(team.Stored));
            writes.AddRange(team.Table.All.Select(member => PutOf(team.Id, member)));
            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
            _teams[team.Id] = team;
            Changed(before.Select(static member => member.Id));
            return team;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Changes what is kept of a team itself.</summary>
    /// <param name="team">The team.</param>
    /// <param name="change">What is to hold, of what holds now; null: nothing changes.</param>
    /// <param name="members">Records that change in the same commit.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>False: nothing changed.</returns>
    public async ValueTask<bool> ChangeAsync(
        Team team, Func<StoredTeam, byte[]?, (StoredTeam Stored, byte[]? Secret)?> change, IReadOnlyList<TeamMember> members, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (change(team.Stored, team.Secret) is not { } next) return false;
            var stored = next.Secret == team.Secret ? next.Stored : Sealed(next.Stored, next.Secret);
            var writes = new List<RecordWrite> { PutOf(stored) };
            var taken = members.Where(member => team.Table.Find(member.Id) is not { } known || member.IsLaterThan(known)).ToList();
            writes.AddRange(taken.Select(member => PutOf(team.Id, member)));
            // With another secret, whoever was let in by the one before and is kept by nobody is no member any more; but for those whom this host let in earlier.
            bool IsTaken(TeamMember member) => team.Stored.Taken.TryGetValue(member.Id, out var at) && at <= stored.SecretAtMs;
            List<string> outside = next.Secret == team.Secret || stored.LeftAtMs > 0
                ? []
                : [.. team.Table.Members.Where(member => member.Id != key.Known?.Public.Id && !Admission.Admits(stored, next.Secret, member) && !IsTaken(member))
                    .Select(static member => member.Id)];
            writes.AddRange(outside.Select(id => DeleteOf(team.Id, id)));
            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
            foreach (var member in taken) team.Table.Merge(member);
            team.Table.Remove(outside);
            team.Accept(stored, next.Secret);
            Changed([.. team.Table.All.Select(static member => member.Id), .. outside]);
            return true;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Takes records, whose <see cref="TeamMember.Fault"/> is null, into a team.</summary>
    /// <param name="team">The team.</param>
    /// <param name="members">The records.</param>
    /// <param name="isJoin">True: they come from somebody who has shown this host itself that it has the secret.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>What became of each, in their order.</returns>
    public async ValueTask<IReadOnlyList<Merged>> MergeAsync(Team team, IReadOnlyList<TeamMember> members, bool isJoin, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // On the disk first: what is passed on, and whose requests are taken, must outlive this process.
            var trial = new MemberTable();
            foreach (var known in team.Table.All) trial.Merge(known);
            var dropped = new List<string>();
            var results = members.Select(member => IsAdmitted(team, trial, member) ? trial.Merge(member, dropped) : Merged.NotAdmitted).ToList();
            var taken = members.Where((_, i) => results[i] == Merged.Changed).DistinctBy(static member => (member.Id, member.ChangedAtMs, member.Url)).ToList();
            if (taken.Count == 0) return results;
            var writes = new List<RecordWrite>();
            writes.AddRange(dropped.Where(id => trial.Find(id) is null).Distinct().Select(id => DeleteOf(team.Id, id)));
            writes.AddRange(taken.Select(static member => member.Id).Distinct().Select(id => trial.Find(id)).OfType<TeamMember>().Select(member => PutOf(team.Id, member)));
            var stored = team.Stored;
            if (isJoin && team.Secret is not null)
            {
                stored = stored with { Taken = new Dictionary<string, long>(stored.Taken.Where(one => trial.Find(one.Key) is { Left: false })) { [taken[0].Id] = Now() } };
                writes.Add(PutOf(stored));
            }

            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
            foreach (var member in taken) team.Table.Merge(member);
            team.Accept(stored, team.Secret);
            Changed([.. taken.Select(static member => member.Id), .. dropped]);
            return results;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Forgets a team.</summary>
    public async ValueTask RemoveAsync(Team team, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_teams.TryGetValue(team.Id, out var now) || !ReferenceEquals(now, team)) return;
            var members = team.Table.All;
            RecordWrite[] writes = [.. members.Select(member => DeleteOf(team.Id, member.Id)), new RecordDelete { Namespace = TeamNamespace, Key = team.Id }];
            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
            _teams.TryRemove(team.Id, out _);
            Changed(members.Select(static member => member.Id));
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _gate.Dispose();
        foreach (var rights in _rights.Values) rights.Dispose();
    }

    // Who leaves, and who is a member already, needs to show nothing.
    private static bool IsAdmitted(Team team, MemberTable known, TeamMember member) =>
        member.Left || known.Find(member.Id) is { Left: false } || Admission.Admits(team.Stored, team.Secret, member);

    private async ValueTask ReadAsync(CancellationToken cancellationToken)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var kept in AllAsync(TeamNamespace, null, cancellationToken).ConfigureAwait(false))
        {
            var stored = JsonSerializer.Deserialize(kept.Value.Span, TeamJson.Default.StoredTeam)!;
            var secret = stored.SealedSecret is { } closed ? seal.Open(closed, Purpose(stored.TeamId)) : null;
            found.Add(stored.TeamId);
            var team = _teams.GetOrAdd(stored.TeamId, static (_, state) => new Team(state.stored, state.secret), (stored, secret));
            team.Accept(stored, secret);
            var ids = new HashSet<string>(StringComparer.Ordinal);
            await foreach (var record in AllAsync(MemberNamespace, stored.TeamId, cancellationToken).ConfigureAwait(false))
            {
                var member = JsonSerializer.Deserialize(record.Value.Span, TeamJson.Default.TeamMember)!;
                ids.Add(member.Id);
                team.Table.Merge(member);
            }

            // What another host of the store has dropped; whatever this one knows stood there before.
            team.Table.Remove([.. team.Table.All.Select(static member => member.Id).Where(id => !ids.Contains(id))]);
        }

        foreach (var gone in _teams.Keys.Except(found).ToList()) _teams.TryRemove(gone, out _);
        // What is signed with the key can be made from now on.
        await key.FindAsync(cancellationToken).ConfigureAwait(false);
        Changed(_rights.Keys);
    }

    private async IAsyncEnumerable<StoreRecord> AllAsync(
        string ns, string? index, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(ns, index, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) yield return record;
            if (page.Count < Page) yield break;
            after = page[^1].Key;
        }
    }

    private void Changed(IEnumerable<string> members)
    {
        foreach (var member in members.Where(id => _rights.ContainsKey(id) && TeamsOf(id).Count == 0).ToList()) EndRights(member);
        _changed?.Invoke();
    }

    private void EndRights(string memberId)
    {
        if (_rights.TryRemove(memberId, out var rights)) rights.Cancel();
    }

    private StoredTeam Sealed(StoredTeam stored, byte[]? secret) => stored with { SealedSecret = secret is null ? null : seal.Seal(secret, Purpose(stored.TeamId)) };

    private static string Purpose(string teamId) => $"multiclaws.team/{teamId}";

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private RecordPut PutOf(StoredTeam team) => new()
    {
        Namespace = TeamNamespace,
        Key = team.TeamId,
        Value = JsonSerializer.SerializeToUtf8Bytes(team, TeamJson.Default.StoredTeam),
        At = Now(),
    };

    private RecordPut PutOf(string teamId, TeamMember member) =>
        new() { Namespace = MemberNamespace, Key = $"{teamId}/{member.Id}", Index = teamId, Value = Team.Write(member), At = Now() };

    private static RecordDelete DeleteOf(string teamId, string memberId) => new() { Namespace = MemberNamespace, Key = $"{teamId}/{memberId}" };
}
