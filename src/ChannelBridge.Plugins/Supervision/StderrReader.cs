using System.Text;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// Reads a process's stderr line by line within bounds: the length of a line, and the lines of a second. The plugin's secrets are masked.
/// </summary>
internal sealed class StderrReader(TimeProvider time, IReadOnlyCollection<string> secrets, Action<string> onLine)
{
    private const int MaxLine = 2000;
    private const int LinesPerSecond = 50;
    private long _second;
    private int _lines;

    /// <summary>Reads to the end.</summary>
    public async Task ReadAsync(Stream stderr)
    {
        var decoder = Encoding.UTF8.GetDecoder();
        var bytes = new byte[4096];
        var characters = new char[4097];
        var line = new StringBuilder();
        try
        {
            while (await stderr.ReadAsync(bytes).ConfigureAwait(false) is > 0 and var read)
            {
                var count = decoder.GetChars(bytes, 0, read, characters, 0, flush: false);
                for (var i = 0; i < count; i++)
                {
                    if (characters[i] == '\n') Emit(line);
                    else if (line.Length < MaxLine)
                        line.Append(char.IsControl(characters[i]) && characters[i] != '\t' ? ' ' : characters[i]);
                }
            }
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            // The process is gone; what it wrote before has been read.
        }

        if (line.Length > 0) Emit(line);
    }

    private void Emit(StringBuilder line)
    {
        var isCut = line.Length >= MaxLine;
        var text = line.ToString().TrimEnd();
        line.Clear();
        if (text.Length == 0) return;
        var second = time.GetUtcNow().ToUnixTimeSeconds();
        if (second != _second) (_second, _lines) = (second, 0);
        if (++_lines > LinesPerSecond) return;
        text = Secrets.Mask(text, secrets);
        // At the end of a line that was cut there may be the beginning of a secret.
        if (isCut) text = text[..^Math.Min(text.Length, secrets.Select(secret => secret.Length).DefaultIfEmpty().Max())];
        if (text.Length > 0) onLine(text);
    }
}
