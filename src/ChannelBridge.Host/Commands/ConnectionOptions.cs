using System.CommandLine;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Client;
using ChannelBridge.Endpoints;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>The options by which commands find a host, and its token.</summary>
/// <param name="url">The option that names the host's address, where another than <c>--url</c>.</param>
internal sealed class ConnectionOptions(string url = "--url")
{
    private readonly Option<string?> _url = new(url)
    {
        Description = "Where the host is: ws://HOST:PORT, wss://…, HOST:PORT or "
        + "unix:/PATH [default: the host that uses the data folder]",
        HelpName = "URL"
    };
    private readonly Option<string?> _token =
        new("--token")
        {
            Description = "The access token; other users of the machine can see it in the list of processes: prefer "
            + "--token-file [default: the one in DIR/token]",
            HelpName = "T"
        };
    private readonly Option<string?> _tokenFile = new("--token-file") { Description = "A file whose first line is the access token", HelpName = "FILE" };
    private readonly Option<string?> _data = new("--data", "-d") { Description = $"The data folder of the host [default: {Defaults.DataDirectoryText}]", HelpName = "DIR" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _url, _token, _tokenFile, _data }) command.Options.Add(option);
    }

    /// <summary>The data folder of the host that is meant.</summary>
    public string DataFolder(ParseResult parsed)
    {
        var chosen = parsed.GetValue(_data) ?? Environment.GetEnvironmentVariable(SettingsLoader.EnvironmentPrefix + "STORE__DATA");
        return chosen is { Length: > 0 } ? SettingText.FullPath(chosen) : Defaults.DataDirectory() ?? ".";
    }

    /// <summary>How the command connects.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="preferSocket">True: the Unix socket when no address was named, as tools do. False: the WebSocket, as bridges do.</param>
    public ChannelBridgeClientOptions Read(ParseResult parsed, bool preferSocket)
    {
        var data = DataFolder(parsed);
        var running = HostFile.Read(data);
        var options = new ChannelBridgeClientOptions
        {
            ClientId = "cli",
            ClientMode = "cli",
            ClientVersion = ProductVersion.Text,
            DisplayName = "channelbridge " + parsed.CommandResult.Command.Name,
            Token = parsed.GetValue(_token),
            TokenFile = parsed.GetValue(_tokenFile) is { } file ? SettingText.FullPath(file) : null,
            Endpoint = parsed.GetValue(_url) ?? (preferSocket ? SocketOf(data, running) : null) ?? running?.Url
                // A host that the gateway manages listens on its socket alone.
                ?? (running?.Socket is null ? null : SocketOf(data, running)) ?? Defaults.Url,
        };
        var tokenFile = Path.Combine(data, Defaults.TokenFile);
        if (options.Token is null && options.TokenFile is null && File.Exists(tokenFile)) options.TokenFile = tokenFile;
        return options;
    }

    private static string? SocketOf(string data, HostFile? running)
    {
        var path = running?.Socket ?? Path.Combine(data, Defaults.SocketFile);
        if (OperatingSystem.IsWindows()) return "pipe:" + EndpointOptions.GetPipeName(path);
        return File.Exists(path) || running is null ? "unix:" + path : null;
    }
}
