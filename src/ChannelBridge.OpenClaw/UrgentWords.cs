using System.Collections.Frozen;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The words that the gateway takes for a stop of the turn that runs (its <c>isAbortRequestText</c>), and decisions that a turn waits for: the plugin lets them
/// pass the line of their session if their sender is allowed to, and so does the host with its lane. One that is too many here only stands in the plugin's
/// line, as if it had waited in the host's.
/// </summary>
internal static class UrgentWords
{
    /// <summary>Longer than any of them.</summary>
    private const int Longest = 64;

    private static readonly FrozenSet<string> Words = new[]
    {
        "/stop", "stop", "esc", "abort", "exit", "interrupt", "detente", "deten", "detén", "arrete", "arrête", "停止", "停下来", "暂停", "やめて", "止めて", "रुको", "توقف",
        "стоп", "остановись", "останови", "остановить", "прекрати", "halt", "anhalten", "aufhören", "hoer auf", "stopp", "pare", "stop openclaw", "openclaw stop",
        "stop action", "stop current action", "stop run", "stop current run", "stop agent", "stop the agent", "stop don't do anything", "stop dont do anything",
        "stop do not do anything", "stop doing anything", "do not do that", "please stop", "stop please",
    }.ToFrozenSet(StringComparer.Ordinal);

    private const string Approve = "/approve";
    private const string Ends = ".!?！？…,，。;；:：'\"’”)]}";

    /// <summary>True when a message is such a word.</summary>
    public static bool Contains(string text)
    {
        var rest = text.AsSpan().Trim();
        if (rest.StartsWith(Approve, StringComparison.OrdinalIgnoreCase))
        {
            return rest.Length == Approve.Length || rest[Approve.Length] is ':' or '@' || char.IsWhiteSpace(rest[Approve.Length]);
        }

        if (rest.Length is 0 or > Longest) return false;
        var word = string.Join(' ', rest.ToString().ToLowerInvariant().Replace('’', '\'').Replace('`', '\'').Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return Words.Contains(word.TrimEnd(Ends.ToCharArray()).Trim());
    }
}
