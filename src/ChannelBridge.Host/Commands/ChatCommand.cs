using System.CommandLine;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Chat;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge chat</c>: talks to the agent as a bridge would, over the public protocol.</summary>
internal static class ChatCommand
{
    /// <summary>The account of the chat: not <c>Primary</c>, which a real bridge may hold.</summary>
    public const string DefaultAccount = "Chat";

    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string> Account = new("--account") { Description = "The account to chat as", DefaultValueFactory = _ => DefaultAccount, HelpName = "ID" };
    private static readonly Option<string> User = new("--user") { Description = "The name of the user who writes", DefaultValueFactory = _ => DefaultUser(), HelpName = "NAME" };
    private static readonly Option<int> Timeout = new("--timeout") { Description = "With piped input: how many seconds to wait for the answers", DefaultValueFactory = _ => 60, HelpName = "SECONDS" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("chat", "Chats with the agent of a running host. With piped input each line is sent, its answer is printed, and the command ends.");
        Connection.AddTo(command);
        command.Options.Add(Account);
        command.Options.Add(User);
        command.Options.Add(Timeout);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            new BncrBridgeOptions
            {
                Connection = Connection.Read(parsed, preferSocket: false),
                AccountId = parsed.GetValue(Account)!,
                BridgeId = "channelbridge-chat",
            },
            parsed.GetValue(User)!,
            TimeSpan.FromSeconds(parsed.GetValue(Timeout)),
            cancellationToken));
        return command;
    }

    /// <summary>Who writes when nobody said: the user of the machine.</summary>
    public static string DefaultUser() => Environment.UserName is { Length: > 0 } name ? name : "user";

    /// <summary>Chats until the input ends.</summary>
    public static async Task<int> RunAsync(BncrBridgeOptions options, string user, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var bridge = new BncrBridgeClient(options);
        await using (bridge.ConfigureAwait(false))
        {
            await bridge.StartAsync(cancellationToken).ConfigureAwait(false);
            if (Console.IsInputRedirected)
                return await new PipedChat(bridge, user, timeout, Console.In, Console.Out, Console.Error).RunAsync(cancellationToken).ConfigureAwait(false);
            return await new InteractiveChat(bridge, user).RunAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
