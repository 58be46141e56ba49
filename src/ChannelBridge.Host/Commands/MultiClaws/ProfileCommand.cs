using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands.MultiClaws;

/// <summary><c>channelbridge profile</c>: what this host says of itself to the members of its teams.</summary>
internal static class ProfileCommand
{
    private static readonly Option<string?> Name = new("--name") { Description = "Whose assistant it is", HelpName = "NAME" };
    private static readonly Option<string?> Bio = new("--bio") { Description = "What it can do and which data it has, in Markdown", HelpName = "TEXT" };
    private static readonly Option<string?> BioFile = new("--bio-file") { Description = "A file with that text", HelpName = "FILE" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() => new("profile", "Shows or changes what this host says of itself to others.")
    {
        MethodCommand.Make("show", "Shows name and bio.", "profile.show", static _ => new JsonObject(), Write),
        Set(),
        MethodCommand.Make("pending", "Tells whether name or bio are still missing.", "profile.pending_review", static _ => new JsonObject(), static answer =>
            Console.WriteLine((bool)answer["pending"]! ? "pending: set a bio with 'channelbridge profile set --bio …'" : "not pending")),
        MethodCommand.Make("clear-pending", "Has no review pending until the host starts again.", "profile.clear_pending_review", static _ => new JsonObject(),
            static _ => Console.WriteLine("cleared")),
    };

    private static Command Set()
    {
        var command = MethodCommand.Make("set", "Changes name, bio, or both; teams are told.", "profile.set", static parsed =>
        {
            var parameters = new JsonObject();
            if (parsed.GetValue(Name) is { } name) parameters["ownerName"] = name;
            var (bio, file) = (parsed.GetValue(Bio), parsed.GetValue(BioFile));
            if (bio is not null && file is not null) throw new FormatException("--bio and --bio-file say the same; choose one");
            if (bio is not null) parameters["bio"] = bio;
            else if (file is not null) parameters["bio"] = Read(file);
            return parameters.Count > 0 ? parameters : throw new FormatException("say --name, --bio or --bio-file");
        }, Write);
        foreach (var option in new[] { Name, Bio, BioFile }) command.Options.Add(option);
        return command;
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"--bio-file: {file} can't be read", fault);
        }
    }

    private static void Write(JsonObject answer)
    {
        Console.WriteLine(PlainText.Clean((string?)answer["ownerName"] ?? ""));
        if ((string?)answer["bio"] is { Length: > 0 } bio) Console.WriteLine("\n" + PlainText.Clean(bio));
    }
}
