using System.Buffers;
using System.Collections.Concurrent;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Streams;

/// <summary>
/// The streams of one connection. Whoever sends gives a stream its number and names it in a call; the reader opens it by that number,
/// before or after the first frames have come. A stream carries at most its credit ahead of its reader, so memory is bounded by
/// <see cref="PluginProtocol.MaxStreams"/> times <see cref="PluginProtocol.StreamWindow"/>.
/// </summary>
public sealed class PluginStreams
{
    private readonly OutgoingFrames _output;
    private readonly ConcurrentDictionary<long, PluginStreamWriter> _writers = new();
    private readonly Dictionary<long, PluginStreamReader> _readers = [];
    private readonly Lock _lock = new();
    private Exception? _fault;
    private long _lastId;
    private long _lastTaken;

    internal PluginStreams(OutgoingFrames output) => _output = output;

    /// <summary>Opens a stream to the other end. Its <see cref="PluginStreamWriter.Id"/> goes into the call that it belongs to.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Busy"/> when too many are open.</exception>
    public PluginStreamWriter Open()
    {
        lock (_lock)
        {
            if (_fault is not null) throw BridgeException.Unavailable("the other end of the plugin's pipe is gone");
            if (_writers.Count >= PluginProtocol.MaxStreams)
                throw BridgeException.Busy($"{PluginProtocol.MaxStreams} streams are open; end some first", TimeSpan.FromSeconds(1));
            var writer = new PluginStreamWriter(++_lastId, _output, id => _writers.TryRemove(id, out _));
            _writers[writer.Id] = writer;
            return writer;
        }
    }

    /// <summary>Takes the stream that the other end named in a call.</summary>
    /// <exception cref="BridgeException">It was taken before, or ended and is forgotten.</exception>
    public PluginStreamReader Take(long id)
    {
        lock (_lock)
        {
            var reader = Find(id) ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no stream {id}");
            if (!reader.Claim()) throw new BridgeException(ErrorCodes.Conflict, $"stream {id} is read already");
            return reader;
        }
    }

    internal void Take(ReadOnlySequence<byte> frame)
    {
        var header = StreamFrame.Read(frame, out var bytes);
        if (header.Seq == 0)
        {
            // The reader's word about one of ours; it may be over already.
            if (_writers.TryGetValue(header.Stream, out var writer)) writer.Heard(header);
            return;
        }

        if (bytes.Length > PluginProtocol.MaxFrameBytes)
            throw new PluginProtocolException($"a frame of a stream is larger than {PluginProtocol.MaxFrameBytes} bytes");
        PluginStreamReader? reader;
        lock (_lock)
        {
            reader = Find(header.Stream);
        }

        // Frames of a stream that was given up are on their way for a while.
        reader?.Received(header, bytes);
    }

    internal void Fail(Exception fault)
    {
        PluginStreamReader[] readers;
        lock (_lock)
        {
            if (_fault is not null) return;
            _fault = fault;
            readers = [.. _readers.Values];
        }

        foreach (var writer in _writers.Values) writer.Fail();
        foreach (var reader in readers) reader.Fail("UNAVAILABLE");
    }

    // The sender numbers its streams 1, 2, 3 …; their first frames and the calls that name them may cross.
    private PluginStreamReader? Find(long id)
    {
        if (_readers.TryGetValue(id, out var known)) return known;
        if (id <= _lastTaken || _fault is not null) return null;
        if (id - _lastTaken + _readers.Count > PluginProtocol.MaxStreams)
            throw new PluginProtocolException($"more than {PluginProtocol.MaxStreams} streams are open");
        while (_lastTaken < id)
        {
            var reader = new PluginStreamReader(++_lastTaken, _output, Forget);
            _readers[reader.Id] = reader;
        }

        return _readers[id];
    }

    private void Forget(long id)
    {
        lock (_lock)
        {
            _readers.Remove(id);
        }
    }
}
