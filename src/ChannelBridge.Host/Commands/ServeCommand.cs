using System.CommandLine;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge serve</c>: runs the host.</summary>
internal static class ServeCommand
{
    /// <summary>Its options.</summary>
    public static readonly ServeOptions Options = new();

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command =
            new Command("serve",
                "Runs the host until it is told to stop (SIGTERM or Ctrl+C). Settings may also come from appsettings.json and CHANNELBRIDGE__… variables.");
        Options.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            HostSettings Load() => SettingsLoader.Load(Options.Read(parsed));
            var settings = Load();
            // With --stdio the protocol owns standard output.
            return HostRunner.RunAsync(settings, settings.Stdio ? Console.Error : Console.Out, reload: Load);
        });
        return command;
    }
}
