using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>One secret of a stored token while this host lets it in; its end closes what was opened with it.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has neither timer nor wait handle; its token outlives the secret.")]
internal sealed class StoredToken
{
    private readonly CancellationTokenSource _revoked = new();
    private readonly HashSet<string>? _accounts;
    private readonly HashSet<string>? _channels;
    private readonly HashSet<string>? _platforms;
    private readonly HashSet<string>? _methods;
    private readonly Scopes _scopes;
    private long _usedAt;

    public StoredToken(TokenRecord record, byte[] hash, long until)
    {
        Record = record;
        Hash = hash;
        Until = until;
        var grant = record.ToGrant();
        _scopes = grant.Scopes;
        _accounts = Set(grant.Accounts);
        _channels = Set(grant.Channels);
        _platforms = Set(grant.Platforms);
        _methods = grant.Methods?.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The token.</summary>
    public TokenRecord Record { get; }

    /// <summary>The hash of this secret.</summary>
    public byte[] Hash { get; }

    /// <summary>Until when it holds (Unix ms); <see cref="long.MaxValue"/> for ever.</summary>
    public long Until { get; set; }

    /// <summary>When it was last used (Unix ms), or 0.</summary>
    public long UsedAt => Interlocked.Read(ref _usedAt);

    /// <summary>The caller that it stands for.</summary>
    public Caller ToCaller(Door door, long now)
    {
        Interlocked.Exchange(ref _usedAt, now);
        return new Caller(Record.Name, _scopes, door) { Accounts = _accounts, Channels = _channels, Platforms = _platforms, Methods = _methods, Revoked = _revoked.Token };
    }

    /// <summary>It holds no more. Whoever listens closes connections, which takes its time: not on the caller's thread.</summary>
    public void Revoke() => _ = Task.Run(_revoked.Cancel);

    /// <summary>True when it allows the same as another record of its token.</summary>
    public bool AllowsSame(TokenRecord other) =>
        Same(Record.Scopes, other.Scopes) && Same(Record.Accounts, other.Accounts) && Same(Record.Channels, other.Channels)
        && Same(Record.Platforms, other.Platforms) && Same(Record.Methods, other.Methods) && Record.CreatedAt == other.CreatedAt;

    private static bool Same(IReadOnlyList<string>? one, IReadOnlyList<string>? other) => one is null ? other is null : other is not null
        && one.SequenceEqual(other, StringComparer.Ordinal);

    private static HashSet<string>? Set(IReadOnlyList<string>? names) => names?.Select(name => name.ToLowerInvariant()).ToHashSet(StringComparer.Ordinal);
}
