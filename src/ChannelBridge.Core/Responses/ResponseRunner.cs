using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// Runs one agent's turn into a stream. Text goes out when the agent pauses or a delta is full, so nothing is delayed that needn't be and nothing is sent in
/// crumbs that came together.
/// </summary>
internal sealed class ResponseRunner(
    ResponseRun run,
    IAgent agent,
    AgentTurn turn,
    ResponseOptions options,
    DeltaCoalescing? coalescing,
    Func<ReasoningItem, string>? seal,
    TimeProvider time)
{
    private readonly ResponseAssembler _assembler = new(run.Machine, options, agent.MayRewrite, coalescing?.MaxGraphemes, seal);
    private readonly TimeSpan _interval = coalescing?.MaxDelay ?? options.DeltaInterval;
    private readonly int _full = coalescing?.MaxGraphemes ?? options.DeltaGraphemes;
    private long _flushedAt;

    /// <summary>Runs to the end of the turn.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; the agent may not know it yet.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await agent.WaitUntilAvailableAsync(cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        var events = agent.RunAsync(turn, cancellationToken).GetAsyncEnumerator(cancellationToken);
        Task<bool>? move = null;
        try
        {
            while (true)
            {
                var next = events.MoveNextAsync();
                bool more;
                if (next.IsCompleted)
                {
                    more = await next.ConfigureAwait(false);
                    cancellationToken.ThrowIfCancellationRequested();
                }
                else
                {
                    move = next.AsTask();
                    more = await WaitAsync(move, cancellationToken).ConfigureAwait(false);
                    move = null;
                }

                if (!more) break;
                _assembler.Add(events.Current);
                if (_assembler.PendingLength < _full) continue;
                Flush(all: false);
                run.Wake();
            }
        }
        finally
        {
            // An agent that doesn't listen to its cancellation must not hold up the end of the stream.
            if (move is null) await events.DisposeAsync().ConfigureAwait(false);
            else _ = DisposeLaterAsync(events, move);
        }
    }

    /// <summary>Ends the stream as the turn has ended.</summary>
    public void Finish()
    {
        _assembler.Finish(time.GetUtcNow().ToUnixTimeSeconds());
        run.Kept = _assembler.Kept;
    }

    /// <summary>Ends the stream as failed.</summary>
    public void Fail(ResponseError error)
    {
        _assembler.Fail(error);
        run.Kept = _assembler.Kept;
    }

    private static async Task DisposeLaterAsync(IAsyncEnumerator<AgentEvent> events, Task<bool> move)
    {
        await ((Task)move).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await events.DisposeAsync().AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Flush(bool all)
    {
        _assembler.Flush(all);
        _flushedAt = time.GetTimestamp();
    }

    private async ValueTask<bool> WaitAsync(Task<bool> move, CancellationToken cancellationToken)
    {
        var flushed = false;
        while (_assembler.HasPending && !move.IsCompleted)
        {
            var rest = _interval - time.GetElapsedTime(_flushedAt);
            if (!flushed && (_flushedAt == 0 || rest <= TimeSpan.Zero))
            {
                Flush(all: false);
                flushed = true;
                continue;
            }

            run.Wake();
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var pause = Task.Delay(flushed ? options.HeldTime : rest, time, stop.Token);
            await Task.WhenAny(move, pause).ConfigureAwait(false);
            await stop.CancelAsync().ConfigureAwait(false);
            if (move.IsCompleted) break;
            cancellationToken.ThrowIfCancellationRequested();
            if (flushed) Flush(all: true);
        }

        run.Wake();
        return await move.WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
