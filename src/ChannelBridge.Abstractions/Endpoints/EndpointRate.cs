namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>How often one caller may use one operation. A caller is a token's or a verdict's name; without one, it is the remote address.</summary>
/// <param name="PerSecond">The lasting rate; above 0.</param>
/// <param name="Burst">How many may come at once; at least 1.</param>
public sealed record EndpointRate(double PerSecond, int Burst)
{
    /// <summary>So many a minute, half of them at once.</summary>
    public static EndpointRate PerMinute(int count) => new(count / 60d, Math.Max(1, count / 2));
}
