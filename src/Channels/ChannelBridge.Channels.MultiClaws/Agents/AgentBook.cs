using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>
/// The agents that the operator has added, a record each, and the members of this host's teams, gone with the last team that they share with it. A key that an added agent
/// wants to see is sealed on disk, is sent over https or on this machine only, and stands in no answer.
/// </summary>
internal sealed class AgentBook(IRecords records, ISecretSeal seal, TeamBook teams, HostKey keys, MultiClawsOptions options, TimeProvider time) : IAgentBook
{
    private const string Namespace = "multiclaws.agent";
    private const int Page = 500;
    private const int MostAgents = 10_000;
    private const int MaxKey = 4096;

    private readonly AllowedPlaces _places = new(options.Networks);
    private Action? _changed;
    private int _hears;

    /// <inheritdoc/>
    public void OnChange(Action changed)
    {
        _changed += changed;
        if (Interlocked.Exchange(ref _hears, 1) == 0) teams.OnChange(() => _changed?.Invoke());
    }

    /// <inheritdoc/>
    public async ValueTask<AgentEntry?> FindAsync(string url, CancellationToken cancellationToken)
    {
        if (AgentUrls.Normalise(url) is not { } key) return null;
        var added = await ReadAsync(key, cancellationToken).ConfigureAwait(false);
        var member = (await MembersAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(key);
        return added is null ? member : With(Entry(added), member);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<AgentEntry>> ListAsync(CancellationToken cancellationToken)
    {
        var members = await MembersAsync(cancellationToken).ConfigureAwait(false);
        var found = new List<AgentEntry>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                var added = Entry(Read(record));
                members.Remove(added.Url, out var member);
                found.Add(With(added, member));
            }

            if (page.Count < Page) break;
            after = page[^1].Key;
        }

        return [.. found.Concat(members.Values).OrderByDescending(static agent => agent.LastSeenAtMs).ThenBy(static agent => agent.Url, StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public ValueTask<AgentEntry> AddAsync(string url, string? apiKey, CancellationToken cancellationToken) => AddAsync(url, apiKey, null, cancellationToken);

    /// <summary>Adds an agent with what its card says of it, or changes the one with the address. A key that was given before stays unless there is another one.</summary>
    public async ValueTask<AgentEntry> AddAsync(string url, string? apiKey, AgentCardFacts? card, CancellationToken cancellationToken)
    {
        var key = AgentUrls.Normalise(url) ?? throw BridgeException.Invalid("url must be an http or https address without a user in it");
        if (apiKey is { } given && (given.Length > MaxKey || given.Any(static c => c is <= ' ' or > '~')))
            throw BridgeException.Invalid("apiKey has characters that no key has, or too many");
        CheckPlace(key);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var before = await ReadAsync(key, cancellationToken).ConfigureAwait(false);
        if (before is null) await CheckRoomAsync(cancellationToken).ConfigureAwait(false);
        var stored = new StoredAgent
        {
            Url = key,
            Name = card?.Name ?? before?.Name ?? key,
            Description = card?.Description ?? before?.Description,
            Skills = card?.Skills ?? before?.Skills,
            SealedKey = apiKey is { Length: > 0 } ? seal.Seal(Encoding.UTF8.GetBytes(apiKey), Purpose(key)) : before?.SealedKey,
            AddedAtMs = before?.AddedAtMs ?? now,
            LastSeenAtMs = now,
        };
        await records.WriteAsync(
            new RecordPut { Namespace = Namespace, Key = key, Value = JsonSerializer.SerializeToUtf8Bytes(stored, AgentJson.Default.StoredAgent), At = now },
            cancellationToken).ConfigureAwait(false);
        _changed?.Invoke();
        var member = (await MembersAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(key);
        return With(Entry(stored), member);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> RemoveAsync(string url, CancellationToken cancellationToken)
    {
        if (AgentUrls.Normalise(url) is not { } key || await ReadAsync(key, cancellationToken).ConfigureAwait(false) is null) return false;
        await records.WriteAsync(new RecordDelete { Namespace = Namespace, Key = key }, cancellationToken).ConfigureAwait(false);
        _changed?.Invoke();
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask AuthorizeAsync(AgentEntry agent, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri is not { } url) return;
        if (agent.TeamIds.Count > 0)
        {
            // Members know each other by their keys. One without a key knows nobody, and asks for nothing.
            if (!KnowsKeys(agent.Url)) return;
            var key = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
            var body = request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            var proof = RequestProof.Make(key, request.Method.Method, agent.Url, url, body, time.GetUtcNow());
            request.Headers.Authorization = new AuthenticationHeaderValue(RequestProof.Scheme, proof.Write());
            return;
        }

        // Whoever listens on the network must not see a key.
        if (!agent.HasKey || (url.Scheme != "https" && !url.IsLoopback)) return;
        if (await ReadAsync(agent.Url, cancellationToken).ConfigureAwait(false) is not { SealedKey: { } closed } stored) return;
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Encoding.UTF8.GetString(seal.Open(closed, Purpose(stored.Url))));
    }

    /// <inheritdoc/>
    public bool MayConnect(AgentEntry agent, IPAddress address) =>
        _places.Allows(address, withLoopback: agent.TeamIds.Count == 0 || agent.TeamIds.Any(id => teams.Find(id) is { WithLoopback: true }));

    private bool KnowsKeys(string url) => teams.Teams.Any(team => team.Table.Members.Any(member => member.Url == url && member.Key is not null));

    /// <summary>Refuses an address where no agent may be called.</summary>
    public void CheckPlace(string url)
    {
        if (IPAddress.TryParse(new Uri(url).IdnHost, out var address) && !_places.Allows(address, withLoopback: true))
            throw BridgeException.Invalid("url leads where no agent may be called; the setting Channels:MultiClaws:Networks says where");
    }

    private async ValueTask CheckRoomAsync(CancellationToken cancellationToken)
    {
        var count = 0;
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, 1000, cancellationToken).ConfigureAwait(false);
            count += page.Count;
            if (count >= MostAgents) throw new BridgeException(ErrorCodes.QuotaExceeded, $"At most {MostAgents} agents are kept; remove some first.");
            if (page.Count < 1000) return;
            after = page[^1].Key;
        }
    }

    private async ValueTask<Dictionary<string, AgentEntry>> MembersAsync(CancellationToken cancellationToken)
    {
        await teams.LoadAsync(cancellationToken).ConfigureAwait(false);
        var self = keys.Known?.Public.Id;
        var found = new Dictionary<string, AgentEntry>(StringComparer.Ordinal);
        foreach (var team in teams.Teams)
        {
            foreach (var member in team.Table.Members.Where(member => member.Id != self && member.Url != team.Stored.SelfUrl))
            {
                var before = found.GetValueOrDefault(member.Url);
                found[member.Url] = new AgentEntry
                {
                    Url = member.Url,
                    Name = member.Name.Length > 0 ? member.Name : member.Url,
                    Description = member.Description ?? "",
                    TeamIds = [.. before?.TeamIds ?? [], team.Id],
                    AddedAtMs = Math.Min(before?.AddedAtMs ?? long.MaxValue, member.JoinedAtMs),
                    LastSeenAtMs = Math.Max(before?.LastSeenAtMs ?? 0, member.ChangedAtMs),
                };
            }
        }

        return found;
    }

    private async ValueTask<StoredAgent?> ReadAsync(string key, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false) is { } record ? Read(record) : null;

    private static StoredAgent Read(StoreRecord record) => JsonSerializer.Deserialize(record.Value.Span, AgentJson.Default.StoredAgent)!;

    private static string Purpose(string url) => $"{Namespace}/{url}";

    // What a member says of itself is newer than its card was; that it was added, and its key, stay.
    private static AgentEntry With(AgentEntry added, AgentEntry? member) => member is null ? added : added with
    {
        Name = member.Name,
        Description = member.Description,
        TeamIds = member.TeamIds,
        LastSeenAtMs = Math.Max(added.LastSeenAtMs, member.LastSeenAtMs),
    };

    private static AgentEntry Entry(StoredAgent agent) => new()
    {
        Url = agent.Url,
        Name = agent.Name,
        Description = agent.Description ?? "",
        Skills = agent.Skills ?? [],
        HasKey = agent.SealedKey is not null,
        AddedAtMs = agent.AddedAtMs,
        LastSeenAtMs = agent.LastSeenAtMs,
    };
}
