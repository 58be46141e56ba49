using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>The agents that the operator has added, a record each.</summary>
internal sealed class AgentBook(IRecords records, TimeProvider time) : IAgentBook
{
    private const string Namespace = "multiclaws.agent";
    private const int Page = 500;
    private Action? _changed;

    /// <inheritdoc/>
    public void OnChange(Action changed) => _changed += changed;

    /// <inheritdoc/>
    public async ValueTask<AgentEntry?> FindAsync(string url, CancellationToken cancellationToken)
    {
        if (AgentUrls.Normalise(url) is not { } key) return null;
        return await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false) is { } record ? Entry(Read(record)) : null;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<AgentEntry>> ListAsync(CancellationToken cancellationToken)
    {
        var found = new List<AgentEntry>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Select(static record => Entry(Read(record))));
            if (page.Count < Page) return [.. found.OrderByDescending(static agent => agent.LastSeenAtMs)];
            after = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<AgentEntry> AddAsync(string url, string? apiKey, CancellationToken cancellationToken)
    {
        var key = AgentUrls.Normalise(url) ?? throw BridgeException.Invalid("url must be an http or https address without a user in it");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var stored = new StoredAgent { Url = key, Name = key, ApiKey = apiKey, AddedAtMs = now, LastSeenAtMs = now };
        await records.WriteAsync(
            new RecordPut { Namespace = Namespace, Key = key, Value = JsonSerializer.SerializeToUtf8Bytes(stored, AgentJson.Default.StoredAgent), At = now },
            cancellationToken).ConfigureAwait(false);
        _changed?.Invoke();
        return Entry(stored);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> RemoveAsync(string url, CancellationToken cancellationToken)
    {
        if (AgentUrls.Normalise(url) is not { } key) return false;
        if (await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false) is null) return false;
        await records.WriteAsync(new RecordDelete { Namespace = Namespace, Key = key }, cancellationToken).ConfigureAwait(false);
        _changed?.Invoke();
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask AuthorizeAsync(AgentEntry agent, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // Whoever listens on the network must not see a key.
        if (!agent.HasKey || request.RequestUri is not { } url || (url.Scheme != "https" && !url.IsLoopback)) return;
        if (await records.GetRecordAsync(Namespace, agent.Url, cancellationToken).ConfigureAwait(false) is { } record && Read(record).ApiKey is { } key)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <inheritdoc/>
    public bool MayConnect(AgentEntry agent, IPAddress address) => true;

    private static StoredAgent Read(StoreRecord record) => JsonSerializer.Deserialize(record.Value.Span, AgentJson.Default.StoredAgent)!;

    private static AgentEntry Entry(StoredAgent agent) => new()
    {
        Url = agent.Url,
        Name = agent.Name,
        HasKey = agent.ApiKey is not null,
        AddedAtMs = agent.AddedAtMs,
        LastSeenAtMs = agent.LastSeenAtMs,
    };
}

/// <summary>An added agent as it is kept.</summary>
internal sealed record StoredAgent
{
    public required string Url { get; init; }

    public required string Name { get; init; }

    public string? ApiKey { get; init; }

    public long AddedAtMs { get; init; }

    public long LastSeenAtMs { get; init; }
}

/// <summary>Serialization of what is kept.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StoredAgent))]
internal sealed partial class AgentJson : JsonSerializerContext;
