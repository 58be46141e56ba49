using System.Collections.Concurrent;
using ChannelBridge.Client.Bncr;

namespace ChannelBridge.Host.Chat;

/// <summary>Sends each line of the input, prints the answers, and ends when every line has its answer.</summary>
internal sealed class PipedChat(BncrBridgeClient bridge, string user, TimeSpan timeout, TextReader input, TextWriter output, TextWriter errors)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _open = new();

    /// <summary>Runs; gives the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = ReadAsync(stop.Token);
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
                return ExitCodes.TimedOut;
            }

            if (result.Accepted)
            {
                answers.Add(answered.Task);
                continue;
            }

            refused = true;
            await errors.WriteLineAsync($"error: the message was refused: {result.Reason}").ConfigureAwait(false);
        }

        var all = Task.WhenAll(answers);
        var first = await Task.WhenAny(all, reading, Task.Delay(timeout, cancellationToken)).ConfigureAwait(false);
        if (first == reading) await reading.ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (all.IsCompletedSuccessfully) return refused ? ExitCodes.Refused : ExitCodes.Ok;
        var missing = answers.Count(answer => !answer.IsCompletedSuccessfully);
        await errors.WriteLineAsync($"error: {missing} of {answers.Count} messages have no answer after {timeout.TotalSeconds:0} s; they are on disk and will be answered").ConfigureAwait(false);
        return ExitCodes.TimedOut;
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
