using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Endpoints.Router;

/// <summary>
/// Every method of the host by its name, for every door. The table is made anew when the registry has changed.
/// </summary>
internal sealed class MethodRouter
{
    private readonly IRegistry _registry;
    private volatile Table _table;

    /// <summary>Creates a router over the methods of the registry.</summary>
    public MethodRouter(IRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _registry = registry;
        _table = new Table(registry.Current);
    }

    /// <summary>Which state of the registry the answers are of.</summary>
    public long Version => Current.Version;

    private Table Current
    {
        get
        {
            var snapshot = _registry.Current;
            var table = _table;
            return table.Version == snapshot.Version ? table : _table = new Table(snapshot);
        }
    }

    /// <summary>Every method, by name.</summary>
    public IReadOnlyList<RpcMethod> Methods => Current.Methods;

    /// <summary>Every event that may be sent to clients, by name.</summary>
    public IReadOnlyList<string> Events => Current.Events;

    /// <summary>Finds a method by its name on the wire.</summary>
    /// <returns>The method, or null.</returns>
    public RpcMethod? Find(ReadOnlySpan<byte> name) => Current.Lookup.TryGetValue(name, out var method) ? method : null;

    /// <summary>Finds a method by its name.</summary>
    /// <returns>The method, or null.</returns>
    public RpcMethod? Find(string name) => Current.ByName.GetValueOrDefault(name);

    /// <summary>The names of the methods that a caller may call, sorted.</summary>
    public IReadOnlyList<string> NamesFor(Caller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        var names = Current.NamesFor(caller.Scopes);
        // Nearly every token is limited by its scopes alone, and those have the same list.
        return caller.Methods is null && caller.Channels is null ? names : [.. names.Where(name => Find(name) is { } method && Check(method, caller) is null)];
    }

    /// <summary>The error for a caller whose token isn't for a method, or null when it is.</summary>
    public BridgeException? Check(RpcMethod method, Caller caller)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(caller);
        if (method.Scope != Scopes.None && !caller.MayCall(method.Name))
            return new BridgeException(ErrorCodes.Forbidden, "the token isn't for this method");
        if (caller.Channels is not null && Current.Channels.TryGetValue(method, out var channel) && !caller.MayUseChannel(channel))
            return new BridgeException(ErrorCodes.Forbidden, "the token isn't for this channel");
        return caller.Scopes.Covers(method.Scope)
            ? null
            : new BridgeException(ErrorCodes.Forbidden, $"missing scope: {string.Join(", ", method.Scope.ToNames())}");
    }

    private sealed class Table
    {
        private readonly ConcurrentDictionary<Scopes, IReadOnlyList<string>> _names = new();

        public Table(RegistrySnapshot snapshot)
        {
            Version = snapshot.Version;
            var all = snapshot.Of<IMethodSource>();
            var byName = new Dictionary<string, RpcMethod>(Utf8NameComparer.Instance);
            foreach (var source in all)
            {
                foreach (var method in source.Methods)
                {
                    byName[method.Name] = method;
                    if (source.ForChannel is { } channel) Channels[method] = channel;
                }
            }

            ByName = byName;
            Lookup = ByName.GetAlternateLookup<ReadOnlySpan<byte>>();
            Methods = [.. byName.Values.OrderBy(method => method.Name, StringComparer.Ordinal)];
            Events = [.. all.SelectMany(source => source.Events).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        }

        public long Version { get; }

        public Dictionary<string, RpcMethod> ByName { get; }

        public Dictionary<string, RpcMethod>.AlternateLookup<ReadOnlySpan<byte>> Lookup { get; }

        public IReadOnlyList<RpcMethod> Methods { get; }

        /// <summary>Whose methods belong to a channel.</summary>
        public Dictionary<RpcMethod, string> Channels { get; } = [];

        public IReadOnlyList<string> Events { get; }

        public IReadOnlyList<string> NamesFor(Scopes scopes) => _names.GetOrAdd(
            scopes, static (granted, table) => [.. table.Methods.Where(method => granted.Covers(method.Scope)).Select(method => method.Name)], this);
    }
}
