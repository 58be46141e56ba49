namespace ChannelBridge.Core.Access;

/// <summary>Times and bounds of the access tokens in the store.</summary>
public sealed class AccessOptions
{
    /// <summary>How often the version of the tokens is read; default 500 ms.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// For how long a host that can't read the store keeps connections of stored tokens open; it lets in none meanwhile. Default 10 s; the host sets
    /// <c>Store:ClaimTime</c>.
    /// </summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>For how long a former secret holds after a rotation; default 10 min.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The most tokens in the store; default 10,000.</summary>
    public int MostTokens { get; set; } = 10_000;

    /// <summary>For how long audit records are kept; default 90 days.</summary>
    public TimeSpan AuditRetention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>About how many audit records are kept; default 10,000.</summary>
    public int AuditLimit { get; set; } = 10_000;

    /// <summary>The file with the key that secrets in the store are sealed with; null (default): <c>key</c> in the data folder. Hosts of one store name one file.</summary>
    public string? SealKeyFile { get; set; }
}
