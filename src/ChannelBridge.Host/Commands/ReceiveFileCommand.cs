using System.CommandLine;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge receive-file</c>: takes files that the agent or an operator sends to an account, as its bridge would.</summary>
internal static class ReceiveFileCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string> Account = new("--account") { Description = "The account", DefaultValueFactory = _ => "Files", HelpName = "ID" };
    private static readonly Option<string> Out = new("--out") { Description = "The folder for the files", DefaultValueFactory = _ => ".", HelpName = "DIR" };
    private static readonly Option<int> Count = new("--count") { Description = "End after so many files; 0: never", DefaultValueFactory = _ => 1, HelpName = "N" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command(
            "receive-file",
            "Takes files that are sent to an account, and prints where each lies. It becomes the account's client: while it runs, a bridge of that account gets nothing. Started again, it goes on where it stopped.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Account, Out, Count }) command.Options.Add(option);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var left = parsed.GetValue(Count);
        if (left < 0)
        {
            await Console.Error.WriteLineAsync("error: --count must be 0 or more").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        using var bar = new FileProgressBar();
        var bridge = new BncrBridgeClient(new BncrBridgeOptions
        {
            Connection = Connection.Read(parsed, preferSocket: true),
            AccountId = parsed.GetValue(Account)!,
            BridgeId = "channelbridge-receive-file",
            FilesFolder = Defaults.FullPath(parsed.GetValue(Out)!),
            FileProgress = bar.Report,
        });
        await using (bridge.ConfigureAwait(false))
        {
            await bridge.StartAsync(cancellationToken).ConfigureAwait(false);
            await foreach (var push in bridge.ReadPushesAsync(cancellationToken).ConfigureAwait(false))
            {
                await bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
                if (push.Message.Path is not { Length: > 0 } path) continue;
                bar.Clear();
                Console.WriteLine(push.Message.Msg.Length > 0 ? $"{path}\t{Chat.ChatText.Clean(push.Message.Msg)}" : path);
                if (left > 0 && --left == 0) break;
            }
        }

        return ExitCodes.Ok;
    }
}
