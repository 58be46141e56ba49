using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.JsonRpc;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>The host's own calls over one connection that wait for their answer.</summary>
internal sealed class OutgoingCalls(int max)
{
    // Made when it is needed: most connections are never called.
    private ConcurrentDictionary<long, TaskCompletionSource<ReadOnlyMemory<byte>>>? _open;
    private long _lastId;
    private int _count;
    private volatile bool _closed;

    /// <summary>The error of a call whose connection is gone.</summary>
    public static BridgeException Lost() => BridgeException.Unavailable("the peer's connection is closed", TimeSpan.FromSeconds(1));

    /// <summary>Opens a call.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Busy"/> or <see cref="ErrorCodes.Unavailable"/>.</exception>
    public (long Id, Task<ReadOnlyMemory<byte>> Answer) Open()
    {
        if (Interlocked.Increment(ref _count) > max)
        {
            Interlocked.Decrement(ref _count);
            throw BridgeException.Busy("too many calls to this peer are waiting for their answer", TimeSpan.FromMilliseconds(250));
        }

        var id = Interlocked.Increment(ref _lastId);
        var answer = new TaskCompletionSource<ReadOnlyMemory<byte>>(TaskCreationOptions.RunContinuationsAsynchronously);
        LazyInitializer.EnsureInitialized(ref _open)[id] = answer;
        // The connection may have ended between the two lines above.
        if (_closed && TryTake(id) is not null) throw Lost();
        return (id, answer.Task);
    }

    /// <summary>Forgets a call that was never sent.</summary>
    public void Forget(long id) => TryTake(id);

    /// <summary>An answer with a result; unknown ids are late answers of cancelled calls.</summary>
    public void Succeed(JsonRpcId id, ReadOnlyMemory<byte> result)
    {
        if (id.TryGetInteger(out var number) && TryTake(number) is { } call) call.TrySetResult(result.ToArray());
    }

    /// <summary>An answer with an error.</summary>
    public void Fail(JsonRpcId id, ReadOnlyMemory<byte> error)
    {
        if (id.TryGetInteger(out var number) && TryTake(number) is { } call) call.TrySetException(Read(error));
    }

    /// <summary>The caller gives up; true when the peer should be told.</summary>
    public bool Cancel(long id, CancellationToken token) => TryTake(id) is { } call && call.TrySetCanceled(token);

    /// <summary>The connection has ended: every open call fails.</summary>
    public void Close()
    {
        _closed = true;
        foreach (var id in _open?.Keys ?? [])
        {
            if (TryTake(id) is { } call) call.TrySetException(Lost());
        }
    }

    private TaskCompletionSource<ReadOnlyMemory<byte>>? TryTake(long id)
    {
        if (_open is not { } open || !open.TryRemove(id, out var call)) return null;
        Interlocked.Decrement(ref _count);
        return call;
    }

    // A peer's error, in the terms of the house; what it lacks gets a sensible value.
    private static BridgeException Read(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var error = JsonNode.Parse(bytes.Span) as JsonObject;
            var number = error?["code"] is JsonValue code && code.TryGetValue<int>(out var parsed) ? parsed : JsonRpcErrorCodes.InternalError;
            var message = Text(error?["message"]) ?? "the peer answered with an error";
            var data = error?["data"] as JsonObject;
            var name = Text(data?["code"]) ?? number switch
            {
                JsonRpcErrorCodes.MethodNotFound => ErrorCodes.NotFound,
                JsonRpcErrorCodes.ParseError or JsonRpcErrorCodes.InvalidRequest or JsonRpcErrorCodes.InvalidParams => ErrorCodes.InvalidRequest,
                _ => ErrorCodes.Internal,
            };
            return new BridgeException(name, message)
            {
                Retryable = data?["retryable"] is JsonValue retryable && retryable.TryGetValue<bool>(out var flag) && flag,
                RetryAfter = data?["retryAfterMs"] is JsonValue wait && wait.TryGetValue<long>(out var ms) ? TimeSpan.FromMilliseconds(ms) : null,
                Details = data?["details"] is JsonObject details ? (JsonObject)details.DeepClone() : null,
                LegacyText = Text(data?["legacyText"]),
            };
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or OverflowException)
        {
            return new BridgeException(ErrorCodes.Internal, "the peer answered with an unreadable error", fault);
        }
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
