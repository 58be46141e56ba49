using System.Collections.Concurrent;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;

namespace ChannelBridge.Host.Chat;

/// <summary>Sends each line of the input, prints the answers, and ends when every line has its answer.</summary>
internal sealed class PipedChat(BncrBridgeClient bridge, string user, string account, TimeSpan timeout, TextReader input, TextWriter output,
    TextWriter errors)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _open = new();

    /// <summary>Runs; gives the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var watch = new TurnWatch(bridge.Client, account);
        using var leases = bridge.Client.Subscribe("bncr.lease.lost", "plugin.bncr.lease.lost");
        await watch.SubscribeAsync(cancellationToken).ConfigureAwait(false);
        var watching = watch.RunAsync(stop.Token);
        var reading = ReadAsync(stop.Token);
        var replaced = FirstAsync(leases, stop.Token);
        try
        {
            var (answers, refused, late) = await SendAllAsync(cancellationToken).ConfigureAwait(false);
            if (late) return ExitCodes.TimedOut;
            var all = Task.WhenAll(answers);
            var first = await Task.WhenAny(all, reading, replaced, Task.Delay(timeout, cancellationToken)).ConfigureAwait(false);
            if (first == reading) await reading.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (all.IsCompletedSuccessfully) await watch.SettleAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
            if (all.IsCompletedSuccessfully) return refused ? ExitCodes.Refused
                : await TellGivenUpAsync(watch.GivenUp).ConfigureAwait(false);
            var missing = answers.Count(answer => !answer.IsCompletedSuccessfully);
            if (first == replaced)
            {
                await errors.WriteLineAsync($"error: another client has taken over the account {account}, and gets the answers to "
                    + $"{missing} of {answers.Count} messages; "
                    + "--account NAME gives each chat its own").ConfigureAwait(false);
                return ExitCodes.Refused;
            }

            await errors.WriteLineAsync($"error: {missing} of {answers.Count} messages have no answer after {timeout.TotalSeconds:0} s; "
                + $"they are on disk and will be answered{(watch.Trouble is { } trouble ? $" ({trouble})" : "")}").ConfigureAwait(false);
            return ExitCodes.TimedOut;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reading, watching, replaced).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task FirstAsync(ClientSubscription events, CancellationToken cancellationToken)
    {
        var reader = events.GetAsyncEnumerator(cancellationToken);
        await using (reader.ConfigureAwait(false)) await reader.MoveNextAsync().ConfigureAwait(false);
    }

    private async Task<(List<Task> Answers, bool Refused, bool Late)> SendAllAsync(CancellationToken cancellationToken)
    {
        var refused = false;
        var answers = new List<Task>();
        while (await input.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line && !ChatText.Ends(line))
        {
            if (line.Trim().Length == 0) continue;
            var id = "chat-" + Guid.NewGuid().ToString("N");
            var answered = _open[id] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(timeout);
            BncrAccepted result;
            try
            {
                result = await bridge.SendAsync(new BncrInbound { Platform = "chat", UserId = user, Msg = line, MsgId = id }, patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                await errors.WriteLineAsync($"error: the host didn't take the message within {timeout.TotalSeconds:0} s").ConfigureAwait(false);
                return (answers, refused, true);
            }

            if (result.Accepted)
            {
                answers.Add(answered.Task);
                continue;
            }

            refused = true;
            await errors.WriteLineAsync(Terminal.PlainText.Line($"error: the message was refused: {result.Reason}")).ConfigureAwait(false);
        }

        return (answers, refused, false);
    }

    private async Task<int> TellGivenUpAsync(int count)
    {
        if (count == 0) return ExitCodes.Ok;
        await errors.WriteLineAsync(
            $"error: the agent failed to answer {count} of the messages; see: channelbridge dead-letters list").ConfigureAwait(false);
        return ExitCodes.Agent;
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        await foreach (var push in bridge.ReadPushesAsync(cancellationToken).ConfigureAwait(false))
        {
            await output.WriteLineAsync(ChatText.Of(push)).ConfigureAwait(false);
            await output.FlushAsync(cancellationToken).ConfigureAwait(false);
            await bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
            if (push.Message.Kind is null or "final" && _open.TryGetValue(push.ReplyToId ?? "", out var answered)) answered.TrySetResult();
        }
    }
}
