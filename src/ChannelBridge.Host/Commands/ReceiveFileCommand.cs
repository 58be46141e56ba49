using System.CommandLine;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge receive-file</c>: takes files that the agent or an operator sends to an account, as its bridge would.</summary>
internal static class ReceiveFileCommand
{
    private const int MaxPatience = 2_000_000;
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string> Account = new("--account") { Description = "The account", DefaultValueFactory = _ => "Files", HelpName = "ID" };
    private static readonly Option<string> Out = new("--out") { Description = "The folder for the files", DefaultValueFactory = _ => ".", HelpName = "DIR" };
    private static readonly Option<int> Count = new("--count") { Description = "End after so many files; 0: never", DefaultValueFactory = _ => 1, HelpName = "N" };
    private static readonly Option<int> Patience = new("--timeout")
    {
        Description = "End when nothing has come for so many seconds; 0: never",
        DefaultValueFactory = _ => 0,
        HelpName = "SECONDS"
    };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command(
            "receive-file",
            "Takes files that are sent to an account, and prints where each lies. It becomes the account's client: while it runs, a bridge "
                + "of that account gets nothing, and messages without a file are shown on standard error. Started again, it goes on where it stopped.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Account, Out, Count, Patience }) command.Options.Add(option);
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

        var patience = parsed.GetValue(Patience);
        if (patience is < 0 or > MaxPatience)
        {
            await Console.Error.WriteLineAsync($"error: --timeout must be 0 to {MaxPatience} seconds").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        // What comes is for this user alone, also where the shell's mask would let others read it.
        OwnerOnly.RestrictNewFiles();

        // Found out now, not when a file has come and its sender waits.
        var folder = SettingText.FullPath(parsed.GetValue(Out)!);
        try
        {
            Directory.CreateDirectory(folder);
            File.Create(Path.Combine(folder, $".{Guid.NewGuid():N}"), 1, FileOptions.DeleteOnClose).Dispose();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"error: --out {folder} can't be written to: {fault.Message}").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        using var bar = new FileProgressBar();
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        void Heard()
        {
            if (patience > 0) silence.CancelAfter(TimeSpan.FromSeconds(patience));
        }

        var bridge = new BncrBridgeClient(new BncrBridgeOptions
        {
            Connection = Connection.Read(parsed, preferSocket: true),
            AccountId = parsed.GetValue(Account)!,
            BridgeId = "channelbridge-receive-file",
            FilesFolder = folder,
            FileProgress = progress =>
            {
                Heard();
                bar.Report(progress);
            },
        });
        await using (bridge.ConfigureAwait(false))
        {
            try
            {
                await bridge.StartAsync(cancellationToken).ConfigureAwait(false);
                Heard();
                await foreach (var push in bridge.ReadPushesAsync(silence.Token).ConfigureAwait(false))
                {
                    Heard();
                    await bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
                    bar.Clear();
                    if (push.Message.Path is not { Length: > 0 } path)
                    {
                        // It is acked, so no other client gets it: it must be seen here.
                        await Console.Error.WriteLineAsync($"message: {PlainText.Clean(push.Message.Msg)}").ConfigureAwait(false);
                        continue;
                    }

                    Console.WriteLine(push.Message.Msg.Length > 0 ? $"{PlainText.Line(path)}\t{PlainText.Clean(push.Message.Msg)}"
                        : PlainText.Line(path));
                    if (left > 0 && --left == 0) break;
                }
            }
            catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                bar.Clear();
                await Console.Error.WriteLineAsync($"error: nothing has come for {patience} s").ConfigureAwait(false);
                return ExitCodes.TimedOut;
            }
        }

        return ExitCodes.Ok;
    }
}
