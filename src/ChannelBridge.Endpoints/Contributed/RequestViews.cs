using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Abstractions.Endpoints;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>Makes the contract's request of the server's.</summary>
internal static class RequestViews
{
    /// <summary>Reads a request.</summary>
    /// <param name="context">The server's request.</param>
    /// <param name="route">What it matched.</param>
    /// <param name="values">The values of the template's parameters.</param>
    /// <param name="address">The address of its own that it came in by, or null.</param>
    /// <param name="lasts">True when it outlives the server's request: everything is copied.</param>
    public static EndpointRequest Read(HttpContext context, RouteTable.Route route, string[] values, string? address, bool lasts)
    {
        var request = context.Request;
        var access = route.Http?.Access ?? route.Socket!.Access;
        // A token of the host is nothing that a channel needs to see.
        IReadOnlyDictionary<string, string> headers = new HeaderView(request.Headers, hidesToken: access.Needed != Abstractions.Access.Scopes.None);
        if (lasts) headers = new HeaderCopy([.. headers]);
        return new EndpointRequest
        {
            Id = $"r_{Guid.NewGuid():N}",
            Verb = request.Method,
            Path = request.Path.Value ?? "/",
            QueryText = request.QueryString.Value ?? "",
            Origin = $"{request.Scheme}://{request.Host.Value}",
            Template = route.Template.Text,
            Address = address,
            RemoteAddress = context.Connection.RemoteIpAddress,
            LocalAddress = context.Connection.LocalIpAddress is { } local ? new System.Net.IPEndPoint(local, context.Connection.LocalPort) : null,
            PathValues = ReadPath(route.Template.Names, values),
            Query = lasts ? new QueryView(request.QueryString.Value ?? "") : ReadQuery(request.QueryString.Value),
            Headers = headers,
        };
    }

    private static IReadOnlyDictionary<string, string> ReadPath(string[] names, string[] values)
    {
        if (names.Length == 0) return FrozenDictionary<string, string>.Empty;
        var result = new Dictionary<string, string>(names.Length, StringComparer.Ordinal);
        for (var i = 0; i < names.Length; i++) result[names[i]] = values[i];
        return result;
    }

    private static IReadOnlyDictionary<string, IReadOnlyList<string>> ReadQuery(string? text)
    {
        if (string.IsNullOrEmpty(text) || text == "?") return FrozenDictionary<string, IReadOnlyList<string>>.Empty;
        var result = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var pair in new QueryStringEnumerable(text))
        {
            var name = pair.DecodeName().ToString();
            if (result.TryGetValue(name, out var before)) ((List<string>)before).Add(pair.DecodeValue().ToString());
            else result[name] = new List<string>(1) { pair.DecodeValue().ToString() };
        }

        return result;
    }

    /// <summary>
    /// The query of a connection, read anew for each question: it is asked for a few values at the connection's beginning, and what it was read into would be kept for
    /// as long as the connection lasts.
    /// </summary>
    private sealed class QueryView(string text) : IReadOnlyDictionary<string, IReadOnlyList<string>>
    {
        public int Count => ReadQuery(text).Count;

        public IEnumerable<string> Keys => ReadQuery(text).Keys;

        public IEnumerable<IReadOnlyList<string>> Values => ReadQuery(text).Values;

        public IReadOnlyList<string> this[string key] => ReadQuery(text)[key];

        public bool ContainsKey(string key) => TryGetValue(key, out _);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out IReadOnlyList<string> value) => ReadQuery(text).TryGetValue(key, out value);

        public IEnumerator<KeyValuePair<string, IReadOnlyList<string>>> GetEnumerator() => ReadQuery(text).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Headers that outlive their request: few, seldom asked for, and kept by each connection, so without any table.</summary>
    private sealed class HeaderCopy(KeyValuePair<string, string>[] headers) : IReadOnlyDictionary<string, string>
    {
        public int Count => headers.Length;

        public IEnumerable<string> Keys => headers.Select(static header => header.Key);

        public IEnumerable<string> Values => headers.Select(static header => header.Value);

        public string this[string key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"There is no header {key}.");

        public bool ContainsKey(string key) => TryGetValue(key, out _);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            foreach (var (name, text) in headers)
            {
                if (!string.Equals(name, key, StringComparison.OrdinalIgnoreCase)) continue;
                value = text;
                return true;
            }

            value = null;
            return false;
        }

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => headers.AsEnumerable().GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class HeaderView(IHeaderDictionary headers, bool hidesToken) : IReadOnlyDictionary<string, string>
    {
        public int Count => Shown().Count();

        public IEnumerable<string> Keys => Shown().Select(header => header.Key);

        public IEnumerable<string> Values => Shown().Select(header => header.Value.ToString());

        public string this[string key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"There is no header {key}.");

        public bool ContainsKey(string key) => TryGetValue(key, out _);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            value = null;
            if (IsHidden(key) || !headers.TryGetValue(key, out var values)) return false;
            value = values.ToString();
            return true;
        }

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() =>
            Shown().Select(header => KeyValuePair.Create(header.Key, header.Value.ToString())).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        private bool IsHidden(string key) => hidesToken && string.Equals(key, HeaderNames.Authorization, StringComparison.OrdinalIgnoreCase);

        private IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>> Shown() => headers.Where(header => !IsHidden(header.Key));
    }
}
