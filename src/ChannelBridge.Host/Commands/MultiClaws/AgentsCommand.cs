using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Commands.MultiClaws;

/// <summary><c>channelbridge agents</c>: the agents of other hosts that this one may call.</summary>
internal static class AgentsCommand
{
    private const int MostWords = 80;

    private static readonly Argument<string> Address = new("URL") { Description = "The agent's address" };
    private static readonly Option<string?> KeyFile = new("--key-file") { Description = "A file whose first line is the key that the agent wants to see", HelpName = "FILE" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("agents", "Lists, adds or removes agents of other hosts that this one may call; members of its teams are there by themselves.") { List(), Add(), Remove() };

    /// <summary>The beginning of a text as one line.</summary>
    public static string FirstWords(string? text)
    {
        var line = (text ?? "").ReplaceLineEndings(" ").Trim();
        return line.Length <= MostWords ? line : line[..MostWords] + "…";
    }

    private static Command List() => MethodCommand.Make(
        "list", "Lists the agents, the one heard of last first; never their keys.", "agents.list", static _ => new JsonObject(), WriteList);

    private static void WriteList(JsonObject answer)
    {
        var table = Tables.New("!name", "!url", "from", "what it says of itself");
        foreach (var agent in MethodCommand.Items(answer, "agents"))
        {
            var from = agent["teamIds"] is JsonArray { Count: > 0 } ? "team" : (bool?)agent["hasKey"] is true ? "added, with a key" : "added";
            table.AddRow(Cell(agent["name"]), Cell(agent["url"]), from, Cell(FirstWords((string?)agent["description"])));
        }

        Tables.Output().Write(table);
    }

    private static Command Add()
    {
        var command = MethodCommand.Make("add", "Adds an agent, reachable now or not.", "agents.add", static parsed =>
        {
            var parameters = new JsonObject { ["url"] = parsed.GetValue(Address) };
            if (parsed.GetValue(KeyFile) is { } file) parameters["apiKey"] = ReadKey(file);
            return parameters;
        }, static answer => Console.WriteLine(PlainText.Clean($"added {answer["name"]} at {answer["url"]}")));
        command.Arguments.Add(Address);
        command.Options.Add(KeyFile);
        return command;
    }

    private static Command Remove()
    {
        var command = MethodCommand.Make("remove", "Removes an agent that was added.", "agents.remove", static parsed => new JsonObject { ["url"] = parsed.GetValue(Address) },
            static answer => Console.WriteLine((bool)answer["removed"]! ? "removed" : "there is no such agent"));
        command.Arguments.Add(Address);
        return command;
    }

    // Not as an argument: the list of processes is everybody's.
    private static string ReadKey(string file)
    {
        try
        {
            return File.ReadLines(file).FirstOrDefault()?.Trim() is { Length: > 0 } key ? key : throw new FormatException($"--key-file: the first line of {file} is empty");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"--key-file: {file} can't be read", fault);
        }
    }

    private static string Cell(JsonNode? text) => Markup.Escape(PlainText.Clean((string?)text ?? ""));

    private static string Cell(string text) => Markup.Escape(PlainText.Clean(text));
}
