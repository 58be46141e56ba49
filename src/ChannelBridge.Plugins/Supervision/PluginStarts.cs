namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// Whose turn it is to start. A process must be ready in the time of a handshake, and where fifty start at once each has a fiftieth of the machine: a few at a
/// time are all ready sooner, and in time.
/// </summary>
internal sealed class PluginStarts : IDisposable
{
    private readonly SemaphoreSlim _turns = new(Most, Most);

    // One that hangs has its turn until it is ended, and must not be the only one.
    private static int Most => Math.Max(4, 2 * Environment.ProcessorCount);

    /// <summary>Waits for a turn, which ends when it is disposed of.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(_turns);
    }

    public void Dispose() => _turns.Dispose();

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0) turns.Release();
        }
    }
}
