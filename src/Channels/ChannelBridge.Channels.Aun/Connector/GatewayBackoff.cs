namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The waits between attempts: from a first one, twice as long each time up to the longest, of which up to a half is left out by chance.</summary>
internal sealed class GatewayBackoff(AunConnectorOptions options, Random random)
{
    private TimeSpan _next;

    /// <summary>The next wait.</summary>
    /// <param name="closedByGateway">True: the gateway itself has closed with a code of its own, and wants to be left alone for longer.</param>
    public TimeSpan Next(bool closedByGateway)
    {
        var first = closedByGateway ? options.ReconnectAfterClose : options.ReconnectBaseDelay;
        var ceiling = _next > first ? _next : first;
        if (ceiling > options.ReconnectMaxDelay) ceiling = options.ReconnectMaxDelay;
        _next = ceiling * 2;
        // Never at once, and many that have lost the same gateway don't come back in step.
        return ceiling * (0.5 + (random.NextDouble() / 2));
    }

    /// <summary>A connection has held.</summary>
    public void Reset() => _next = TimeSpan.Zero;
}
