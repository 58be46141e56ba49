using System.CommandLine;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Host.Commands.Aun;

/// <summary>Which identity a command is, and on which gateway.</summary>
internal sealed class AunIdentityOptions
{
    private readonly Argument<string> _aid = new("AID") { Description = "Your identity, e.g. alice.agentid.pub" };
    private readonly Option<string?> _gateway = new("--gateway") { Description = "The gateway's WebSocket [default: discovered by the name]", HelpName = "URL" };
    private readonly Option<string?> _root = new("--root-ca") { Description = "The root certificate of the gateway's PKI, a PEM file or a folder of such", HelpName = "PATH" };
    private readonly Option<string?> _folder = new("--aun-path") { Description = "The folder of identities [default: ~/.aun]", HelpName = "DIR" };
    private readonly Option<string?> _seed = new("--seed-password-file") { Description = "The file with what protects the key [default: the folder's .seed]", HelpName = "FILE" };
    private readonly Option<int?> _port = new("--discovery-port") { Description = "The port of discovery [default: 443]", HelpName = "PORT" };
    private readonly Option<string?> _slot = new("--slot") { Description = "The slot, where several programs are this identity on this device", HelpName = "ID" };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Arguments.Add(_aid);
        foreach (var option in new Option[] { _gateway, _root, _folder, _seed, _port, _slot }) command.Options.Add(option);
    }

    /// <summary>The account that they describe.</summary>
    /// <exception cref="AunCallException">They make no sense.</exception>
    public AunAccountOptions Read(ParseResult parsed)
    {
        var aid = parsed.GetValue(_aid)!.ToLowerInvariant();
        if (!AidName.IsSound(aid)) throw Wrong($"{aid} is no AID: write a name and an issuer, such as alice.agentid.pub");
        if (parsed.GetValue(_gateway) is { } url && GatewayAddress.TryParse(url) is null) throw Wrong($"{url} is no gateway: write a ws or wss address");
        return new AunAccountOptions
        {
            Aid = aid,
            GatewayUrl = parsed.GetValue(_gateway),
            RootCaPath = Full(parsed.GetValue(_root)),
            AunPath = Full(parsed.GetValue(_folder)),
            SeedPasswordFile = Full(parsed.GetValue(_seed)),
            DiscoveryPort = parsed.GetValue(_port),
            SlotId = parsed.GetValue(_slot) ?? "",
        };
    }

    private static string? Full(string? path) => path is null ? null : SettingText.FullPath(path);

    private static AunCallException Wrong(string why) => AunCallException.Make(AunErrorClass.Validation, 0, why);
}
