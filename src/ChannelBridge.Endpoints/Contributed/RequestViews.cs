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
        if (lasts) headers = headers.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
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
            Query = ReadQuery(request.QueryString.Value),
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
            else result[name] = new List<string> { pair.DecodeValue().ToString() };
        }

        return result;
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
