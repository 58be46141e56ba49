using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>Dead letters as a person reads them. Whatever came from outside is cleaned of control characters first.</summary>
internal static class DeadLettersView
{
    /// <summary>Writes a page of the list; nothing when there is nothing in it.</summary>
    /// <param name="page">The page.</param>
    /// <param name="title">What these are.</param>
    /// <param name="more">How the next page is asked for.</param>
    public static bool WriteList(JsonObject page, string title, string more)
    {
        var entries = page["entries"]?.AsArray().OfType<JsonObject>().ToList() ?? [];
        if (entries.Count == 0) return false;
        var console = Tables.Output();
        var table = Tables.New("!message", "account", "conversation", "reason", "tries", "age");
        foreach (var entry in entries)
        {
            table.AddRow(
                Cell(entry["messageId"]), Cell(entry["accountId"]),
                    Markup.Escape(PlainText.Line(TargetText.Of((string?)entry["sessionKey"] ?? ""))),
                Markup.Escape(Short((string?)entry["reason"])), Cell(entry["attempts"]), Age(entry["endedAt"] ?? entry["acceptedAt"]));
        }

        console.MarkupLine($"[bold]{Markup.Escape(title)}[/]");
        console.Write(table);
        if ((string?)page["nextCursor"] is { } next) Console.WriteLine($"there may be more: {more} --cursor {next}");
        return true;
    }

    /// <summary>Writes one dead letter.</summary>
    public static void WriteOne(JsonObject shown)
    {
        var console = Tables.Output();
        var receipt = shown["receipt"]!.AsObject();
        var pairs = Tables.New("what", "value").HideHeaders();
        foreach (var (name, value) in receipt)
        {
            if (value is not null) pairs.AddRow(Markup.Escape(name), name.EndsWith("At", StringComparison.Ordinal) ? Time(value) : Cell(value));
            if (name == "sessionKey" && TargetText.Of(value!.ToString()) is var target && target != value.ToString()) pairs.AddRow(
                "conversation", Markup.Escape(target));
        }

        console.Write(pairs);
        if ((shown["message"] ?? shown["inbound"]) is JsonObject message)
        {
            foreach (var came in (message["attachments"] as JsonArray ?? []).OfType<JsonObject>())
                Console.WriteLine($"file: {Clean(came["fileName"])} ({Clean(came["mimeType"])})");
            if (message["attachment"] is JsonObject file) Console.WriteLine($"file: {Clean(file["fileName"])} ({Clean(file["mimeType"])})");
            Console.WriteLine("text:");
            Console.WriteLine(PlainText.Clean((string?)message["text"] ?? ""));
        }
        else
        {
            Console.WriteLine("the message itself is gone: it was delivered");
        }

        var history = Tables.New("when", "attempt", "reason", "detail", "connection").Title("history");
        foreach (var line in (shown["history"] as JsonArray ?? []).OfType<JsonObject>())
        {
            history.AddRow(Time(line["at"]), Cell(line["attempt"] ?? line["action"]), Cell(line["reason"]), Cell(line["detail"] ?? line["by"]), Cell(line["connectionId"]));
        }

        if (history.Rows.Count > 0) console.Write(history);
    }

    /// <summary>Writes who did what.</summary>
    public static void WriteAudit(JsonObject audit)
    {
        var table = Tables.New("when", "what", "by", "!message", "reason");
        foreach (var line in (audit["entries"] as JsonArray ?? []).OfType<JsonObject>())
        {
            table.AddRow(Time(line["at"]), Cell(line["action"]), Cell(line["by"]), Cell(line["messageId"]), Cell(line["reason"]));
        }

        if (table.Rows.Count > 0) Tables.Output().Write(table);
        else Console.WriteLine("no dead letter was replayed or removed");
    }

    /// <summary>Says what was done, or would be.</summary>
    public static void WriteChange(JsonObject result, string done)
    {
        var matched = (int?)result["matched"] ?? 0;
        var dryRun = (bool?)result["dryRun"] == true;
        if (dryRun)
        {
            foreach (var id in result["messageIds"] as JsonArray ?? []) Console.WriteLine((string?)id);
            Console.WriteLine($"{matched} would be {done}; nothing was done");
            return;
        }

        var changed = (int?)result["changed"] ?? 0;
        Console.WriteLine(changed == matched ? $"{changed} {done}"
            : $"{changed} of {matched} {done}; the others were already gone or being delivered");
    }

    private static string Cell(JsonNode? value) => Markup.Escape(Clean(value));

    private static string Clean(JsonNode? value) => value is null ? "" : PlainText.Line(value.ToString());

    /// <summary>A reason's code; its sentence is in <c>show</c>.</summary>
    private static string Short(string? text)
    {
        var line = PlainText.Line(text ?? "");
        var code = line.Split(':', 2)[0];
        return TextWidth.Of(code) <= 32 ? code : TextWidth.Head(code, 31) + "…";
    }

    private static string Time(JsonNode? value) => value is JsonValue number && number.TryGetValue<long>(out var at) ? Units.Moment(at)
        : "";

    private static string Age(JsonNode? value) => value is JsonValue number && number.TryGetValue<long>(out var at)
        ? Units.Duration(TimeSpan.FromMilliseconds(Math.Max(0, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - at)))
        : "";
}
