using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Endpoints.Router;

/// <summary>
/// Every method of the host by its name, for every door. Built from all <see cref="IMethodSource"/>s when it is first asked, so that a source may
/// itself ask for the router.
/// </summary>
public sealed class MethodRouter
{
    private readonly Lazy<Table> _table;

    /// <summary>Creates a router over the sources in the container.</summary>
    public MethodRouter(IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(services);
        _table = new Lazy<Table>(() => new Table(services.GetServices<IMethodSource>()));
    }

    /// <summary>Every method, by name.</summary>
    public IReadOnlyList<RpcMethod> Methods => _table.Value.Methods;

    /// <summary>Every event that may be sent to clients, by name.</summary>
    public IReadOnlyList<string> Events => _table.Value.Events;

    /// <summary>Finds a method by its name on the wire.</summary>
    /// <returns>The method, or null.</returns>
    public RpcMethod? Find(ReadOnlySpan<byte> name) => _table.Value.Lookup.TryGetValue(name, out var method) ? method : null;

    /// <summary>Finds a method by its name.</summary>
    /// <returns>The method, or null.</returns>
    public RpcMethod? Find(string name) => _table.Value.ByName.GetValueOrDefault(name);

    /// <summary>The names of the methods that a caller with these scopes may call, sorted.</summary>
    public IReadOnlyList<string> NamesFor(Scopes scopes) => _table.Value.NamesFor(scopes);

    /// <summary>The error for a caller who lacks a scope, or null when it doesn't.</summary>
    public static BridgeException? CheckScope(RpcMethod method, Caller caller)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(caller);
        return caller.Scopes.Covers(method.Scope)
            ? null
            : new BridgeException(ErrorCodes.Forbidden, $"missing scope: {string.Join(", ", method.Scope.ToNames())}");
    }

    private sealed class Table
    {
        private readonly ConcurrentDictionary<Scopes, IReadOnlyList<string>> _names = new();

        public Table(IEnumerable<IMethodSource> sources)
        {
            var all = sources.ToArray();
            var byName = new Dictionary<string, RpcMethod>(Utf8NameComparer.Instance);
            foreach (var method in all.SelectMany(source => source.Methods))
            {
                if (!byName.TryAdd(method.Name, method))
                    throw new InvalidOperationException($"Two sources contribute a method named '{method.Name}'; names are unique in the host.");
            }

            ByName = byName;
            Lookup = ByName.GetAlternateLookup<ReadOnlySpan<byte>>();
            Methods = [.. byName.Values.OrderBy(method => method.Name, StringComparer.Ordinal)];
            Events = [.. all.SelectMany(source => source.Events).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        }

        public Dictionary<string, RpcMethod> ByName { get; }

        public Dictionary<string, RpcMethod>.AlternateLookup<ReadOnlySpan<byte>> Lookup { get; }

        public IReadOnlyList<RpcMethod> Methods { get; }

        public IReadOnlyList<string> Events { get; }

        public IReadOnlyList<string> NamesFor(Scopes scopes) => _names.GetOrAdd(
            scopes, static (granted, table) => [.. table.Methods.Where(method => granted.Covers(method.Scope)).Select(method => method.Name)], this);
    }
}
