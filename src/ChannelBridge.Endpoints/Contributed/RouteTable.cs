using System.Collections.Frozen;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>The endpoints of one address by path. It never changes; a change makes another one.</summary>
internal sealed class RouteTable
{
    /// <summary>The longest path that is looked at.</summary>
    public const int MaxPathLength = 4096;

    private readonly Node _root;

    private RouteTable(Node root, bool isEmpty)
    {
        _root = root;
        IsEmpty = isEmpty;
    }

    /// <summary>A table without endpoints.</summary>
    public static RouteTable Empty { get; } = new(new Node(), true);

    /// <summary>True when there is nothing in it.</summary>
    public bool IsEmpty { get; }

    /// <summary>Makes a table.</summary>
    /// <param name="routes">Its routes.</param>
    /// <param name="where">The address in words, for the message.</param>
    /// <exception cref="InvalidOperationException">Two of them have one path.</exception>
    public static RouteTable Build(IEnumerable<Route> routes, string where)
    {
        var root = new Node();
        var shapes = new Dictionary<string, List<Route>>(StringComparer.Ordinal);
        foreach (var route in routes)
        {
            if (!shapes.TryGetValue(route.Template.Shape, out var same)) shapes[route.Template.Shape] = same = [];
            if (same.Find(other => Disagree(other, route)) is { } first) throw Conflict(first, route, where);
            same.Add(route);
            var node = root;
            foreach (var segment in route.Template.Segments) node = node.Child(segment);
            node.Add(route);
        }

        root.Freeze();
        return shapes.Count == 0 ? Empty : new RouteTable(root, false);
    }

    /// <summary>Finds what answers at a path; null when nothing does.</summary>
    /// <param name="path">The decoded path, beginning with a slash.</param>
    /// <param name="values">The parameters' values in the order of the template.</param>
    public Leaf? Find(string path, out string[] values)
    {
        values = [];
        if (path.Length is 0 or > MaxPathLength || path[0] != '/') return null;
        if (path.Length == 1) return _root.Leaf ?? _root.RestLeaf(out values);
        var found = new Captured();
        var leaf = _root.Find(path, 1, ref found);
        if (leaf is not null) values = found.ToArray();
        return leaf;
    }

    // One channel may have several verbs at a path; two channels never share one.
    private static bool Disagree(Route one, Route other) => one.Channel != other.Channel
        || (one.Socket is not null && other.Socket is not null)
        || (one.Http is { } first && other.Http is { } second && first.Verbs.Intersect(second.Verbs, StringComparer.Ordinal).Any());

    private static InvalidOperationException Conflict(Route first, Route second, string where) => new(
        $"Two endpoints have one path on {where}: '{first.Template.Text}' of the channel {first.Channel} and "
        + $"'{second.Template.Text}' of the channel {second.Channel}; give one of them another path.");

    /// <summary>One endpoint and whose it is.</summary>
    /// <param name="Template">Its path.</param>
    /// <param name="Life">The source it is from.</param>
    /// <param name="Http">The HTTP endpoint, or null.</param>
    /// <param name="Socket">The WebSocket endpoint, or null.</param>
    internal sealed record Route(RouteTemplate Template, SourceLife Life, HttpEndpoint? Http, SocketEndpoint? Socket)
    {
        /// <summary>The channel.</summary>
        public string Channel => Life.Channel;

        /// <summary>What is done here, for rates and metrics.</summary>
        public string Operation { get; } = $"{Life.Channel} {Http?.Operation ?? Socket?.Operation ?? Template.Text}";
    }

    /// <summary>What answers at one path.</summary>
    internal sealed class Leaf
    {
        private FrozenDictionary<string, Route> _byVerb = FrozenDictionary<string, Route>.Empty;

        /// <summary>The routes as they came.</summary>
        public List<Route> Routes { get; } = [];

        /// <summary>The WebSocket endpoint, or null.</summary>
        public Route? Socket { get; private set; }

        /// <summary>The verbs, for <c>Allow</c>.</summary>
        public string Allowed { get; private set; } = "";

        /// <summary>The endpoint for a verb, or null.</summary>
        public Route? ForVerb(string verb) => _byVerb.GetValueOrDefault(verb);

        /// <summary>Nothing is added any more.</summary>
        public void Freeze()
        {
            var verbs = new Dictionary<string, Route>(StringComparer.Ordinal);
            foreach (var route in Routes.Where(route => route.Http is not null))
            {
                foreach (var verb in route.Http!.Verbs) verbs[verb] = route;
            }

            if (verbs.TryGetValue("GET", out var get)) verbs.TryAdd("HEAD", get);
            Socket = Routes.Find(route => route.Socket is not null);
            _byVerb = verbs.ToFrozenDictionary(StringComparer.Ordinal);
            Allowed = string.Join(", ", verbs.Keys.Order(StringComparer.Ordinal));
        }
    }

    private struct Captured
    {
        private List<string>? _values;

        public readonly int Count => _values?.Count ?? 0;

        public void Push(string value) => (_values ??= []).Add(value);

        public readonly void CutTo(int count) => _values?.RemoveRange(count, _values.Count - count);

        public readonly string[] ToArray() => _values is null ? [] : [.. _values];
    }

    private sealed class Node
    {
        private readonly Dictionary<string, Node> _literals = new(StringComparer.Ordinal);
        private readonly List<(RouteTemplate.Segment Segment, Node Node)> _parameters = [];
        private Dictionary<string, Node>.AlternateLookup<ReadOnlySpan<char>> _lookup;
        private Node? _rest;

        public Node() => _lookup = _literals.GetAlternateLookup<ReadOnlySpan<char>>();

        public Leaf? Leaf { get; private set; }

        public Leaf? RestLeaf(out string[] values)
        {
            values = [""];
            return _rest?.Leaf;
        }

        public Node Child(in RouteTemplate.Segment segment)
        {
            switch (segment.Kind)
            {
                case RouteTemplate.SegmentKind.Rest:
                    return _rest ??= new Node();
                case RouteTemplate.SegmentKind.Literal:
                    if (!_literals.TryGetValue(segment.Before, out var literal)) _literals[segment.Before] = literal = new Node();
                    return literal;
                default:
                    foreach (var (known, node) in _parameters)
                    {
                        if (known == segment) return node;
                    }

                    var added = new Node();
                    _parameters.Add((segment, added));
                    return added;
            }
        }

        public void Add(Route route) => (Leaf ??= new Leaf()).Routes.Add(route);

        public void Freeze()
        {
            // What has more text around the parameter says more.
            _parameters.Sort((a, b) => (b.Segment.Before.Length + b.Segment.After.Length).CompareTo(a.Segment.Before.Length + a.Segment.After.Length));
            Leaf?.Freeze();
            _rest?.Freeze();
            foreach (var child in _literals.Values) child.Freeze();
            foreach (var (_, child) in _parameters) child.Freeze();
        }

        public Leaf? Find(string path, int start, ref Captured values)
        {
            if (start > path.Length) return Leaf ?? Rest("", ref values);
            var end = path.IndexOf('/', start);
            if (end < 0) end = path.Length;
            var segment = path.AsSpan(start, end - start);
            if (_literals.Count > 0 && _lookup.TryGetValue(segment, out var literal) && literal.Find(path, end + 1, ref values) is { } found) return found;
            var count = values.Count;
            foreach (var (pattern, node) in _parameters)
            {
                // A parameter is never empty.
                if (segment.Length <= pattern.Before.Length + pattern.After.Length
                    || !segment.StartsWith(pattern.Before, StringComparison.Ordinal) || !segment.EndsWith(pattern.After, StringComparison.Ordinal)) continue;
                values.Push(segment[pattern.Before.Length..^pattern.After.Length].ToString());
                if (node.Find(path, end + 1, ref values) is { } leaf) return leaf;
                values.CutTo(count);
            }

            return _rest is null ? null : Rest(path[start..], ref values);
        }

        private Leaf? Rest(string rest, ref Captured values)
        {
            if (_rest?.Leaf is not { } leaf) return null;
            values.Push(rest);
            return leaf;
        }
    }
}
