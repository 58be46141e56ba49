using System.Text.Json;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.rpc.call</c> for operators, <c>bncr.rpc.response</c> for clients.</summary>
internal sealed class RpcMethods(BncrAccounts accounts, PendingRpcCalls desk, BncrOptions options)
{
    private const int MaxMethod = 128;
    private const long MaxTimeoutMs = 300_000;
    private static readonly JsonElement Nothing = JsonElement.Parse("{}");

    public ValueTask<RpcCallResult> CallAsync(RpcCallParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var method = InboundValidator.Blank(parameters.Method);
        if (method is null || !Text.IsIdentifier(method, MaxMethod))
        {
            throw Refusals.Invalid("invalid-method", $"method is required: the client's method, at most {MaxMethod} characters");
        }

        if (parameters.TimeoutMs is < 1 or > MaxTimeoutMs) throw Refusals.Invalid("invalid-timeout", $"timeoutMs must be 1 to {MaxTimeoutMs}");
        var timeout = parameters.TimeoutMs is { } asked ? TimeSpan.FromMilliseconds(asked) : options.RpcTimeout;
        return desk.CallAsync(accounts.Look(parameters.AccountId, call.Caller), method, parameters.Args ?? Nothing, timeout, cancellationToken);
    }

    public ValueTask<RpcResponseResult> RespondAsync(RpcResponseParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        parameters.RequestId = InboundValidator.Blank(parameters.RequestId);
        if (parameters.RequestId is null) throw Refusals.Invalid("missing-request-id", "requestId is required: the requestId of the rpc.request", "requestId required");
        return ValueTask.FromResult(new RpcResponseResult(true, desk.Answer(call.Connection, parameters), parameters.RequestId));
    }
}
