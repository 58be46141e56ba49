using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands.MultiClaws;

/// <summary><c>channelbridge teams</c>: the teams of hosts that know each other by key.</summary>
internal static class TeamsCommand
{
    private static readonly Argument<string> Name = new("NAME") { Description = "The team's name" };
    private static readonly Argument<string> Code = new("INVITE") { Description = "The invite code, mc:…" };
    private static readonly Option<string?> Team = new("--team") { Description = "The team's id; without it the first team, or all", HelpName = "ID" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("teams", "Makes, joins, leaves and shows teams: hosts whose agents may call each other.")
        {
            Make("create", "Makes a team and prints the invite code by which others join it.", "teams.create", Name, "name", WriteInvite),
            Make("join", "Joins a team.", "teams.join", Code, "inviteCode", static answer =>
            {
                var team = answer["team"]!.AsObject();
                Console.WriteLine(PlainText.Clean($"joined {team["teamName"]} ({team["teamId"]}): {team["members"]!.AsArray().Count} members"));
            }),
            OfTeam("leave", "Leaves a team; the others are told.", "teams.leave", static _ => Console.WriteLine("left")),
            OfTeam("members", "Lists the members of a team, or of all teams.", "teams.members", WriteMembers),
            OfTeam("invite", "Prints a team's invite code.", "teams.invite", WriteInvite),
            OfTeam("rotate", "Gives a team another secret and prints the new invite code: earlier ones admit to nothing any more, members stay.", "teams.rotate", WriteInvite),
        };

    private static Command Make(string name, string description, string method, Argument<string> argument, string parameter, Action<JsonObject> write)
    {
        var command = MethodCommand.Make(name, description, method, parsed => new JsonObject { [parameter] = parsed.GetValue(argument) }, write);
        command.Arguments.Add(argument);
        return command;
    }

    private static Command OfTeam(string name, string description, string method, Action<JsonObject> write)
    {
        var command = MethodCommand.Make(name, description, method, parsed => parsed.GetValue(Team) is { } id ? new JsonObject { ["teamId"] = id } : new JsonObject(), write);
        command.Options.Add(Team);
        return command;
    }

    private static void WriteInvite(JsonObject answer)
    {
        Console.WriteLine((string?)answer["inviteCode"]);
        var team = answer["team"]!.AsObject();
        Console.Error.WriteLine(PlainText.Clean($"That lets others join {team["teamName"]} ({team["teamId"]}): hand it on in private."));
        if (answer["warning"] is { } warning) Console.Error.WriteLine(PlainText.Clean($"warning: {warning}"));
    }

    private static void WriteMembers(JsonObject answer)
    {
        var teams = answer["teams"] is JsonArray several ? several.Select(static one => one!["team"]!.AsObject()) : [answer["team"]!.AsObject()];
        var table = Tables.New("team", "!name", "!url", "what it says of itself");
        foreach (var team in teams)
        {
            foreach (var member in team["members"]!.AsArray())
            {
                table.AddRow(
                    Cell(team["teamName"]), Cell(member!["name"]), Cell(member["url"]), Markup.Escape(PlainText.Clean(AgentsCommand.FirstWords((string?)member["description"]))));
            }
        }

        Tables.Output().Write(table);
    }

    private static string Cell(JsonNode? text) => Markup.Escape(PlainText.Clean((string?)text ?? ""));
}
