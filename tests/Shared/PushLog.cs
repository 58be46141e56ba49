using System.Text.Json.Nodes;

namespace ChannelBridge.Tests;

/// <summary>What a plugin of the tests was pushed, as it wrote it down before it acked: a line each of id, route and text.</summary>
internal static class PushLog
{
    /// <summary>The whole lines of the log in a plugin's data folder, repeated pushes included.</summary>
    public static List<(string Id, string Route, string Text)> Read(string data)
    {
        var file = Path.Combine(data, "pushed");
        if (!File.Exists(file)) return [];
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var found = new List<(string, string, string)>();
        while (reader.ReadLine() is { } line)
        {
            // A line that a kill cut off wasn't acked, and comes again; the next process may have begun behind its stump.
            if (!line.EndsWith(']')) continue;
            var push = JsonNode.Parse(line[line.LastIndexOf("[\"", StringComparison.Ordinal)..])!;
            found.Add(((string)push[0]!, (string)push[1]!, (string)push[2]!));
        }

        return found;
    }
}
