using System.CommandLine;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge serve</c>: runs the host.</summary>
internal static class ServeCommand
{
    private static readonly Option<string?> Urls = new("--urls") { Description = $"Addresses to listen on, separated by ';' [default: {Defaults.Url}]; port 0 takes a free one, 'off' none", HelpName = "URLS" };
    private static readonly Option<string?> Data = new("--data", "-d") { Description = $"The data folder, made owner-only [default: {Defaults.DataDirectoryText}]", HelpName = "DIR" };
    private static readonly Option<string?> Store = new("--store") { Description = "PostgreSQL, for several hosts: its connection string. Every user of the machine can see it in the list of processes: keep a password in Store:ConnectionFile instead [default: SQLite in DIR]", HelpName = "CONNECTION" };
    private static readonly Option<string?> Token = new("--token") { Description = "The first token, which has every scope. Every user of the machine can see it in the list of processes: prefer --token-file [default: the one in DIR/token, made at the first start]", HelpName = "T" };
    private static readonly Option<string?> TokenFile = new("--token-file") { Description = "A file whose first line is the first token", HelpName = "FILE" };
    private static readonly AgentOptions Agent = new();
    private static readonly Option<string?> Socket = new("--socket") { Description = "The Unix socket for local tools and the OpenClaw plugin [default: DIR/channelbridge.sock]; 'off' for none", HelpName = "PATH" };
    private static readonly Option<bool> Stdio = new("--stdio") { Description = "Speak JSON-RPC on standard input and output, too; the end of input stops the host" };
    private static readonly Option<string?> Otlp = new("--otlp") { Description = "Send logs, traces and metrics to this OTLP/HTTP endpoint", HelpName = "URL" };
    private static readonly Option<string?> LogLevel = new("--log-level") { Description = "Trace, Debug, Information, Warning, Error, Critical or None [default: Information]", HelpName = "LEVEL" };
    private static readonly Option<bool> Managed = new("--managed")
    {
        Description = "For a program that starts the host as a child "
        + "process: the end of standard input stops the host, and a new token isn't shown"
    };

    /// <summary>The options and the settings that they stand for.</summary>
    private static readonly (Option Option, string Key)[] Keys =
    [
        (Urls, "Listen:Urls"), (Data, "Store:Data"), (Store, "Store:Connection"), (Token, "Access:Token"), (TokenFile, "Access:TokenFile"),
        (Socket, "Listen:Socket"), (Otlp, "Telemetry:Otlp"), (LogLevel, "Telemetry:LogLevel"),
    ];

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("serve", "Runs the host until it is told to stop (SIGTERM or Ctrl+C). Settings may also come from appsettings.json and CHANNELBRIDGE__… variables.");
        foreach (var (option, _) in Keys) command.Options.Add(option);
        Agent.AddTo(command);
        command.Options.Add(Stdio);
        command.Options.Add(Managed);
        command.SetAction((parsed, _) =>
        {
            HostSettings Load() => SettingsLoader.Load(ReadOptions(parsed));
            var settings = Load();
            // With --stdio the protocol owns standard output.
            return HostRunner.RunAsync(settings, settings.Stdio ? Console.Error : Console.Out, reload: Load);
        });
        return command;
    }

    /// <summary>The settings that the command line gives.</summary>
    public static Dictionary<string, string?> ReadOptions(ParseResult parsed)
    {
        var result = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (option, key) in Keys)
        {
            if (parsed.GetResult(option) is not null) result[key] = parsed.GetValue((Option<string?>)option) ?? "";
        }

        Agent.Read(parsed, result);
        if (parsed.GetValue(Stdio)) result["Listen:Stdio"] = "true";
        if (parsed.GetValue(Managed)) result["Listen:Managed"] = "true";

        // Either option on the command line replaces whatever the other sources say of the first token.
        if (result.ContainsKey("Access:Token") != result.ContainsKey("Access:TokenFile"))
            result[result.ContainsKey("Access:Token") ? "Access:TokenFile" : "Access:Token"] = null;
        if (result.ContainsKey("Store:Connection")) result["Store:ConnectionFile"] = null;
        return result;
    }
}
