using System.Threading.Channels;

namespace ChannelBridge.Storage.Sqlite.Reading;

/// <summary>
/// A few read-only connections. A read runs on its caller's thread with a connection of its own, so it waits neither for the writer nor, up to the
/// pool's size, for another read.
/// </summary>
internal sealed class ReaderPool
{
    private readonly Channel<SqliteReader> _idle;
    private readonly int _size;
    private int _closing;

    /// <summary>Opens the connections.</summary>
    public ReaderPool(Func<SqliteReader> make, int size)
    {
        _size = size;
        _idle = Channel.CreateBounded<SqliteReader>(new BoundedChannelOptions(size) { FullMode = BoundedChannelFullMode.Wait });
        try
        {
            for (var i = 0; i < size; i++)
            {
                var reader = make();
                _idle.Writer.TryWrite(reader);
                reader.Open();
            }
        }
        catch
        {
            while (_idle.Reader.TryRead(out var reader)) reader.Dispose();
            throw;
        }
    }

    /// <summary>Runs a read on a connection of the pool.</summary>
    public async ValueTask<T> ReadAsync<TState, T>(Func<SqliteReader, TState, T> read, TState state, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_idle.Reader.TryRead(out var reader)) reader = await RentAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return read(reader, state);
        }
        catch (Exception e)
        {
            // Whatever state the connection was left in: the next use opens it anew.
            reader.Dispose();
            throw StoreErrors.Map(e);
        }
        finally
        {
            _idle.Writer.TryWrite(reader);
        }
    }

    /// <summary>Waits for the reads that run, then closes the connections. Later reads fail.</summary>
    public async ValueTask CloseAsync()
    {
        if (Interlocked.Exchange(ref _closing, 1) != 0) return;
        for (var i = 0; i < _size; i++)
        {
            (await _idle.Reader.ReadAsync().ConfigureAwait(false)).Dispose();
        }

        _idle.Writer.Complete();
    }

    private async ValueTask<SqliteReader> RentAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _idle.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            throw StoreErrors.Closed();
        }
    }
}
