using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>An access token as the host keeps it: its hash and what it allows, never the token.</summary>
internal sealed class AccessToken
{
    /// <summary>The name of the token that has every scope.</summary>
    public const string FirstName = "first";

    /// <summary>The longest token that is looked at, in characters; a longer one is refused unread.</summary>
    public const int MaxLength = 4096;

    /// <summary>Describes a token by its hash.</summary>
    /// <param name="name">What callers with this token are called in logs and diagnostics.</param>
    /// <param name="hash">The SHA-256 of the token's UTF-8 bytes; 32 bytes.</param>
    /// <param name="scopes">What it allows.</param>
    /// <param name="accounts">The accounts it is limited to, compared without case; null means every account.</param>
    public AccessToken(string name, ReadOnlySpan<byte> hash, Scopes scopes, IEnumerable<string>? accounts = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (hash.Length != SHA256.HashSizeInBytes) throw new ArgumentException("A SHA-256 hash has 32 bytes.", nameof(hash));
        Name = name;
        HashBytes = hash.ToArray();
        Scopes = scopes;
        Accounts = accounts?.Select(account => account.ToLowerInvariant()).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>What callers with this token are called.</summary>
    public string Name { get; }

    /// <summary>What it allows.</summary>
    public Scopes Scopes { get; }

    /// <summary>The accounts (lower case) that it is limited to; null means every account.</summary>
    public IReadOnlySet<string>? Accounts { get; }

    /// <summary>The channels (lower case) that it is limited to; null means every channel.</summary>
    public IReadOnlySet<string>? Channels { get; init; }

    /// <summary>The platforms (lower case) that it is limited to; null means every platform.</summary>
    public IReadOnlySet<string>? Platforms { get; init; }

    /// <summary>The methods that it is limited to; null means every method that its scopes allow.</summary>
    public IReadOnlySet<string>? Methods { get; init; }

    /// <summary>The SHA-256 of the token.</summary>
    public ReadOnlySpan<byte> Hash => HashBytes;

    internal byte[] HashBytes { get; }

    /// <summary>True for the same token under the same name with the same rights.</summary>
    internal bool IsSameAs(AccessToken other) =>
        string.Equals(Name, other.Name, StringComparison.Ordinal)
        && CryptographicOperations.FixedTimeEquals(HashBytes, other.HashBytes)
        && Scopes == other.Scopes
        && SameSet(Accounts, other.Accounts)
        && SameSet(Channels, other.Channels)
        && SameSet(Platforms, other.Platforms)
        && SameSet(Methods, other.Methods);

    private static bool SameSet(IReadOnlySet<string>? one, IReadOnlySet<string>? other) => one is null ? other is null : other is not null && one.SetEquals(other);

    /// <summary>Hashes a token and describes it.</summary>
    public static AccessToken FromToken(string name, string token, Scopes scopes, IEnumerable<string>? accounts = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(token);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        ComputeHash(token, hash);
        return new AccessToken(name, hash, scopes, accounts);
    }

    /// <summary>The SHA-256 of a token's UTF-8 bytes.</summary>
    internal static void ComputeHash(ReadOnlySpan<char> token, Span<byte> hash)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(token.Length));
        try
        {
            SHA256.HashData(buffer.AsSpan(0, Encoding.UTF8.GetBytes(token, buffer)), hash);
        }
        finally
        {
            // The buffer held a secret and goes back to a pool that everybody shares.
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
