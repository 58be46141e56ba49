using System.Globalization;
using System.Text;

namespace IrcSample;

/// <summary>One line of IRC: <c>:ann!a@host PRIVMSG #tea :hello</c>.</summary>
/// <param name="Sender">The nick or server that it comes from, or empty.</param>
/// <param name="Command">The command or number.</param>
/// <param name="Arguments">The arguments, the last one without its colon.</param>
public sealed record IrcLine(string Sender, string Command, IReadOnlyList<string> Arguments)
{
    // A line has 512 bytes with all that the server puts before it.
    private const int MaxText = 400;

    /// <summary>An argument, or empty.</summary>
    public string this[int index] => index < Arguments.Count ? Arguments[index] : "";

    /// <summary>Reads a line; null when it has no command.</summary>
    public static IrcLine? Parse(string line)
    {
        var rest = line.AsSpan().TrimEnd("\r\n");
        var sender = "";
        if (rest is [':', ..])
        {
            var end = rest.IndexOf(' ');
            if (end < 0) return null;
            var who = rest[1..end];
            sender = (who.IndexOf('!') is > 0 and var bang ? who[..bang] : who).ToString();
            rest = rest[end..].TrimStart(' ');
        }

        var words = new List<string>();
        while (!rest.IsEmpty)
        {
            if (rest[0] == ':' && words.Count > 0)
            {
                words.Add(rest[1..].ToString());
                break;
            }

            var end = rest.IndexOf(' ');
            words.Add((end < 0 ? rest : rest[..end]).ToString());
            rest = end < 0 ? [] : rest[end..].TrimStart(' ');
        }

        return words.Count == 0 || words[0].Length == 0 ? null : new IrcLine(sender, words[0].ToUpperInvariant(), words[1..]);
    }

    /// <summary>A text as the lines that IRC can carry: without control characters, and cut between graphemes.</summary>
    public static IEnumerable<string> Split(string text)
    {
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            var piece = new StringBuilder();
            var bytes = 0;
            var graphemes = StringInfo.GetTextElementEnumerator(Plain(line));
            while (graphemes.MoveNext())
            {
                var grapheme = graphemes.GetTextElement();
                var size = Encoding.UTF8.GetByteCount(grapheme);
                if (bytes + size > MaxText && bytes > 0)
                {
                    yield return piece.ToString();
                    piece.Clear();
                    bytes = 0;
                }

                // One "grapheme" may be a thousand marks on one letter.
                if (size > MaxText) continue;
                piece.Append(grapheme);
                bytes += size;
            }

            if (bytes > 0) yield return piece.ToString();
        }
    }

    /// <summary>A text without control characters: colours and the like of IRC, and line ends that would be commands.</summary>
    public static string Plain(string text) => new([.. text.Where(c => !char.IsControl(c))]);
}
