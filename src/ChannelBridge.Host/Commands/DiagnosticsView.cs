using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>Diagnostics as a person reads them: the host in a line, the accounts as a table with their three kinds of health, the rest as pairs.</summary>
internal static class DiagnosticsView
{
    /// <summary>Writes the sections.</summary>
    public static void Write(IAnsiConsole console, JsonObject sections)
    {
        if (sections["host"] is JsonObject host) WriteHost(console, host);
        if (sections["channels"] is JsonObject channels) WriteAccounts(console, channels);
        var table = new Table().Border(TableBorder.Rounded).AddColumn("section").AddColumn("what").AddColumn(new TableColumn("value"));
        foreach (var (name, value) in sections)
        {
            if (name is "now" or "channels" || value is not JsonObject members) continue;
            var first = true;
            foreach (var (key, text) in Flatten(members, "", name))
            {
                table.AddRow(first ? $"[bold]{Markup.Escape(name)}[/]" : "", Markup.Escape(key), Markup.Escape(text));
                first = false;
            }
        }

        if (table.Rows.Count > 0) console.Write(table);
    }

    private static void WriteHost(IAnsiConsole console, JsonObject host)
    {
        var ready = (bool?)host["ready"] == true ? "[green]ready[/]" : $"[red]not ready[/] ({Markup.Escape(string.Join(", ", host["notReadyBecause"]?.AsArray().Select(reason => (string?)reason) ?? []))})";
        var uptime = TimeSpan.FromMilliseconds((long?)host["uptimeMs"] ?? 0);
        console.MarkupLine($"[bold]ChannelBridge {Markup.Escape((string?)host["version"] ?? "")}[/] {ready}, process {(long?)host["pid"]}, up {Duration(uptime)}, "
            + $"agent {Markup.Escape((string?)host["agent"] ?? "")}, memory {Bytes((long?)host["memory"]?["workingSetBytes"] ?? 0)}");
    }

    private static void WriteAccounts(IAnsiConsole console, JsonObject channels)
    {
        var table = new Table().Border(TableBorder.Rounded).Title("accounts")
            .AddColumn("channel").AddColumn("account").AddColumn("transport").AddColumn("last inbound").AddColumn("pending").AddColumn("dead letters").AddColumn("last outbound");
        foreach (var (channel, value) in channels)
        {
            foreach (var account in (value?["accounts"] as JsonArray ?? []).OfType<JsonObject>())
            {
                var connected = (bool?)account["transport"]?["connected"] == true;
                table.AddRow(
                    Markup.Escape(channel),
                    Markup.Escape((string?)account["accountId"] ?? ""),
                    connected ? $"[green]connected[/] ({(int?)account["transport"]?["activeConnections"]})" : "[yellow]away[/]",
                    Ago((long?)account["inbound"]?["lastAgoMs"]),
                    Count((long?)account["backlog"]?["pending"], "yellow"),
                    Count((long?)account["backlog"]?["deadLetter"], "red"),
                    Ago((long?)account["backlog"]?["lastOutboundAgoMs"]));
            }
        }

        if (table.Rows.Count > 0) console.Write(table);
        else console.MarkupLine("[grey]no account has connected yet[/]");
    }

    private static IEnumerable<(string Key, string Text)> Flatten(JsonObject members, string prefix, string section)
    {
        foreach (var (name, value) in members)
        {
            // The host's line above says these.
            if (section == "host" && prefix.Length == 0 && name is "version" or "pid" or "ready" or "notReadyBecause" or "uptimeMs" or "agent") continue;
            if (value is JsonObject nested)
            {
                foreach (var pair in Flatten(nested, $"{prefix}{name}.", section)) yield return pair;
            }
            else if (value is JsonArray { Count: > 0 } items && items.All(item => item is JsonObject))
            {
                for (var i = 0; i < items.Count; i++)
                    yield return ($"{prefix}{name}[{i}]", string.Join(", ", items[i]!.AsObject().Select(member => $"{member.Key} {Show(member.Key, member.Value)}")));
            }
            else
            {
                yield return (prefix + name, Show(name, value));
            }
        }
    }

    private static string Show(string name, JsonNode? value)
    {
        if (value is null) return "–";
        if (value is JsonValue scalar && scalar.TryGetValue<double>(out var number))
        {
            if (name.EndsWith("Bytes", StringComparison.Ordinal)) return Bytes((long)number);
            if (name.EndsWith("At", StringComparison.Ordinal) && number > 1e12)
                return DateTimeOffset.FromUnixTimeMilliseconds((long)number).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        }

        return value is JsonArray items ? string.Join(", ", items.Select(item => item?.ToString() ?? "–")) : value.ToString();
    }

    private static string Count(long? value, string colour) => value is > 0 ? $"[{colour}]{value}[/]" : "0";

    private static string Ago(long? milliseconds) => milliseconds is { } value ? Duration(TimeSpan.FromMilliseconds(value)) + " ago" : "never";

    private static string Duration(TimeSpan value) => value switch
    {
        { TotalDays: >= 1 } => $"{(int)value.TotalDays} d {value.Hours} h",
        { TotalHours: >= 1 } => $"{(int)value.TotalHours} h {value.Minutes} min",
        { TotalMinutes: >= 1 } => $"{(int)value.TotalMinutes} min {value.Seconds} s",
        _ => $"{Math.Max(0, value.TotalSeconds):0.0} s",
    };

    private static string Bytes(long value) => value >= 1 << 20 ? $"{value / 1048576.0:0.0} MiB" : value >= 1 << 10 ? $"{value / 1024.0:0.0} KiB" : $"{value} B";
}
