using System.CommandLine;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge demo</c>: host and chat in one process, for the first look.</summary>
internal static class DemoCommand
{
    private static readonly Option<string?> Data = new("--data", "-d") { Description = "The data folder [default: a new one, removed at the end]", HelpName = "DIR" };
    private static readonly Option<string> Agent = new("--agent") { Description = "Who answers: echo or openclaw", DefaultValueFactory = _ => "echo", HelpName = "NAME" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("demo", "Runs a host on a free port and chats with it: the shortest way to a first conversation.");
        command.Options.Add(Data);
        command.Options.Add(Agent);
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(Data), parsed.GetValue(Agent)!));
        return command;
    }

    private static async Task<int> RunAsync(string? data, string agent)
    {
        var temporary = data is null ? Directory.CreateTempSubdirectory("channelbridge-demo-") : null;
        try
        {
            var settings = SettingsLoader.Load(new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
            {
                ["Listen:Urls"] = "http://127.0.0.1:0",
                ["Store:Data"] = temporary?.FullName ?? data,
                ["Agents:Default"] = agent,
                ["Telemetry:LogLevel"] = "Warning",
            });

            // The conversation owns standard output; what the host says of itself goes beside it.
            await Console.Error.WriteLineAsync($"ChannelBridge {ProductVersion.Text}: a host and a chat in one process; data in {settings.DataDirectory}{(temporary is null ? "" : ", removed at the end")}").ConfigureAwait(false);
            await Console.Error.WriteLineAsync(agent == "echo" ? "The echo agent answers: it repeats what you say." : "OpenClaw answers as soon as its plugin is connected.").ConfigureAwait(false);
            return await HostRunner.RunAsync(settings, Console.Error, ChatAsync).ConfigureAwait(false);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    private static Task<int> ChatAsync(WebApplication app, CancellationToken stopping)
    {
        var folder = app.Services.GetRequiredService<DataFolder>();
        return ChatCommand.RunAsync(
            new BncrBridgeOptions
            {
                Connection = new ChannelBridgeClientOptions
                {
                    Endpoint = HostRunner.Addresses(app).First(),
                    TokenFile = folder.TokenPath,
                    ClientId = "cli",
                    ClientMode = "cli",
                    ClientVersion = ProductVersion.Text,
                },
                AccountId = ChatCommand.DefaultAccount,
                BridgeId = "channelbridge-chat",
            },
            ChatCommand.DefaultUser(),
            TimeSpan.FromSeconds(60),
            stopping);
    }
}
