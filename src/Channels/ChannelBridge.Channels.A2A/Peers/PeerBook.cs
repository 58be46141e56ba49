using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Tasks;

namespace ChannelBridge.Channels.A2A.Peers;

/// <summary>
/// The peers: each is a token with the scope <c>peer</c> for this channel, and what the operator says of it besides. The settings' tokens are peers, too, and changed there.
/// </summary>
internal sealed class PeerBook(IRecords records, ITokenStore tokens, TimeProvider time)
{
    private const string Namespace = "a2a.peer";

    /// <summary>The peers by name.</summary>
    public async ValueTask<IReadOnlyList<(TokenInfo Token, PeerRecord? Record)>> ListAsync(CancellationToken cancellationToken)
    {
        var known = new Dictionary<string, PeerRecord>(StringComparer.OrdinalIgnoreCase);
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, 500, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) known[record.Key] = JsonSerializer.Deserialize(record.Value.Span, RecordJson.Default.PeerRecord)!;
            if (page.Count < 500) break;
            after = page[^1].Key;
        }

        var all = await tokens.ListAsync(cancellationToken).ConfigureAwait(false);
        return [.. all.Where(IsPeer).Select(token => (token, known.GetValueOrDefault(token.Grant.Name)))];
    }

    /// <summary>Adds a peer.</summary>
    public async ValueTask<MadeToken> AddAsync(string name, string? url, string? keyFile, long? expiresAt, string by, CancellationToken cancellationToken)
    {
        if (url is not null && (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https") || parsed.UserInfo.Length > 0))
            throw BridgeException.Invalid("url is no http or https address, or has a user in it");
        if (keyFile is not null && !Path.IsPathFullyQualified(keyFile)) throw BridgeException.Invalid("outboundKeyFile must be a full path on the host");
        var grant = new TokenGrant { Name = name, Scopes = Scopes.Peer, Channels = [A2AChannel.ChannelId], ExpiresAt = expiresAt };
        var made = await tokens.AddAsync(grant, by, cancellationToken).ConfigureAwait(false);
        var record = new PeerRecord { Url = url, OutboundKeyFile = keyFile, AddedAt = time.GetUtcNow().ToUnixTimeMilliseconds() };
        await records.WriteAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = name.ToLowerInvariant(),
                Value = JsonSerializer.SerializeToUtf8Bytes(record, RecordJson.Default.PeerRecord),
                At = record.AddedAt,
            },
            cancellationToken).ConfigureAwait(false);
        return made;
    }

    /// <summary>Gives a peer another token.</summary>
    public async ValueTask<MadeToken> RotateAsync(string name, TimeSpan? grace, string by, CancellationToken cancellationToken)
    {
        await NeededAsync(name, cancellationToken).ConfigureAwait(false);
        return await tokens.RotateAsync(name, grace, by, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends a peer's token, and what was opened with it. Its tasks stay.</summary>
    public async ValueTask RemoveAsync(string name, string by, CancellationToken cancellationToken)
    {
        await NeededAsync(name, cancellationToken).ConfigureAwait(false);
        await tokens.RevokeAsync(name, by, cancellationToken).ConfigureAwait(false);
        await records.WriteAsync(new RecordDelete { Namespace = Namespace, Key = name.ToLowerInvariant() }, cancellationToken).ConfigureAwait(false);
    }

    // A token of another kind isn't ended by a slip of the tongue.
    private async ValueTask NeededAsync(string name, CancellationToken cancellationToken)
    {
        var all = await tokens.ListAsync(cancellationToken).ConfigureAwait(false);
        if (!all.Any(token => IsPeer(token) && string.Equals(token.Grant.Name, name, StringComparison.OrdinalIgnoreCase)))
            throw new BridgeException(ErrorCodes.NotFound, $"There is no peer '{name}'.");
    }

    private static bool IsPeer(TokenInfo token) =>
        token.Grant.Scopes.HasFlag(Scopes.Peer)
        && (token.Grant.Channels is null || token.Grant.Channels.Contains(A2AChannel.ChannelId, StringComparer.OrdinalIgnoreCase));
}
