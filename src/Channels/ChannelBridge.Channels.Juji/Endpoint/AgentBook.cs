using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Identity;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>
/// The members: registered by key or wallet, known by their token, and by their signature where they have a key. Read from the store each time, so that every host
/// of it knows the same.
/// </summary>
internal sealed class AgentBook(IRecords records, JujiEndpointOptions options, TimeProvider time)
{
    private const string Agents = "juji-endpoint.agent";
    private const string Keys = "juji-endpoint.key";
    private const string Wallets = "juji-endpoint.wallet";
    private const string Own = "juji-endpoint.own";
    private const string Numbers = "juji-endpoint.agents";
    private const int MostFormer = 64;
    private const int MostTries = 10;
    private const int Page = 500;
    private const long SkewSeconds = 300;
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(10);

    /// <summary>Registers an agent, or gives one that is known a new token; the former one holds for ten minutes.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>, <c>CONFLICT</c>: key and wallet are those of two agents; <c>BUSY</c>.</exception>
    public async ValueTask<(AgentRecord Agent, string Token)> RegisterAsync(RegisterRequest request, CancellationToken cancellationToken)
    {
        var key = KeyOf(request.PublicKey);
        var wallet = WordOf(request.Wallet, "wallet_address", 256);
        if (key is null && wallet is null) throw BridgeException.Invalid("public_key or wallet_address is needed");
        var name = TextOf(request.Name, "name", 200);
        var endpoint = TextOf(request.Endpoint, "endpoint", 1000);
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        for (var i = 0; i < MostTries; i++)
        {
            var id = await IdAsync(key, wallet, cancellationToken).ConfigureAwait(false);
            var stored = await records.GetRecordAsync(Agents, KeyText(id), cancellationToken).ConfigureAwait(false);
            var known = stored is null ? null : Read(stored);
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            if (known is { PublicKey: { } has } && key is not null && has != key) throw Conflict();
            if (known is { Wallet: { } owns } && wallet is not null && owns != wallet) throw Conflict();
            // A key is added to an agent by nobody but who has its token, and registration shows none.
            if (known is { PublicKey: null } && key is not null) throw Conflict();
            var agent = (known ?? new AgentRecord { Id = id, RegisteredAt = now }) with
            {
                PublicKey = known?.PublicKey ?? key,
                Wallet = known?.Wallet ?? wallet,
                Name = name ?? known?.Name,
                Endpoint = endpoint ?? known?.Endpoint,
                TokenHash = HashOf(token),
                Former =
                [
                    .. (known?.Former ?? []).Append(known?.TokenHash is { } replaced ? new FormerToken(replaced, now + (long)Grace.TotalMilliseconds) : null)
                        .OfType<FormerToken>().Where(former => former.Until > now).TakeLast(MostFormer),
                ],
            };
            var put = Put(agent, stored?.Version ?? 0, now);
            await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
            if (put.Conflict) continue;
            if (wallet is not null && known?.Wallet is null && key is not null) await ClaimAsync(Wallets, wallet, id, cancellationToken).ConfigureAwait(false);
            return (agent, token);
        }

        throw BridgeException.Busy("the same agent registers many times at once", TimeSpan.FromSeconds(1));
    }

    /// <summary>The agent that may connect with this; null: none.</summary>
    public async ValueTask<AgentRecord?> AuthenticateAsync(string? agentId, string? token, string? timestamp, string? signature, CancellationToken cancellationToken)
    {
        if (ReadId(agentId) is not { } id || string.IsNullOrEmpty(token)
            || await FindAsync(id, cancellationToken).ConfigureAwait(false) is not { TokenHash: { } current } agent) return null;
        var now = time.GetUtcNow();
        var hash = HashOf(token);
        var holds = Same(hash, current);
        foreach (var former in agent.Former) holds |= Same(hash, former.Hash) && former.Until > now.ToUnixTimeMilliseconds();
        if (!holds) return null;
        return agent.PublicKey is null || IsSigned(agent.PublicKey, id, timestamp, signature, now.ToUnixTimeSeconds()) ? agent : null;
    }

    /// <summary>True for a signature by a key over an agent's id and a time that is now, or nearly. The same one may come again: members sign once for some attempts.</summary>
    public static bool IsSigned(string publicKey, long agentId, string? timestamp, string? signature, long now)
    {
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var at) || Math.Abs(now - at) > SkewSeconds) return false;
        Span<byte> bytes = stackalloc byte[IdentityVerifier.SignatureLength];
        if (signature is not { Length: 2 * IdentityVerifier.SignatureLength }) return false;
        if (Convert.FromHexString(signature, bytes, out _, out var written) != System.Buffers.OperationStatus.Done || written != bytes.Length) return false;
        return IdentityVerifier.TryCreate(Convert.FromHexString(publicKey), out var verifier)
            && verifier.Verify(AgentKeys.Payload(agentId.ToString(CultureInfo.InvariantCulture), at), bytes);
    }

    /// <summary>A member, or null.</summary>
    public async ValueTask<AgentRecord?> FindAsync(long id, CancellationToken cancellationToken) =>
        id > 0 && await records.GetRecordAsync(Agents, KeyText(id), cancellationToken).ConfigureAwait(false) is { } stored ? Read(stored) : null;

    /// <summary>All of them by id.</summary>
    public async ValueTask<IReadOnlyList<AgentRecord>> ListAsync(CancellationToken cancellationToken)
    {
        var found = new List<AgentRecord>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Agents, null, after, Page, cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Select(Read));
            if (page.Count < Page) return found;
            after = page[^1].Key;
        }
    }

    /// <summary>The ids of those that may connect. Of a record nothing else is read: there may be many, and a broadcast asks for all.</summary>
    public async ValueTask<IReadOnlyList<long>> ListReachableAsync(CancellationToken cancellationToken)
    {
        var found = new List<long>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Agents, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (HasToken(record.Value.Span)) found.Add(long.Parse(record.Key, NumberStyles.None, CultureInfo.InvariantCulture));
            }

            if (page.Count < Page) return found;
            after = page[^1].Key;
        }
    }

    /// <summary>The host's own agent as a member, made at the first time.</summary>
    public async ValueTask<long> OwnAsync(CancellationToken cancellationToken)
    {
        const string Only = "agent";
        while (true)
        {
            var stored = await records.GetRecordAsync(Own, Only, cancellationToken).ConfigureAwait(false);
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            if (stored is null)
            {
                await ClaimAsync(Own, Only, await NextAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
                continue;
            }

            var id = long.Parse(Encoding.UTF8.GetString(stored.Value.Span), CultureInfo.InvariantCulture);
            var known = await records.GetRecordAsync(Agents, KeyText(id), cancellationToken).ConfigureAwait(false);
            if (known is not null && Read(known).Name == options.Name) return id;
            await records.WriteAsync(Put(new AgentRecord { Id = id, Name = options.Name, RegisteredAt = now }, null, now), cancellationToken).ConfigureAwait(false);
            return id;
        }
    }

    /// <summary>An id as text, or null.</summary>
    public static long? ReadId(string? text) =>
        text is { Length: <= 19 } && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0 ? id : null;

    /// <summary>The key of what belongs to a member.</summary>
    public static string KeyText(long id) => id.ToString("D19", CultureInfo.InvariantCulture);

    // A key has its id before it has a record: whoever comes between two registrations of one key, or after a crash, finds the same id.
    private async ValueTask<long> IdAsync(string? key, string? wallet, CancellationToken cancellationToken)
    {
        var byKey = key is null ? null : await LookAsync(Keys, key, cancellationToken).ConfigureAwait(false);
        var byWallet = wallet is null ? null : await LookAsync(Wallets, wallet, cancellationToken).ConfigureAwait(false);
        if (byKey is { } mine)
        {
            if (byWallet is { } other && other != mine) throw Conflict();
            return mine;
        }

        if (byWallet is { } owner) return key is null ? owner : throw Conflict();
        var id = await NextAsync(cancellationToken).ConfigureAwait(false);
        if (id > options.MaxAgents) throw new BridgeException(ErrorCodes.QuotaExceeded, "no more agents can register here");
        return key is not null
            ? await ClaimAsync(Keys, key, id, cancellationToken).ConfigureAwait(false) : await ClaimAsync(Wallets, wallet!, id, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<long> NextAsync(CancellationToken cancellationToken)
    {
        var next = new SequenceNext { Name = Numbers };
        await records.WriteAsync(next, cancellationToken).ConfigureAwait(false);
        return next.Value;
    }

    private async ValueTask<long?> LookAsync(string ns, string key, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(ns, key, cancellationToken).ConfigureAwait(false) is { } stored
            ? long.Parse(Encoding.UTF8.GetString(stored.Value.Span), CultureInfo.InvariantCulture)
            : null;

    private async ValueTask<long> ClaimAsync(string ns, string key, long id, CancellationToken cancellationToken)
    {
        var put = new RecordPut
        {
            Namespace = ns,
            Key = key,
            Value = Encoding.UTF8.GetBytes(id.ToString(CultureInfo.InvariantCulture)),
            ExpectedVersion = 0,
            At = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return put.Conflict ? await LookAsync(ns, key, cancellationToken).ConfigureAwait(false) ?? id : id;
    }

    private static RecordPut Put(AgentRecord agent, long? version, long now) => new()
    {
        Namespace = Agents,
        Key = KeyText(agent.Id),
        Value = JsonSerializer.SerializeToUtf8Bytes(agent, EndpointJson.Default.AgentRecord),
        ExpectedVersion = version,
        At = now,
    };

    private static bool HasToken(ReadOnlySpan<byte> agent)
    {
        var reader = new Utf8JsonReader(agent);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("tokenHash"u8)) return reader.Read() && reader.TokenType == JsonTokenType.String;
            reader.Skip();
        }

        return false;
    }

    private static AgentRecord Read(StoreRecord record) => JsonSerializer.Deserialize(record.Value.Span, EndpointJson.Default.AgentRecord)!;

    private static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static bool Same(string left, string right) => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(left), Encoding.ASCII.GetBytes(right));

    private static string? KeyOf(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (text.Length == 2 * IdentityVerifier.KeyLength && text.All(char.IsAsciiHexDigit)
            && IdentityVerifier.TryCreate(Convert.FromHexString(text), out _)) return text.ToLowerInvariant();
        throw BridgeException.Invalid("public_key must be an Ed25519 key: 32 bytes in hexadecimal, and not one of small order");
    }

    private static string? WordOf(string? text, string what, int most)
    {
        if (string.IsNullOrEmpty(text)) return null;
        return text.Length <= most && text.All(static c => c is > ' ' and < '\x7f')
            ? text : throw BridgeException.Invalid($"{what} must be up to {most} printable characters without spaces");
    }

    private static string? TextOf(string? text, string what, int most)
    {
        if (string.IsNullOrEmpty(text)) return null;
        return text.Length <= most && !text.Any(char.IsControl) ? text : throw BridgeException.Invalid($"{what} must be up to {most} characters");
    }

    private static BridgeException Conflict() => new(ErrorCodes.Conflict, "this key and this wallet are those of two agents, or the agent has another one");
}
