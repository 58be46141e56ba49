using System.CommandLine;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>The options of a command that is about a start of the host, and the settings that they stand for. Each command has its own.</summary>
internal sealed class ServeOptions
{
    private readonly Option<string?> _urls = new("--urls")
    {
        Description = $"Addresses to listen on, separated by ';' [default: {Defaults.Url}]; port 0 takes a free one, 'off' none",
        HelpName = "URLS",
    };

    private readonly Option<string?> _data = new("--data", "-d")
    {
        Description = $"The data folder, made owner-only [default: {Defaults.DataDirectoryText}]",
        HelpName = "DIR",
    };

    private readonly Option<string?> _store = new("--store")
    {
        Description = "PostgreSQL, for several hosts: its connection string. Every user of the machine can see it in the list of "
            + "processes: keep a password in Store:ConnectionFile instead [default: SQLite in DIR]",
        HelpName = "CONNECTION",
    };

    private readonly Option<string?> _token = new("--token")
    {
        Description = "The first token, which has every scope. Every user of the machine can see it in the list of processes: "
            + "prefer --token-file [default: the one in DIR/token, made at the first start]",
        HelpName = "T",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "A file whose first line is the first token",
        HelpName = "FILE",
    };

    private readonly AgentOptions _agent = new();
    private readonly Option<string?> _socket = new("--socket")
    {
        Description = "The Unix socket for local tools and the OpenClaw plugin [default: DIR/channelbridge.sock]; 'off' for none",
        HelpName = "PATH",
    };

    private readonly Option<bool> _stdio = new("--stdio")
    {
        Description = "Speak JSON-RPC on standard input and output, too; the end of input stops the host",
    };

    private readonly Option<string?> _otlp = new("--otlp")
    {
        Description = "Send logs, traces and metrics to this OTLP/HTTP endpoint",
        HelpName = "URL",
    };

    private readonly Option<string?> _logLevel = new("--log-level")
    {
        Description = "Trace, Debug, Information, Warning, Error, Critical or None [default: Information]",
        HelpName = "LEVEL",
    };

    private readonly Option<bool> _managed = new("--managed")
    {
        Description = "For a program that starts the host as a child "
        + "process: the end of standard input stops the host, and a new token isn't shown"
    };

    private (Option<string?> Option, string Key)[] Keys =>
    [
        (_urls, "Listen:Urls"), (_data, "Store:Data"), (_store, "Store:Connection"), (_token, "Access:Token"),
        (_tokenFile, "Access:TokenFile"), (_socket, "Listen:Socket"), (_otlp, "Telemetry:Otlp"), (_logLevel, "Telemetry:LogLevel"),
    ];

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var (option, _) in Keys) command.Options.Add(option);
        _agent.AddTo(command);
        command.Options.Add(_stdio);
        command.Options.Add(_managed);
    }

    /// <summary>The settings that the command line gives.</summary>
    public Dictionary<string, string?> Read(ParseResult parsed)
    {
        var result = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (option, key) in Keys)
        {
            if (parsed.GetResult(option) is not null) result[key] = parsed.GetValue(option) ?? "";
        }

        _agent.Read(parsed, result);
        if (parsed.GetValue(_stdio)) result["Listen:Stdio"] = "true";
        if (parsed.GetValue(_managed)) result["Listen:Managed"] = "true";

        // Either option on the command line replaces whatever the other sources say of the first token.
        if (result.ContainsKey("Access:Token") != result.ContainsKey("Access:TokenFile"))
            result[result.ContainsKey("Access:Token") ? "Access:TokenFile" : "Access:Token"] = null;
        if (result.ContainsKey("Store:Connection")) result["Store:ConnectionFile"] = null;
        return result;
    }
}
