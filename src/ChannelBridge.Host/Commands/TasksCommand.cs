using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge tasks</c>: what A2A peers have asked for, and what became of it.</summary>
internal static class TasksCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "The task's id" };
    private static readonly Option<string?> Peer = new("--peer") { Description = "Only this peer's", HelpName = "NAME" };
    private static readonly Option<string?> Status =
        new("--status")
        {
            Description = "Only in this state: submitted, working, input-required, completed, failed, canceled, rejected",
            HelpName = "STATE"
        };
    private static readonly Option<int?> Limit = new("--limit") { Description = "The newest so many, 1 to 1000 [default: 100]", HelpName = "N" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() => new("tasks", "Lists, shows or cancels tasks of A2A peers.") { List(), Show(), Cancel() };

    private static Command List()
    {
        var command = MethodCommand.Make("list", "Lists tasks, the one that changed last first.", "a2a.tasks.list", parsed =>
        {
            var parameters = new JsonObject();
            if (parsed.GetValue(Peer) is { } peer) parameters["peer"] = peer;
            if (parsed.GetValue(Status) is { } status) parameters["status"] = status;
            if (parsed.GetValue(Limit) is { } limit) parameters["limit"] = limit;
            return parameters;
        }, answer =>
        {
            foreach (var task in MethodCommand.Items(answer, "tasks"))
                Console.WriteLine(PlainText.Clean($"{task["id"]}  {task["state"],-14}  {task["peer"]}  {MethodCommand.Time(task["changedAt"])}  {task["contextId"]}"));
        });
        foreach (var option in new Option[] { Peer, Status, Limit }) command.Options.Add(option);
        return command;
    }

    private static Command Show() => OfTask("show", "Shows a task with its history and results, as version 1.0 writes it.", "a2a.tasks.show", answer =>
        Console.WriteLine(answer["task"]!.ToJsonString(CommandJson.Indented)));

    private static Command Cancel() => OfTask("cancel", "Cancels a task.", "a2a.tasks.cancel", _ => Console.WriteLine("canceled"));

    private static Command OfTask(string name, string description, string method, Action<JsonObject> write)
    {
        var command = MethodCommand.Make(name, description, method, parsed =>
        {
            var parameters = new JsonObject { ["id"] = parsed.GetValue(Id) };
            if (parsed.GetValue(Peer) is { } peer) parameters["peer"] = peer;
            return parameters;
        }, write);
        command.Arguments.Add(Id);
        command.Options.Add(Peer);
        return command;
    }
}
