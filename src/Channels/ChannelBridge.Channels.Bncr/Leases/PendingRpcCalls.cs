using System.Collections.Concurrent;
using System.Text.Json;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// Calls from the host to a client: an event <c>rpc.request</c> to the account's primary, answered by <c>bncr.rpc.response</c> on the same connection.
/// Nothing of it is durable: a call ends with its answer, its time-out, or its connection.
/// </summary>
internal sealed class PendingRpcCalls(TimeProvider time)
{
    private const int MaxPending = 1024;
    private readonly ConcurrentDictionary<string, Pending> _pending = new();

    /// <summary>Calls the account's primary.</summary>
    /// <exception cref="BridgeException">
    /// <see cref="ErrorCodes.Unavailable"/>: no client, or it went away. <see cref="ErrorCodes.Timeout"/>: no answer in time.
    /// <see cref="ErrorCodes.Busy"/>: too many calls are open, or the client reads too slowly.
    /// </exception>
    public async ValueTask<RpcCallResult> CallAsync(BncrAccount account, string method, JsonElement args, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (account.Primary is not { } session)
        {
            throw BridgeException.Unavailable($"no client of account '{account.DisplayId}' is connected; try again when one is");
        }

        if (_pending.Count >= MaxPending) throw BridgeException.Busy($"{MaxPending} calls to clients are open, which is the limit", TimeSpan.FromSeconds(1));
        var requestId = "rpc_" + Guid.NewGuid().ToString("N");
        var pending = new Pending(session.Connection);
        _pending[requestId] = pending;
        try
        {
            var request = new RpcRequestEvent(requestId, method, args, time.GetUtcNow().ToUnixTimeMilliseconds());
            var payload = JsonSerializer.SerializeToUtf8Bytes(request, BncrJson.Default.RpcRequestEvent);
            var outcome = await session.Connection.PushAsync(session.EventPrefix + EventPrefixes.RpcRequest, payload, cancellationToken).ConfigureAwait(false);
            if (outcome is PushOutcome.Gone) throw Left(account);
            if (outcome is PushOutcome.Full) throw BridgeException.Busy("the client reads too slowly for a call now", TimeSpan.FromSeconds(1));
            using var closed = session.Closed.UnsafeRegister(static state => ((Pending)state!).Answer.TrySetCanceled(), pending);
            var answer = await pending.Answer.Task.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
            return new RpcCallResult
            {
                Ok = answer.Ok is true,
                AccountId = account.DisplayId,
                RequestId = requestId,
                Method = method,
                Result = answer.Ok is true ? answer.Result : null,
                Error = answer.Ok is true ? null : answer.Error,
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Left(account);
        }
        catch (TimeoutException)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"the client of account '{account.DisplayId}' gave no answer within {timeout.TotalSeconds:0.###} s")
            {
                Retryable = true,
            };
        }
        finally
        {
            _pending.TryRemove(requestId, out _);
        }
    }

    /// <summary>Takes an answer; false when nobody waits for it on this connection.</summary>
    public bool Answer(IClientConnection connection, RpcResponseParams response) =>
        _pending.TryGetValue(response.RequestId!, out var pending)
        && ReferenceEquals(pending.Connection, connection)
        && pending.Answer.TrySetResult(response);

    private static BridgeException Left(BncrAccount account) =>
        BridgeException.Unavailable($"the client of account '{account.DisplayId}' left before it answered; whether it acted is unknown");

    private sealed class Pending(IClientConnection connection)
    {
        public IClientConnection Connection { get; } = connection;

        public TaskCompletionSource<RpcResponseParams> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
