using System.Collections.Concurrent;
using System.Text.Json;
using ChannelBridge.Client.Internal;

namespace ChannelBridge.Client.Bncr;

/// <summary>The way of chunks to the server.</summary>
internal interface IChunkLine : IDisposable
{
    /// <summary>Sends a chunk; completes when the server has confirmed it.</summary>
    /// <exception cref="ChannelBridgeClientException">It was refused, or the outcome is unknown.</exception>
    Task SendAsync(int index, long offset, ReadOnlyMemory<byte> bytes, string sha256, CancellationToken cancellationToken);
}

/// <summary>Chunks in base64, as calls.</summary>
internal sealed class Base64Chunks(ChannelBridgeClient client, FileInitParameters init) : IChunkLine
{
    public Task SendAsync(int index, long offset, ReadOnlyMemory<byte> bytes, string sha256, CancellationToken cancellationToken) => client.CallAsync(
        "bncr.file.chunk",
        new FileChunkParameters(init.AccountId, init.ClientId, init.TransferId, index, offset, bytes.Length, sha256, bytes),
        FilesJson.Default.FileChunkParameters,
        FilesJson.Default.FileAnswer,
        cancellationToken);

    public void Dispose()
    {
    }
}

/// <summary>Chunks as binary messages of one connection, confirmed by events. When it ends, so does everything that waits.</summary>
internal sealed class BinaryChunks : IChunkLine
{
    private const string AckEvent = "bncr.file.ack";

    private readonly ConcurrentDictionary<int, TaskCompletionSource> _waiting = new();
    private readonly ChannelBridgeClient _client;
    private readonly ClientSession _session;
    private readonly FileInitParameters _init;
    private readonly TimeProvider _time;
    private readonly ClientSubscription _acks;

    public BinaryChunks(ChannelBridgeClient client, ClientSession session, FileInitParameters init, TimeProvider time)
    {
        _client = client;
        _session = session;
        _init = init;
        _time = time;
        _acks = client.Subscribe(AckEvent, "plugin." + AckEvent);
        _ = ReadAsync();
    }

    public async Task SendAsync(int index, long offset, ReadOnlyMemory<byte> bytes, string sha256, CancellationToken cancellationToken)
    {
        var confirmed = _waiting[index] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            var header = JsonSerializer.SerializeToUtf8Bytes(
                new FileChunkHeader(_init.AccountId, _init.ClientId, _init.TransferId, index, offset, bytes.Length, sha256), FilesJson.Default.FileChunkHeader);
            await _session.SendBinaryAsync(header, bytes, cancellationToken).ConfigureAwait(false);
            var first = await Task.WhenAny(confirmed.Task, _session.Ended).WaitAsync(_client.CallTimeout, _time, cancellationToken).ConfigureAwait(false);
            if (first == _session.Ended && !confirmed.Task.IsCompleted) throw _session.Lost();
            await confirmed.Task.ConfigureAwait(false);
        }
        catch (TimeoutException fault)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.Timeout, $"chunk {index} wasn't confirmed within {_client.CallTimeout.TotalSeconds:0.#} s", fault)
            {
                Retryable = true,
            };
        }
        finally
        {
            _waiting.TryRemove(index, out _);
        }
    }

    public void Dispose() => _acks.Dispose();

    private async Task ReadAsync()
    {
        try
        {
            await foreach (var incoming in _acks.ConfigureAwait(false))
            {
                FileChunkAck? ack;
                try
                {
                    ack = incoming.Read(FilesJson.Default.FileChunkAck);
                }
                catch (JsonException)
                {
                    continue; // none of ours; what waits for one runs into its time-out
                }

                if (ack is null || ack.TransferId != _init.TransferId || !_waiting.TryGetValue(ack.ChunkIndex, out var waiting)) continue;
                if (ack.Ok) waiting.TrySetResult();
                else waiting.TrySetException(
                    new ChannelBridgeClientException(ack.ErrorCode ?? "INTERNAL",
                        ack.ErrorMessage ?? "the host refused a chunk")
                    { Retryable = ack.Retryable });
            }
        }
        catch (ChannelBridgeClientException)
        {
            // The client has failed for good; its session has ended, and that is what the chunks hear.
        }
    }
}
