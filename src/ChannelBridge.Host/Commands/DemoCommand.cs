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
    private static readonly AgentOptions Agent = new();

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("demo", "Runs a host on a free port and chats with it: the shortest way to a first conversation.");
        command.Options.Add(Data);
        Agent.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            var given = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
            Agent.Read(parsed, given);
            return RunAsync(parsed.GetValue(Data), given);
        });
        return command;
    }

    private static async Task<int> RunAsync(string? data, Dictionary<string, string?> given)
    {
        var temporary = data is null ? Directory.CreateTempSubdirectory("channelbridge-demo-") : null;
        try
        {
            given["Listen:Urls"] = "http://127.0.0.1:0";
            given["Store:Data"] = temporary?.FullName ?? data;
            given["Telemetry:LogLevel"] = "Warning";
            given.TryAdd("Agents:Default", "echo");
            var settings = SettingsLoader.Load(given);

            // The conversation owns standard output; what the host says of itself goes beside it.
            await Console.Error.WriteLineAsync(
                $"ChannelBridge {ProductVersion.Text}: a host and a chat in one process; data in "
                    + $"{settings.DataDirectory}{(temporary is null ? "" : ", removed at the end")}").ConfigureAwait(false);
            await Console.Error.WriteLineAsync(settings.Agent switch
            {
                "echo" => "The echo agent answers: it repeats what you say.",
                "openclaw" => "OpenClaw answers as soon as its plugin is connected.",
                var name => $"The agent '{name}' answers.",
            }).ConfigureAwait(false);
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
                    Endpoint = Listener.Addresses(app, app.Services.GetRequiredService<HostSettings>())[0],
                    TokenFile = folder.TokenPath,
                    ClientId = "cli",
                    ClientMode = "cli",
                    ClientVersion = ProductVersion.Text,
                },
                AccountId = ChatCommand.AccountOf(ChatCommand.DefaultUser()),
                BridgeId = "channelbridge-chat",
            },
            ChatCommand.DefaultUser(),
            TimeSpan.FromSeconds(60),
            stopping);
    }
}
