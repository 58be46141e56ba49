using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Endpoints.Limits;

/// <summary>Request rates per token and per address, and failed authentications per address; see <see cref="EndpointLimits"/>.</summary>
internal sealed class RateLimits(EndpointLimits limits, TimeProvider time)
{
    // Buckets that are full again are thrown away when there are this many.
    private const int Crowd = 4096;
    private const int MostBuckets = 65_536;

    private readonly ConcurrentDictionary<string, TokenBucket> _tokens = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<IPAddress, TokenBucket> _addresses = new();
    private readonly ConcurrentDictionary<IPAddress, TokenBucket> _failures = new();
    private readonly ConcurrentDictionary<string, TokenBucket> _identities = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Operation, string Caller), TokenBucket> _operations = new();

    /// <summary>The bucket for the requests of a token, or null when they aren't limited.</summary>
    public TokenBucket? ForToken(string name) => limits.RequestsPerSecondPerToken <= 0
        ? null
        : Get(_tokens, name, limits.RequestsPerSecondPerToken, limits.RequestBurstSeconds);

    /// <summary>The bucket for the requests of an address, or null when they aren't limited.</summary>
    public TokenBucket? ForAddress(IPAddress? address) => limits.RequestsPerSecondPerAddress <= 0 || IsExempt(address)
        ? null
        : Get(_addresses, Group(address!), limits.RequestsPerSecondPerAddress, limits.RequestBurstSeconds);

    /// <summary>The error for an address that has failed too often to be heard, or null.</summary>
    public BridgeException? CheckAuthentication(IPAddress? address)
    {
        if (limits.AuthFailuresPerMinute <= 0 || IsExempt(address) || !_failures.TryGetValue(Group(address!), out var bucket)) return null;
        return bucket.HasToken(out var wait) ? null : TooFast("too many failed authentication attempts", wait);
    }

    /// <summary>Counts a failed authentication.</summary>
    public void AuthenticationFailed(IPAddress? address)
    {
        if (limits.AuthFailuresPerMinute <= 0 || IsExempt(address)) return;
        Get(_failures, Group(address!), limits.AuthFailuresPerMinute / 60, 60).TryTake(out _);
    }

    /// <summary>The error for an identity that has failed too often, or null.</summary>
    public BridgeException? CheckIdentity(string? identity)
    {
        if (limits.AuthFailuresPerMinute <= 0 || identity is null || !_identities.TryGetValue(Short(identity), out var bucket)) return null;
        return bucket.HasToken(out var wait) ? null : TooFast("too many failed authentication attempts", wait);
    }

    /// <summary>Counts a failed authentication that named an identity.</summary>
    public void IdentityFailed(string? identity)
    {
        if (limits.AuthFailuresPerMinute <= 0 || identity is null) return;
        Get(_identities, Short(identity), limits.AuthFailuresPerMinute / 60, 60).TryTake(out _);
    }

    /// <summary>Takes one use of an operation by a caller, or says how long to wait for it.</summary>
    public bool TryTakeOperation(string operation, string caller, EndpointRate rate, out TimeSpan wait) =>
        Get(_operations, (operation, Short(caller)), rate.PerSecond, rate.Burst / rate.PerSecond).TryTake(out wait);

    /// <summary>The error of a sender that is too fast.</summary>
    public static BridgeException TooFast(string message, TimeSpan wait) =>
        new(ErrorCodes.RateLimited, message) { Retryable = true, RetryAfter = wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : wait };

    /// <summary>True for addresses that the limits per address leave alone: loopback, and doors without an address.</summary>
    public bool IsExempt(IPAddress? address) => address is null || (!limits.LimitLoopback && IPAddress.IsLoopback(address));

    /// <summary>Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, of which anybody has 2^64 addresses.</summary>
    public static IPAddress Group(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6) return address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }

    // Whoever names himself in a megabyte isn't kept by it.
    private static string Short(string text) => text.Length <= 128 ? text : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private TokenBucket Get<TKey>(ConcurrentDictionary<TKey, TokenBucket> buckets, TKey key, double perSecond, double burstSeconds)
        where TKey : notnull
    {
        if (buckets.TryGetValue(key, out var bucket)) return bucket;
        if (buckets.Count >= Crowd)
        {
            foreach (var (known, old) in buckets)
            {
                if (old.IsFull) buckets.TryRemove(known, out _);
            }

            // A crowd of names that one sender made up: forgetting them all costs honest ones a little patience, keeping them costs the host its memory.
            if (buckets.Count >= MostBuckets) buckets.Clear();
        }

        return buckets.GetOrAdd(key, _ => new TokenBucket(perSecond, Math.Max(1, perSecond * burstSeconds), time));
    }
}
