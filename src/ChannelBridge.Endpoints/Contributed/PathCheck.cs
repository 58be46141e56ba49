namespace ChannelBridge.Endpoints.Contributed;

/// <summary>
/// Looks at a request's path as it stood on the wire. The server has decoded it and taken dots out; a proxy in front, which decides by the path, may have read it
/// otherwise. What two readers may understand differently is refused.
/// </summary>
internal static class PathCheck
{
    /// <summary>True for a path that means one thing only.</summary>
    /// <param name="target">The target of the request line.</param>
    public static bool IsPlain(ReadOnlySpan<char> target)
    {
        var end = target.IndexOfAny('?', '#');
        var path = end < 0 ? target : target[..end];
        // In the absolute form, as some clients and all proxies send it, scheme and host stand before.
        if (path.Length > 0 && path[0] != '/')
        {
            var scheme = path.IndexOf("://", StringComparison.Ordinal);
            if (scheme < 0) return false;
            path = path[(scheme + 3)..];
            var slash = path.IndexOf('/');
            if (slash < 0) return true;
            path = path[slash..];
        }

        if (path.IndexOf('\\') >= 0 || path.IndexOf("//", StringComparison.Ordinal) >= 0) return false;
        if (path.IndexOfAny('%', '.') < 0) return true;
        foreach (var range in path.Split('/'))
        {
            var segment = path[range];
            if (IsDots(segment)) return false;
            for (var at = segment.IndexOf('%'); at >= 0;)
            {
                // A slash, a backslash, or what isn't printable, in disguise; %25 would be decoded once more by somebody.
                if (at + 2 >= segment.Length || !byte.TryParse(segment.Slice(at + 1, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value)) return false;
                if (value is (byte)'/' or (byte)'\\' or (byte)'%' or < 0x20 or 0x7F) return false;
                var next = segment[(at + 3)..].IndexOf('%');
                at = next < 0 ? -1 : at + 3 + next;
            }
        }

        return true;
    }

    // . and .. also where a dot is written %2e.
    private static bool IsDots(ReadOnlySpan<char> segment)
    {
        var dots = 0;
        while (segment.Length > 0)
        {
            if (segment[0] == '.') segment = segment[1..];
            else if (segment.StartsWith("%2e", StringComparison.OrdinalIgnoreCase)) segment = segment[3..];
            else return false;
            dots++;
        }

        return dots is 1 or 2;
    }
}
