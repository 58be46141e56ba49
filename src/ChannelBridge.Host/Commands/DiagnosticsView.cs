using System.Globalization;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// Diagnostics as a person reads them: the host and its agents in a line each, the accounts as a table with what comes in and what goes
/// out, and what isn't well.
/// The many numbers behind it are shown by section.
/// </summary>
internal static class DiagnosticsView
{
    /// <summary>Writes the overview.</summary>
    public static void WriteOverview(IAnsiConsole console, JsonObject sections)
    {
        if (sections["host"] is JsonObject host) WriteHost(console, host, sections);
        WriteProblems(console, sections);
        if (sections["store"] is JsonObject store) WriteStore(console, store);
        if (sections["agents"] is JsonObject agents && !agents.ContainsKey("error")) WriteAgents(console, agents,
            sections["messaging"] as JsonObject);
        if (sections["channels"] is JsonObject channels && !channels.ContainsKey("error")) WriteAccounts(console, channels,
            sections["messaging"] as JsonObject);
        var names = string.Join(", ", sections.Where(section => section.Value is JsonObject).Select(section => section.Key));
        console.MarkupLine($"[grey]more: --section NAME ({Markup.Escape(names)}), --all, --json[/]");
    }

    /// <summary>Writes every number of the sections, as pairs.</summary>
    public static void WriteAll(IAnsiConsole console, JsonObject sections)
    {
        var table = Tables.New("section", "what", "value");
        foreach (var (name, value) in sections)
        {
            if (value is not JsonObject members) continue;
            var first = true;
            foreach (var (key, text) in Flatten(members, ""))
            {
                table.AddRow(first ? $"[bold]{Markup.Escape(name)}[/]" : "", Markup.Escape(PlainText.Line(key)),
                    Markup.Escape(PlainText.Line(text)));
                first = false;
            }
        }

        if (table.Rows.Count > 0) console.Write(table);
    }

    /// <summary>The sections that couldn't be told, wholly or in part, each with the reason.</summary>
    public static IEnumerable<(string Section, string Reason, bool TimedOut)> Problems(JsonObject sections)
    {
        foreach (var (name, value) in sections)
        {
            if (value is not JsonObject members) continue;
            if (members is { Count: 1 } && members["error"] is { } error) yield return (name, error.ToString(), IsTimeout(error.ToString()));
            if (members["timedOut"] is JsonArray { Count: > 0 } late)
                yield return (name, $"no answer in time from: {string.Join(", ", late.Select(part => (string?)part))}", true);
            foreach (var fault in members["faults"] as JsonArray ?? []) yield return (name, (string?)fault ?? "", false);
        }
    }

    private static bool IsTimeout(string error) => error.StartsWith("no answer", StringComparison.Ordinal);

    private static void WriteHost(IAnsiConsole console, JsonObject host, JsonObject sections)
    {
        if (host.ContainsKey("error")) return;
        var reasons = string.Join(", ", host["notReadyBecause"]?.AsArray().Select(reason => (string?)reason) ?? []);
        var ready = (bool?)host["ready"] == true ? "[green]ready[/]" : $"[red]not ready[/] ({Escape(reasons)})";
        var uptime = TimeSpan.FromMilliseconds((long?)host["uptimeMs"] ?? 0);
        var clock = (long?)sections["now"] is { } now ? Units.Moment(now) : "";
        console.MarkupLine($"[bold]ChannelBridge {Escape((string?)host["version"])}[/] {ready}, process {(long?)host["pid"]}, up "
            + $"{Units.Duration(uptime)}, "
            + $"memory {Units.Bytes((long?)host["memory"]?["workingSetBytes"] ?? 0)}, at {clock}");
    }

    private static void WriteStore(IAnsiConsole console, JsonObject store)
    {
        if (store["queue"] is not JsonObject queue) return;
        var failing = (string?)store["failing"] is { } code ? $"[red]can't be written since {Units.Moment((long?)store["failingSince"] ?? 0)} ({Escape(code)})[/]"
            : store["timedOut"] is null ? "" : "[red]doesn't answer[/]";
        var space = store["space"] is not JsonObject room ? ""
            : $"{Units.Bytes((long?)room["dataBytes"] ?? 0)}" + ((long?)room["diskFreeBytes"] is { } free ? $", {Units.Bytes(free)} free on its disk" : "");
        var waiting = (long?)queue["commits"] is > 0 and var commits ? $"[yellow]{commits} commits wait[/]" : "";
        console.MarkupLine("store: " + string.Join(", ", new[] { failing, waiting, space }.Where(part => part.Length > 0)));
    }

    private static void WriteProblems(IAnsiConsole console, JsonObject sections)
    {
        foreach (var (section, reason, _) in Problems(sections))
            console.MarkupLine($"[red]{Escape(section)}: {(sections[section]!["error"] is null ? "" : "not known: ")}{Escape(reason)}[/]");
    }

    private static void WriteAgents(IAnsiConsole console, JsonObject agents, JsonObject? messaging)
    {
        var usual = agents.Select(agent =>
            Agent(agent.Key, agent.Value as JsonObject, (long?)messaging?["turns"]?["waitingLanes"]?[agent.Key] ?? 0));
        console.MarkupLine("agents: " + string.Join(", ", usual));
    }

    private static string Agent(string name, JsonObject? about, long waiting)
    {
        var available = (bool?)about?["available"] != false;
        var breaker = (string?)about?["breaker"] is "open";
        var state = available ? "[green]available[/]" : breaker ? "[red]rests after failures[/]" : "[yellow]not connected[/]";
        var last = available ? null : (string?)about?["lastError"];
        var why = last is null ? "" : $" ({Escape(TextWidth.Head(PlainText.Line(last), 80))})";
        return $"{Escape(name)} {state}{why}{(waiting > 0 ? $", [yellow]{waiting} conversations wait[/]" : "")}";
    }

    private static void WriteAccounts(IAnsiConsole console, JsonObject channels, JsonObject? messaging)
    {
        var table = Tables.New("!account", "!clients", "last in", "waiting", "given up", "last out", "waiting", "dead");
        foreach (var (channel, value) in channels)
        {
            foreach (var account in (value?["accounts"] as JsonArray ?? []).OfType<JsonObject>())
            {
                var id = (string?)account["accountId"] ?? "";
                var counts = (messaging?["accounts"] as JsonArray ?? []).OfType<JsonObject>().FirstOrDefault(
                    one => (string?)one["channel"] == channel
                        && string.Equals((string?)one["account"], id, StringComparison.OrdinalIgnoreCase));
                var known = messaging is not null && !messaging.ContainsKey("error");
                table.AddRow(
                    $"{Escape(channel)}/{Escape(id)}",
                    (bool?)account["transport"]?["connected"] == true
                        ? $"[green]{(int?)account["transport"]?["activeConnections"]} connected[/]" : "[yellow]away[/]",
                    Age((long?)account["inbound"]?["lastAgoMs"]),
                    known ? Count((long?)counts?["inboxPending"], "yellow") : "?",
                    known ? Count((long?)counts?["inboxDead"], "red") : "?",
                    Age((long?)account["backlog"]?["lastOutboundAgoMs"]),
                    Count((long?)account["backlog"]?["pending"], "yellow"),
                    Count((long?)account["backlog"]?["deadLetter"], "red"));
            }
        }

        if (table.Rows.Count > 0) console.Write(table);
        else console.MarkupLine("[grey]no account has connected yet[/]");
    }

    private static IEnumerable<(string Key, string Text)> Flatten(JsonObject members, string prefix)
    {
        foreach (var (name, value) in members)
        {
            if (value is JsonObject nested)
            {
                foreach (var pair in Flatten(nested, $"{prefix}{name}.")) yield return pair;
            }
            else if (value is JsonArray { Count: > 0 } items && items.All(item => item is JsonObject))
            {
                for (var i = 0; i < items.Count; i++)
                {
                    var pairs = Flatten(items[i]!.AsObject(), "").Select(pair => $"{pair.Key} {pair.Text}");
                    yield return ($"{prefix}{name}[{i}]", string.Join(", ", pairs));
                }
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
            // Names say what a number is: …Bytes, bytes, maxBytes, bufferedBytesLimit; …At and now are moments; …Ms are lengths of time.
            if (name.Contains("bytes", StringComparison.OrdinalIgnoreCase)) return Units.Bytes((long)number);
            if (number is > 1e12 and < 1e14) return Units.Moment((long)number);
            if (name.EndsWith("Ms", StringComparison.Ordinal)) return Units.Duration(TimeSpan.FromMilliseconds(number));
            return number.ToString(CultureInfo.InvariantCulture);
        }

        return value is JsonArray items ? string.Join(", ", items.Select(item => item?.ToString() ?? "–")) : value.ToString();
    }

    private static string Age(long? milliseconds) => milliseconds is { } age ? Units.Duration(TimeSpan.FromMilliseconds(age)) : "never";

    private static string Count(long? value, string colour) => value is > 0 ? $"[{colour}]{value}[/]" : "0";

    private static string Escape(string? text) => Markup.Escape(PlainText.Line(text ?? ""));
}
