using System.Collections.Frozen;
using System.Text.RegularExpressions;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The words that the gateway takes for a stop of the turn that runs (its <c>isAbortRequestText</c>), and decisions that a turn waits for: the plugin lets them
/// pass the line of their session if their sender is allowed to, and so does the host with its lane. One that is too many here only stands in the plugin's
/// line, as if it had waited in the host's.
/// </summary>
internal static partial class UrgentWords
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

    /// <summary>True when a message is such a word.</summary>
    public static bool Contains(string text)
    {
        if (text.Length == 0 || (text.Length > Longest && !text.AsSpan().TrimStart().StartsWith("/approve", StringComparison.OrdinalIgnoreCase))) return false;
        if (Approval().IsMatch(text)) return true;
        var word = Spaces().Replace(text.Trim().ToLowerInvariant().Replace('’', '\'').Replace('`', '\''), " ");
        return Words.Contains(End().Replace(word, "").Trim());
    }

    [GeneratedRegex(@"^\s*/approve(?:[\s:@]|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Approval();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex("""[.!?！？…,，。;；:：'"’”)\]}]+$""")]
    private static partial Regex End();
}
