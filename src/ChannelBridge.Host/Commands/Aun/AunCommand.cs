using System.CommandLine;
using System.CommandLine.Help;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Endpoint;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands.Aun;

/// <summary><c>channelbridge aun</c>: the identities and the keys of the AUN endpoint; and this host as somebody else's agent, whose commands are added beside.</summary>
internal static partial class AunCommand
{
    private const string TlsName = "tls";
    private static readonly Argument<string> Aid = new("AID") { Description = "The identity, e.g. alice.agentid.pub", HelpName = "AID" };
    private static readonly Argument<string[]> Names = new("NAME")
    {
        Description = "Names and addresses of the server, e.g. gateway.agentid.pub localhost 127.0.0.1",
        HelpName = "NAME",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create()
    {
        var command = new Command("aun", "Looks after the AUN endpoint: its identities, its root certificate, and a server certificate for its own address.")
        {
            List(), Revoke(), Pair(), Root(), Tls(),
        };
        AddConnector(command);
        command.SetAction(parsed => new HelpAction().Invoke(parsed));
        return command;
    }

    // The connector's commands: create, send, listen.
    static partial void AddConnector(Command command);

    private static Command List() => MethodCommand.Make("list", "Lists the identities that are registered at the endpoint.", "aun.identities.list", _ => new JsonObject(), answer =>
    {
        foreach (var one in MethodCommand.Items(answer, "identities"))
        {
            string[] notes =
            [
                $"since {MethodCommand.Time(one["createdAt"])}", .. (bool)one["isAgent"]! ? ["an agent of this host"] : Array.Empty<string>(),
                .. MethodCommand.Note(one, "revokedAt", "revoked"),
            ];
            Console.WriteLine($"{one["aid"]}  {string.Join("; ", notes)}");
        }
    });

    private static Command Revoke()
    {
        var command = MethodCommand.Make("revoke", "Revokes an identity's certificate: its logins end, its connections are closed.", "aun.identities.revoke",
            parsed => new JsonObject { ["aid"] = parsed.GetValue(Aid) }, _ => Console.WriteLine("revoked"));
        command.Arguments.Add(Aid);
        return command;
    }

    private static Command Pair()
    {
        var command = MethodCommand.Make("pair", "Makes a code with which an identity may connect, or be registered, once within ten minutes.", "aun.identities.pair",
            parsed => new JsonObject { ["aid"] = parsed.GetValue(Aid) }, answer => Console.WriteLine($"{answer["code"]}  until {MethodCommand.Time(answer["expiresAt"])}"));
        command.Arguments.Add(Aid);
        return command;
    }

    private static Command Root()
    {
        var command = new Command("root", "Prints the endpoint's root certificate, which its clients must trust. Made if it isn't there yet; no host is needed.");
        StoreOptions.AddTo(command);
        command.SetAction(parsed => WithAuthority(parsed, static (authority, _) => Console.Write(authority.RootPem)));
        return command;
    }

    private static Command Tls()
    {
        var command = new Command(TlsName,
            "Issues a server certificate under the same root, for an address of the endpoint's own, and prints the settings for it. No host is needed.");
        command.Arguments.Add(Names);
        StoreOptions.AddTo(command);
        command.SetAction(parsed => WithAuthority(parsed, (authority, files) =>
        {
            var (certificate, key) = authority.IssueServer(parsed.GetValue(Names)!);
            files.Write(TlsName + ".crt", certificate);
            files.Write(TlsName + ".key", key);
            Console.WriteLine($"Listen:Addresses:aun:CertificateFile={files.PathOf(TlsName + ".crt")}");
            Console.WriteLine($"Listen:Addresses:aun:KeyFile={files.PathOf(TlsName + ".key")}");
        }));
        return command;
    }

    // The settings needn't allow a start: they may name the very file that is to be made.
    private static int WithAuthority(ParseResult parsed, Action<Authority, PkiFiles> action)
    {
        var merged = SettingsLoader.Inspect(StoreOptions.Read(parsed)).Merged;
        var data = merged.Get("Store:Data") is { Length: > 0 } chosen ? SettingText.FullPath(chosen.Trim()) : Defaults.DataDirectory();
        var options = AunSettings.All.Read(new SettingsReader(new AliasedSettings(merged, AunSettings.All), new HostFacts { DataDirectory = data }));
        if (options.PkiFolder is not { } folder) throw new HostStartException(ExitCodes.Settings, "there is no data folder; name it: --data DIR");
        OwnerOnly.RestrictNewFiles();
        try
        {
            using var authority = Authority.Open(folder, AunEndpoint.GatewayName(options), TimeProvider.System);
            action(authority, new PkiFiles(folder));
            return ExitCodes.Ok;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new HostStartException(ExitCodes.Store, $"the keys in {folder} can't be used: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
    }
}
