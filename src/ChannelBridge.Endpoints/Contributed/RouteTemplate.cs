using System.Text;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>
/// A path's template: segments that are written out, have a parameter with text before or after it, or, the last one, are the rest of the path. Two templates
/// are the same when they are without their parameters' names and without case.
/// </summary>
internal sealed class RouteTemplate
{
    private const int MaxLength = 512;
    private const int MaxSegments = 32;

    private RouteTemplate(string text, Segment[] segments, string[] names)
    {
        Text = text;
        Segments = segments;
        Names = names;
        var shape = new StringBuilder();
        foreach (var segment in segments)
        {
            shape.Append('/').Append(segment.Kind switch
            {
                SegmentKind.Rest => "{*}",
                SegmentKind.Parameter => $"{segment.Before}{{}}{segment.After}",
                _ => segment.Before,
            });
        }

        Shape = shape.ToString().ToLowerInvariant();
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>What two templates of one path have in common.</summary>
    public string Shape { get; }

    /// <summary>Its segments.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <summary>The parameters' names in their order.</summary>
    public string[] Names { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="ArgumentException">It isn't one; the message says what is wrong.</exception>
    public static RouteTemplate Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length is 0 or > MaxLength || text[0] != '/') throw Wrong(text, $"it begins with / and has at most {MaxLength} characters");
        if (text.Length > 1 && text[^1] == '/') throw Wrong(text, "it doesn't end with /");
        if (text.AsSpan().IndexOfAny("?#%\\ ") >= 0 || text.Any(char.IsControl)) throw Wrong(text, "it is a decoded path, without query, spaces and backslashes");
        if (text == "/") return new RouteTemplate(text, [], []);
        var parts = text[1..].Split('/');
        if (parts.Length > MaxSegments) throw Wrong(text, $"it has at most {MaxSegments} segments");
        var segments = new Segment[parts.Length];
        var names = new List<string>();
        for (var i = 0; i < parts.Length; i++)
        {
            segments[i] = Read(text, parts[i], names);
            if (segments[i].Kind == SegmentKind.Rest && i < parts.Length - 1) throw Wrong(text, "only its last segment may be the rest of the path");
        }

        if (names.Distinct(StringComparer.OrdinalIgnoreCase).Count() != names.Count) throw Wrong(text, "each parameter has its own name");
        return new RouteTemplate(text, segments, [.. names]);
    }

    private static Segment Read(string text, string part, List<string> names)
    {
        if (part.Length == 0 || part is "." or "..") throw Wrong(text, "no segment is empty, . or ..");
        var open = part.IndexOf('{', StringComparison.Ordinal);
        if (open < 0) return part.Contains('}', StringComparison.Ordinal) ? throw Wrong(text, "a } has its {") : new Segment(SegmentKind.Literal, part, "");
        var close = part.IndexOf('}', StringComparison.Ordinal);
        if (close < open || part.IndexOf('{', open + 1) >= 0 || part.IndexOf('}', close + 1) >= 0) throw Wrong(text, "a segment has at most one parameter");
        var name = part[(open + 1)..close];
        var rest = name.StartsWith('*');
        if (rest) name = name[1..];
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')) throw Wrong(text, "a parameter's name has letters, digits, _ and -");
        names.Add(name);
        if (!rest) return new Segment(SegmentKind.Parameter, part[..open], part[(close + 1)..]);
        return open == 0 && close == part.Length - 1 ? new Segment(SegmentKind.Rest, "", "") : throw Wrong(text, "the rest of the path is a segment of its own");
    }

    private static ArgumentException Wrong(string text, string rule) => new($"The path template '{text}' can't be used: {rule}.");

    /// <summary>What a segment is.</summary>
    internal enum SegmentKind
    {
        /// <summary>Written out.</summary>
        Literal,

        /// <summary>A parameter, with text before or after it.</summary>
        Parameter,

        /// <summary>The rest of the path, which may be empty.</summary>
        Rest,
    }

    /// <summary>One segment.</summary>
    /// <param name="Kind">What it is.</param>
    /// <param name="Before">What is written out, or stands before the parameter.</param>
    /// <param name="After">What stands after the parameter.</param>
    internal readonly record struct Segment(SegmentKind Kind, string Before, string After);
}
