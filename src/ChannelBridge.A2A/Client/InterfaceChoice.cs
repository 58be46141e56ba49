namespace ChannelBridge.A2A.Client;

/// <summary>Chooses from a card's interfaces: the newer version first, then the transport, then the card's own order.</summary>
internal static class InterfaceChoice
{
    public static IReadOnlyList<(Wire Wire, UrlOrigin Origin)> From(AgentCard card, A2AClientOptions options)
    {
        var chosen = card.SupportedInterfaces
            .Select((place, order) => (Wire: Wire.For(place), order))
            .Where(static entry => entry.Wire is not null)
            .Select(entry => (Wire: entry.Wire!, Origin: OriginOf(entry.Wire!.Url, options), entry.order))
            .Where(entry => options.Version is null || entry.Wire.Dialect.Version == Versions.Normalise(options.Version))
            .Where(
                entry =>
                    options.Binding is null || string.Equals(
                        entry.Wire.Place.ProtocolBinding, options.Binding, StringComparison.OrdinalIgnoreCase))
            .Where(entry => entry.Origin is UrlOrigin.Operator || options.Http is not null)
            .OrderByDescending(static entry => entry.Wire.Dialect.Version == Versions.V10)
            .ThenByDescending(static entry => entry.Origin is UrlOrigin.Operator)
            .ThenByDescending(static entry => entry.Wire is JsonRpcWire)
            .ThenBy(static entry => entry.order)
            .Select(static entry => (entry.Wire, entry.Origin))
            .ToList();
        if (chosen.Count > 0) return chosen;
        var offered = string.Join(
            ", ", card.SupportedInterfaces.Select(static place => $"{place.ProtocolBinding} {place.ProtocolVersion} at {Host(place.Url)}"));
        throw new A2AException(A2AFault.NoInterface, offered.Length == 0
            ? "The peer's card names no interface."
            : $"The peer's card names no interface that can be used here; it has {offered}.");
    }

    /// <summary>Where the operator pointed to is the operator's; whatever else a card names is the peer's.</summary>
    public static UrlOrigin OriginOf(Uri url, A2AClientOptions options) =>
        string.Equals(url.IdnHost, options.Address.IdnHost, StringComparison.OrdinalIgnoreCase)
        && (options.Address.Scheme != Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttps)
        // Behind loopback stand services of many owners: there the port is part of the name.
        && (url.Port == options.Address.Port || !url.IsLoopback)
            ? UrlOrigin.Operator
            : UrlOrigin.Peer;

    private static string Host(string url) => Uri.TryCreate(url, UriKind.Absolute, out var parsed) ? parsed.Authority : "?";
}
