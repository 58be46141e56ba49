using System.CommandLine;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Chat;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge chat</c>: talks to the agent as a bridge would, over the public protocol.</summary>
internal static class ChatCommand
{
    private static readonly ConnectionOptions Connection = new();
    private const int LongestTimeout = 86_400;
    private static readonly Option<string?> Account = new("--account")
    {
        Description = "The account to chat as. Two chats with one "
        + "account take it from each other [default: Chat-NAME]",
        HelpName = "ID"
    };
    private static readonly Option<string> User = new("--user") { Description = "The name of the user who writes", DefaultValueFactory = _ => DefaultUser(), HelpName = "NAME" };
    private static readonly Option<int> Timeout = new("--timeout")
    {
        Description = "With piped input: how many seconds to wait for the answers",
        DefaultValueFactory = _ => 60,
        HelpName = "SECONDS"
    };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("chat", "Chats with the agent of a running host. With piped input each line is sent, its answer is printed, and the command ends.");
        Connection.AddTo(command);
        command.Options.Add(Account);
        command.Options.Add(User);
        command.Options.Add(Timeout);
        Timeout.Validators.Add(result =>
        {
            if (result.GetValue(Timeout) is < 1 or > LongestTimeout) result.AddError($"--timeout must be 1 to {LongestTimeout} seconds");
        });
        command.SetAction((parsed, cancellationToken) =>
        {
            var user = parsed.GetValue(User)!;
            var options = new BncrBridgeOptions
            {
                Connection = Connection.Read(parsed, preferSocket: false),
                AccountId = parsed.GetValue(Account) ?? AccountOf(user),
                BridgeId = "channelbridge-chat",
            };
            return RunAsync(options, user, TimeSpan.FromSeconds(parsed.GetValue(Timeout)), cancellationToken);
        });
        return command;
    }

    /// <summary>The user who writes when --user is left out: the one of the machine.</summary>
    public static string DefaultUser() => Environment.UserName is { Length: > 0 } name ? name : "user";

    /// <summary>
    /// The account of a user's chat: not <c>Primary</c>, which a real bridge may hold, and not another user's, who would get the answers.
    /// </summary>
    public static string AccountOf(string user)
    {
        var name = string.Concat(user.Select(c => char.IsLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-'));
        return "Chat-" + Protocol.SoundText.Cut(name, 48);
    }

    /// <summary>Chats until the input ends.</summary>
    public static async Task<int> RunAsync(BncrBridgeOptions options, string user, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var bridge = new BncrBridgeClient(options);
        await using (bridge.ConfigureAwait(false))
        {
            await bridge.StartAsync(cancellationToken).ConfigureAwait(false);
            if (Console.IsInputRedirected)
                return await new PipedChat(bridge, user, options.AccountId, timeout, Console.In, Console.Out, Console.Error).RunAsync(
                    cancellationToken).ConfigureAwait(false);
            return await new InteractiveChat(bridge, user, options.AccountId).RunAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
