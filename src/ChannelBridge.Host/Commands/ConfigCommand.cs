using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// <c>channelbridge config</c>: checks the settings, or shows each with its value and where it stands, without a start. It takes what <c>serve</c>
/// takes, so that the answer is about the same start.
/// </summary>
internal static class ConfigCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };
    private static readonly Option<bool> OnlySet = new("--set") { Description = "Only what is set somewhere, not the defaults" };
    private static readonly Argument<string?> Part = new("PREFIX")
    {
        Description = "Only keys that begin so, e.g. Limits or Channels:Bncr",
        Arity = ArgumentArity.ZeroOrOne,
    };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("config", "Checks the settings or shows them, without a start. Takes the options of serve.")
        {
            Check(), Show(),
        };

    private static Command Check()
    {
        var options = new ServeOptions();
        var command = new Command("check", "Says whether the settings allow a start: exit code 0, or 3 and one line for each problem.");
        options.AddTo(command);
        command.Options.Add(Json);
        command.SetAction(async (parsed, _) =>
        {
            var report = SettingsLoader.Inspect(options.Read(parsed));
            if (parsed.GetValue(Json))
            {
                await Console.Out.WriteLineAsync(ToText(Verdict(report))).ConfigureAwait(false);
            }
            else
            {
                await TellAsync(report).ConfigureAwait(false);
                if (report.Problems.Count == 0) await Console.Out.WriteLineAsync("the settings allow a start").ConfigureAwait(false);
            }

            return report.Problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Settings;
        });
        return command;
    }

    private static Command Show()
    {
        var options = new ServeOptions();
        var command = new Command("show", "Shows every setting with its value and where it stands: default, file, environment or command line.");
        command.Arguments.Add(Part);
        options.AddTo(command);
        command.Options.Add(OnlySet);
        command.Options.Add(Json);
        command.SetAction(async (parsed, _) =>
        {
            var report = SettingsLoader.Inspect(options.Read(parsed));
            var part = parsed.GetValue(Part) ?? "";
            var lines = SettingsView.Lines(report.Merged, SettingsCatalog.Index)
                .Where(line => line.Key.StartsWith(part, StringComparison.OrdinalIgnoreCase) && (line.Source != "default" || !parsed.GetValue(OnlySet)))
                .ToList();
            if (parsed.GetValue(Json))
            {
                var answer = Verdict(report);
                answer["settings"] = new JsonArray([.. lines.Select(ToJson)]);
                await Console.Out.WriteLineAsync(ToText(answer)).ConfigureAwait(false);
            }
            else
            {
                Write(lines);
                await TellAsync(report).ConfigureAwait(false);
            }

            return report.Problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Settings;
        });
        return command;
    }

    private static void Write(List<SettingsLine> lines)
    {
        var table = Tables.New("!key", "value", "source");
        foreach (var line in lines)
        {
            var source = line.Place.Length > 0 ? $"{line.Source}: {line.Place}" : line.Source;
            table.AddRow(Markup.Escape(PlainText.Line(line.Key)), Markup.Escape(PlainText.Line(line.Value)), Markup.Escape(PlainText.Line(source)));
        }

        Tables.Output().Write(table);
    }

    private static async Task TellAsync(SettingsReport report)
    {
        foreach (var problem in report.Problems)
            await Console.Error.WriteLineAsync("problem: " + PlainText.Line(problem)).ConfigureAwait(false);
        foreach (var warning in report.Warnings)
            await Console.Error.WriteLineAsync("warning: " + PlainText.Line(warning)).ConfigureAwait(false);
    }

    private static JsonObject Verdict(SettingsReport report) => new()
    {
        ["ok"] = report.Problems.Count == 0,
        ["problems"] = new JsonArray([.. report.Problems.Select(problem => JsonValue.Create(problem))]),
        ["warnings"] = new JsonArray([.. report.Warnings.Select(warning => JsonValue.Create(warning))]),
    };

    private static JsonObject ToJson(SettingsLine line) => new()
    {
        ["key"] = line.Key,
        ["value"] = line.Value,
        ["source"] = line.Source,
        ["place"] = line.Place.Length > 0 ? line.Place : null,
        ["default"] = line.Setting?.Default,
        ["kind"] = line.Setting?.Kind.ToString().ToLowerInvariant(),
        ["secret"] = line.Setting?.IsSecret ?? false,
    };

    private static string ToText(JsonObject answer) => JsonSerializer.Serialize(answer, CommandJson.Default.JsonObject);
}
