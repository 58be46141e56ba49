namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>How far a connection has acked, and the one write that is under way for it: acks that come meanwhile are written with the next one.</summary>
internal sealed class AckState
{
    private readonly Lock _lock = new();
    private Task? _writing;
    private long _wanted;
    private long _acked;

    /// <summary>The highest number that is on disk, as far as is known here.</summary>
    public long Acked => Volatile.Read(ref _acked);

    /// <summary>Acks up to a number; completes when it, or a higher one, is on disk.</summary>
    /// <param name="number">The number.</param>
    /// <param name="write">Writes a number and gives the one that is stored then.</param>
    public async ValueTask<long> AckAsync(long number, Func<long, Task<long>> write)
    {
        while (true)
        {
            Task writing;
            lock (_lock)
            {
                if (number <= _acked) return _acked;
                _wanted = Math.Max(_wanted, number);
                writing = _writing ??= WriteAsync(write);
            }

            await writing.ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(Func<long, Task<long>> write)
    {
        // Never inside of the lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            while (true)
            {
                long target;
                lock (_lock)
                {
                    if (_wanted <= _acked)
                    {
                        _writing = null;
                        return;
                    }

                    target = _wanted;
                }

                var stored = await write(target).ConfigureAwait(false);
                lock (_lock) _acked = Math.Max(_acked, stored);
            }
        }
        catch
        {
            lock (_lock)
            {
                _writing = null;
                _wanted = _acked;
            }

            throw;
        }
    }
}
