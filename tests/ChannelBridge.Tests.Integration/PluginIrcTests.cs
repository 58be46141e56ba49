using System.Runtime.CompilerServices;
using ChannelBridge.Tests.Irc;

namespace ChannelBridge.Tests.Integration;

/// <summary>samples/plugin-csharp-irc with a real server: ngircd of Debian's packages.</summary>
public sealed class PluginIrcTests
{
    private const string Id = "cbirc";

    /// <summary>Guards the way of a message between a person on IRC and the agent, in private and in a room, and what an operator sends.</summary>
    [Fact]
    public async Task PersonOnIrc_TalksToTheAgent_InPrivateAndInARoom()
    {
        await using var server = await IrcServer.StartAsync();
        await using var host = await StartAsync(server);
        await using var ann = await IrcUser.ConnectAsync(server, "ann");
        await ann.SayAsync("JOIN #tea");
        // The bot is in the room before anybody speaks to it there.
        await ann.UntilAsync(line => line.Contains("JOIN", StringComparison.Ordinal) && line.StartsWith(":cbot!", StringComparison.Ordinal)
            || line.Contains(" 353 ", StringComparison.Ordinal) && line.Contains("cbot", StringComparison.Ordinal));
        await ann.SayAsync("PRIVMSG cbot :hello");
        await ann.HearsAsync("PRIVMSG ann :echo: hello");
        await ann.SayAsync("PRIVMSG #tea :not for you");
        await ann.SayAsync("PRIVMSG #tea :cbot: what is tea?");
        await ann.HearsAsync("PRIVMSG #tea :echo: what is tea?");

        // Longer than a line, and made of characters of several bytes: cut, not broken.
        var word = string.Concat(Enumerable.Repeat("Grüße ", 55)).Trim();
        await ann.SayAsync($"PRIVMSG cbot :{word}");
        var heard = "";
        while (heard.Length < "echo: ".Length + word.Length)
        {
            var line = await ann.UntilAsync(one => one.Contains("PRIVMSG ann :", StringComparison.Ordinal));
            heard += line[(line.IndexOf("PRIVMSG ann :", StringComparison.Ordinal) + "PRIVMSG ann :".Length)..];
        }

        Assert.Equal($"echo: {word}", heard);

        var sent = await HostProcess.RunAsync(["send", "--channel", Id, "--to", "ann", "--data", host.Data, "tea is ready\nQUIT :not a command"]);
        Assert.True(sent.ExitCode == 0, sent.Output + sent.Errors);
        await ann.HearsAsync("PRIVMSG ann :tea is ready");
        await ann.HearsAsync("PRIVMSG ann :QUIT :not a command");
        // Its connection is the one that it had: nothing of a text was a command.
        await ann.SayAsync("PRIVMSG cbot :still there?");
        await ann.HearsAsync("PRIVMSG ann :echo: still there?");
    }

    /// <summary>Guards that an answer survives the server's absence and the process's end, and comes when both are back.</summary>
    [Fact]
    public async Task ServerAndProcessThatGo_LoseNoAnswer()
    {
        var server = await IrcServer.StartAsync();
        await using var host = await StartAsync(server);
        await server.DisposeAsync();
        // Accepted while nobody is connected: it waits.
        var sent = await HostProcess.RunAsync(["send", "--channel", Id, "--to", "ann", "--data", host.Data, "this", "waited"]);
        Assert.True(sent.ExitCode == 0, sent.Output + sent.Errors);
        await using var again = await IrcServer.StartAsync(server.Port);
        // Whoever of the two is there first: nobody of that nick is a reason to try again.
        await using var ann = await IrcUser.ConnectAsync(again, "ann");
        await ann.HearsAsync("PRIVMSG ann :this waited");
        await ann.SayAsync("JOIN #tea");
        await ann.HearsAsync(" 366 ann #tea :End of NAMES list");
        var restarted = await HostProcess.RunAsync(["plugins", "restart", Id, "--data", host.Data]);
        Assert.True(restarted.ExitCode == 0, restarted.Output + restarted.Errors);
        await ann.UntilAsync(line => line.StartsWith(":cbot!", StringComparison.Ordinal) && line.Contains(" JOIN ", StringComparison.Ordinal));
        await ann.SayAsync("PRIVMSG cbot :back?");
        await ann.HearsAsync("PRIVMSG ann :echo: back?");
    }

    private static async Task<HostProcess> StartAsync(IrcServer server)
    {
        var host = await HostProcess.StartAsync(environment: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__PLUGINS__CBIRC__SETTINGS__SERVER"] = "127.0.0.1",
            ["CHANNELBRIDGE__PLUGINS__CBIRC__SETTINGS__PORT"] = server.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["CHANNELBRIDGE__PLUGINS__CBIRC__SETTINGS__TLS"] = "false",
            ["CHANNELBRIDGE__PLUGINS__CBIRC__SETTINGS__NICK"] = "cbot",
            ["CHANNELBRIDGE__PLUGINS__CBIRC__SETTINGS__ROOMS__0"] = "#tea",
        });
        var folder = Path.Combine(
            Samples(), "plugin-csharp-irc",
            Path.GetRelativePath(Path.Combine(Samples(), "..", "tests", "ChannelBridge.Tests.Integration"), AppContext.BaseDirectory));
        var installed = await HostProcess.RunAsync(["plugins", "install", folder, "--data", host.Data]);
        Assert.True(installed.ExitCode == 0, installed.Output + installed.Errors);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await using var watcher = await IrcUser.ConnectAsync(server, "watcher");
        await watcher.UntilThereAsync("cbot");
        return host;
    }

    private static string Samples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
