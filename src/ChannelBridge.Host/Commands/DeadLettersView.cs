using System.Globalization;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Chat;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>Dead letters as a person reads them. Whatever came from outside is cleaned of control characters first.</summary>
internal static class DeadLettersView
{
    /// <summary>Writes a page of the list.</summary>
    public static void WriteList(JsonObject page)
    {
        var entries = page["entries"]?.AsArray().OfType<JsonObject>().ToList() ?? [];
        if (entries.Count == 0)
        {
            Console.WriteLine("no dead letters");
            return;
        }

        var table = new Table().Border(TableBorder.Rounded)
            .AddColumn("message").AddColumn("account").AddColumn("conversation").AddColumn("state").AddColumn("reason").AddColumn("attempts").AddColumn("accepted").AddColumn("ended");
        foreach (var entry in entries)
        {
            table.AddRow(
                Cell(entry["messageId"]), Cell(entry["accountId"]), Cell(entry["sessionKey"]), Cell(entry["state"]), Cell(entry["reason"]), Cell(entry["attempts"]),
                Time(entry["acceptedAt"]), Time(entry["endedAt"]));
        }

        Terminal(240).Write(table);
        if ((string?)page["nextCursor"] is { } next) Console.WriteLine($"there may be more: --cursor {next}");
    }

    /// <summary>Writes one dead letter.</summary>
    public static void WriteOne(JsonObject shown)
    {
        var console = Terminal(160);
        var receipt = shown["receipt"]!.AsObject();
        var pairs = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumn("").AddColumn("");
        foreach (var (name, value) in receipt)
        {
            if (value is not null) pairs.AddRow(Markup.Escape(name), name.EndsWith("At", StringComparison.Ordinal) ? Time(value) : Cell(value));
        }

        console.Write(pairs);
        if ((shown["message"] ?? shown["inbound"]) is JsonObject message)
        {
            foreach (var came in (message["attachments"] as JsonArray ?? []).OfType<JsonObject>()) Console.WriteLine($"file: {Clean(came["fileName"])} ({Clean(came["mimeType"])})");
            if (message["attachment"] is JsonObject file) Console.WriteLine($"file: {Clean(file["fileName"])} ({Clean(file["mimeType"])})");
            Console.WriteLine("text:");
            Console.WriteLine(ChatText.Clean((string?)message["text"] ?? ""));
        }
        else
        {
            Console.WriteLine("the message itself isn't kept any more: it was delivered");
        }

        var history = new Table().Border(TableBorder.Rounded).Title("history").AddColumn("when").AddColumn("attempt").AddColumn("reason").AddColumn("detail").AddColumn("connection");
        foreach (var line in (shown["history"] as JsonArray ?? []).OfType<JsonObject>())
        {
            history.AddRow(Time(line["at"]), Cell(line["attempt"] ?? line["action"]), Cell(line["reason"]), Cell(line["detail"] ?? line["by"]), Cell(line["connectionId"]));
        }

        if (history.Rows.Count > 0) console.Write(history);
    }

    /// <summary>Writes who did what.</summary>
    public static void WriteAudit(JsonObject audit)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn("when").AddColumn("what").AddColumn("by").AddColumn("message").AddColumn("had died of");
        foreach (var line in (audit["entries"] as JsonArray ?? []).OfType<JsonObject>())
        {
            table.AddRow(Time(line["at"]), Cell(line["action"]), Cell(line["by"]), Cell(line["messageId"]), Cell(line["reason"]));
        }

        if (table.Rows.Count > 0) Terminal(200).Write(table);
        else Console.WriteLine("nobody has replayed or removed a dead letter");
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
        Console.WriteLine(changed == matched ? $"{changed} {done}" : $"{changed} of {matched} {done}; the others were gone or on their way already");
    }

    private static string Cell(JsonNode? value) => Markup.Escape(Clean(value));

    private static string Clean(JsonNode? value) => value is null ? "" : ChatText.Clean(value.ToString()).ReplaceLineEndings(" ");

    private static string Time(JsonNode? value) => value is JsonValue number && number.TryGetValue<long>(out var at)
        ? DateTimeOffset.FromUnixTimeMilliseconds(at).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture)
        : "";

    /// <summary>A pipe gets plain text, and a width that cuts no table.</summary>
    private static IAnsiConsole Terminal(int width)
    {
        if (!Console.IsOutputRedirected) return AnsiConsole.Console;
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(Console.Out) });
        console.Profile.Width = width;
        return console;
    }
}
