using System.Collections.Frozen;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>The tables of all addresses, made of the sources as they are at one time.</summary>
internal sealed class EndpointTables
{
    private static readonly string[] ReservedExact = ["/", "/ws", "/rpc", "/healthz", "/readyz"];
    private const string ReservedTree = "/v1";
    private const string Health = "/healthz";

    private static readonly FrozenSet<string> KnownVerbs = new[] { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" }.ToFrozenSet(StringComparer.Ordinal);

    private readonly FrozenDictionary<string, RouteTable> _own;

    private EndpointTables(IReadOnlyList<SourceLife> lives, RouteTable main, FrozenDictionary<string, RouteTable> own)
    {
        Lives = lives;
        Main = main;
        _own = own;
    }

    /// <summary>None at all.</summary>
    public static EndpointTables Empty { get; } = new([], RouteTable.Empty, FrozenDictionary<string, RouteTable>.Empty);

    /// <summary>The sources.</summary>
    public IReadOnlyList<SourceLife> Lives { get; }

    /// <summary>The table of the host's own listener.</summary>
    public RouteTable Main { get; }

    /// <summary>The table of an address of its own.</summary>
    public RouteTable Own(string address) => _own.GetValueOrDefault(address, RouteTable.Empty);

    /// <summary>True for a path of the host's own listener that is never a channel's.</summary>
    public static bool IsReserved(string path) =>
        path.Length <= ReservedTree.Length + Health.Length && ReservedExact.Contains(path, StringComparer.OrdinalIgnoreCase)
        || (path.StartsWith(ReservedTree, StringComparison.OrdinalIgnoreCase) && (path.Length == ReservedTree.Length || path[ReservedTree.Length] == '/'));

    /// <summary>Makes the tables.</summary>
    /// <exception cref="InvalidOperationException">An endpoint can't be served; the message says which and why.</exception>
    public static EndpointTables Build(IReadOnlyList<SourceLife> lives, IReadOnlyCollection<ListenAddress> addresses)
    {
        var routes = lives.SelectMany(Read).ToArray();
        foreach (var route in routes.Where(route => PlaceOf(route).HasFlag(EndpointPlace.Listener) && IsReserved(route.Template.Text)))
            throw Wrong(route.Channel, route.Template.Text, "the host itself answers there");
        foreach (var route in routes.Where(route => PlaceOf(route).HasFlag(EndpointPlace.Own) && string.Equals(route.Template.Text, Health, StringComparison.OrdinalIgnoreCase)))
            throw Wrong(route.Channel, route.Template.Text, "the host itself answers there");

        var main = RouteTable.Build(routes.Where(route => PlaceOf(route).HasFlag(EndpointPlace.Listener)), "the host's listener");
        var own = addresses.ToFrozenDictionary(
            address => address.Name,
            address => RouteTable.Build(
                routes.Where(route => PlaceOf(route).HasFlag(EndpointPlace.Own) && address.Channels.Contains(route.Channel, StringComparer.OrdinalIgnoreCase)),
                $"the address {address.Name}"),
            StringComparer.Ordinal);
        return new EndpointTables(lives, main, own);
    }

    private static EndpointPlace PlaceOf(RouteTable.Route route) => route.Http?.Place ?? route.Socket!.Place;

    private static IEnumerable<RouteTable.Route> Read(SourceLife life)
    {
        if (string.IsNullOrWhiteSpace(life.Channel)) throw new InvalidOperationException($"The source {life.Source.GetType().Name} of endpoints names no channel.");
        foreach (var http in life.Source.Http)
        {
            if (http.Verbs.Count == 0 || http.Verbs.FirstOrDefault(verb => !KnownVerbs.Contains(verb)) is { } || http.MaxBodyBytes < 0)
                throw Wrong(life.Channel, http.Path, $"its verbs are some of {string.Join(", ", KnownVerbs.Order())}, in upper case, and its body's bound isn't negative");
            Check(life.Channel, http.Path, http.Access, http.Rate);
            yield return new RouteTable.Route(Parse(life.Channel, http.Path), life, http, null);
        }

        foreach (var socket in life.Source.Sockets)
        {
            if (socket.MaxMessageBytes < 1 || socket.MaxMessageBytesBefore < 1 || socket.MaxQueuedBytes < 1) throw Wrong(life.Channel, socket.Path, "its bounds are above 0");
            if (socket.NeedsSubprotocol && socket.Subprotocols.Count == 0) throw Wrong(life.Channel, socket.Path, "it names the subprotocol that it needs");
            Check(life.Channel, socket.Path, socket.Access, socket.Rate);
            yield return new RouteTable.Route(Parse(life.Channel, socket.Path), life, null, socket);
        }
    }

    private static void Check(string channel, string path, EndpointAccess access, EndpointRate? rate)
    {
        if (access.Needed.HasFlag(Scopes.Link)) throw Wrong(channel, path, "the link's role is for the OpenClaw plugin");
        if (rate is not null && (rate.PerSecond <= 0 || rate.Burst < 1)) throw Wrong(channel, path, "its rate is above 0 and its burst at least 1");
    }

    private static RouteTemplate Parse(string channel, string path)
    {
        try
        {
            return RouteTemplate.Parse(path);
        }
        catch (ArgumentException fault)
        {
            throw new InvalidOperationException($"The channel {channel} has an endpoint that can't be served. {fault.Message}", fault);
        }
    }

    private static InvalidOperationException Wrong(string channel, string path, string rule) => new($"The endpoint '{path}' of the channel {channel} can't be served: {rule}.");
}
