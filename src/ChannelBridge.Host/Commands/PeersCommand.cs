using System.CommandLine;
using System.Text.Json.Nodes;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge peers</c>: who may call this host's agents by A2A.</summary>
internal static class PeersCommand
{
    private static readonly Argument<string> Name = new("NAME") { Description = "The peer's name" };
    private static readonly Option<string?> Address = new("--url") { Description = "Where the peer answers itself", HelpName = "URL" };
    private static readonly Option<string?> KeyFile =
        new("--outbound-key-file") { Description = "A file on the host whose first line is the key that the peer wants to see", HelpName = "FILE" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() =>
        new("peers",
            "Lists, adds, changes or removes A2A peers: agents of other hosts that may call this one's. It holds on every host within a second.")
    {
        List(), Add(), Rotate(), Remove(), Forget(),
    };

    private static Command List() => MethodCommand.Make("list", "Lists the peers, never their tokens; those of the settings are changed there.",
        "a2a.peers.list", _ => new JsonObject(), answer =>
    {
        foreach (var peer in MethodCommand.Items(answer, "peers"))
        {
            string[] notes =
            [
                $"{peer["tasks"]} tasks", .. peer["url"] is { } url ? [$"at {url}"] : Array.Empty<string>(),
                .. (bool)peer["hasOutboundKey"]! ? ["with a key for it"] : Array.Empty<string>(),
                .. MethodCommand.Note(peer, "expiresAt", "until"), .. MethodCommand.Note(peer, "lastUsedAt", "last used"),
            ];
            Console.WriteLine($"{peer["name"]}  ({peer["source"]})  {string.Join("; ", notes)}");
        }
    });

    private static Command Add()
    {
        var command = MethodCommand.Make("add", "Adds a peer and prints its token, this once.", "a2a.peers.add", parsed =>
        {
            var parameters = new JsonObject { ["name"] = parsed.GetValue(Name) };
            if (parsed.GetValue(Address) is { } url) parameters["url"] = url;
            if (parsed.GetValue(KeyFile) is { } file) parameters["outboundKeyFile"] = Path.GetFullPath(file);
            SecretOptions.AddExpiry(parsed, parameters);
            return parameters;
        }, WriteSecret, new ConnectionOptions("--host-url"));
        command.Arguments.Add(Name);
        foreach (var option in new Option[] { Address, KeyFile, SecretOptions.Expires }) command.Options.Add(option);
        return command;
    }

    private static Command Rotate()
    {
        var command = MethodCommand.Make("rotate", "Gives a peer another token and prints it, this once.", "a2a.peers.rotate", parsed =>
        {
            var parameters = Named(parsed);
            SecretOptions.AddGrace(parsed, parameters);
            return parameters;
        }, WriteSecret);
        command.Arguments.Add(Name);
        command.Options.Add(SecretOptions.Grace);
        return command;
    }

    private static Command Remove() => OfPeer(
        "remove", "Ends a peer's token and closes what was opened with it; its tasks stay until their time.", "a2a.peers.remove", _ => Console.WriteLine("removed"));

    private static Command Forget() => OfPeer("forget", "Deletes a peer's tasks, but those at work.", "a2a.peers.forget", answer =>
    {
        Console.WriteLine($"forgotten: {answer["forgotten"]} tasks");
        if ((int)answer["open"]! > 0) Console.Error.WriteLine($"{answer["open"]} tasks are at work and stay; cancel them first: channelbridge tasks cancel ID");
    });

    private static Command OfPeer(string name, string description, string method, Action<JsonObject> write)
    {
        var command = MethodCommand.Make(name, description, method, Named, write);
        command.Arguments.Add(Name);
        return command;
    }

    private static JsonObject Named(ParseResult parsed) => new() { ["name"] = parsed.GetValue(Name) };

    private static void WriteSecret(JsonObject answer) => SecretOptions.Write($"the token of the peer '{answer["name"]}'", answer);
}
