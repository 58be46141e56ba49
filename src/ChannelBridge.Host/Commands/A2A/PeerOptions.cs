using System.CommandLine;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Client;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Commands.A2A;

/// <summary>Which peer, and how it is spoken to.</summary>
internal sealed class PeerOptions
{
    private readonly Argument<string> _url = new("URL") { Description = "The agent's address, or its card's" };
    private readonly Option<string?> _keyFile = new("--key-file")
    {
        Description = "The file with the key that the agent knows you by",
        HelpName = "FILE",
    };

    private readonly Option<string?> _version = new("--a2a-version")
    {
        Description = "Only this version, 0.3 or 1.0",
        HelpName = "VERSION",
    };
    private readonly Option<string?> _transport = new("--transport")
    {
        Description = "Only this transport, jsonrpc or rest",
        HelpName = "NAME",
    };
    private readonly Option<int?> _timeout = new("--timeout")
    {
        Description = "The longest that it may take, in seconds [default: 600]",
        HelpName = "S",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON as version 1.0 writes it" };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Arguments.Add(_url);
        foreach (var option in new Option[] { _keyFile, _version, _transport, _timeout, _json }) command.Options.Add(option);
    }

    /// <summary>What they say.</summary>
    /// <exception cref="A2AException">They make no sense.</exception>
    public PeerSession Read(ParseResult parsed)
    {
        var text = parsed.GetValue(_url)!;
        if (!Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "https://" + text, UriKind.Absolute, out var url))
        {
            throw new A2AException(A2AFault.AddressRefused, $"{text} is no address: write it as https://agent.example.com");
        }

        var key = parsed.GetValue(_keyFile) is { } file ? ReadKey(SettingText.FullPath(file)) : null;
        var client = new A2AClient(new A2AClientOptions
        {
            Address = url,
            Key = () => key,
            Version = parsed.GetValue(_version),
            Binding = parsed.GetValue(_transport)?.ToLowerInvariant() switch
            {
                null => null,
                "jsonrpc" => Bindings.JsonRpc,
                "rest" => Bindings.Rest,
                var other => throw new A2AException(A2AFault.NoInterface, $"There is no transport {other}: it is jsonrpc or rest."),
            },
            TotalTimeout = TimeSpan.FromSeconds(parsed.GetValue(_timeout) ?? 600),
        });
        return new PeerSession(client, parsed.GetValue(_json), Console.Out, Console.Error);
    }

    private static string ReadKey(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new A2AException(A2AFault.Refused, $"The key file can't be read: {fault.Message}", fault);
        }
    }
}
