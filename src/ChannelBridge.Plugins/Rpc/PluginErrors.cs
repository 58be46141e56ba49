using System.Runtime.ExceptionServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Protocol;
using ChannelBridge.Protocol.JsonRpc;
using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>Errors on their way over the pipe and back.</summary>
public static class PluginErrors
{
    private const int MaxMessage = 2000;
    private const int MaxCode = 100;

    /// <summary>
    /// Waits for a call and turns what went wrong into a <see cref="BridgeException"/>; cancellations stay what they are.
    /// </summary>
    public static async Task<T> TranslateAsync<T>(this Task<T> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        try
        {
            return await call.ConfigureAwait(false);
        }
        catch (Exception fault) when (Translate(fault) is { } bridge)
        {
            // What was thrown is another thing than what is told.
            ExceptionDispatchInfo.Throw(bridge);
            throw;
        }
    }

    /// <inheritdoc cref="TranslateAsync{T}(Task{T})"/>
    public static async Task TranslateAsync(this Task call)
    {
        ArgumentNullException.ThrowIfNull(call);
        try
        {
            await call.ConfigureAwait(false);
        }
        catch (Exception fault) when (Translate(fault) is { } bridge)
        {
            // What was thrown is another thing than what is told.
            ExceptionDispatchInfo.Throw(bridge);
            throw;
        }
    }

    /// <summary>The error of a call as a <see cref="BridgeException"/>, or null when it is something else.</summary>
    internal static BridgeException? Translate(Exception fault) => fault switch
    {
        BridgeException => null,
        PluginRemoteException remote => ToBridge(remote),
        ConnectionLostException or ObjectDisposedException => BridgeException.Unavailable("the other end of the plugin's pipe is gone"),
        RemoteRpcException =>
            new BridgeException(ErrorCodes.Internal, "the other end of the plugin's pipe answered an error that can't be read"),
        _ => null,
    };

    internal static BridgeException ToBridge(PluginRemoteException remote)
    {
        var data = remote.Reason;
        var code = data?.Code is { Length: > 0 and <= MaxCode } given
            ? given
            : remote.ErrorCode switch
            {
                JsonRpcErrorCodes.MethodNotFound => ErrorCodes.NotFound,
                JsonRpcErrorCodes.InvalidParams or JsonRpcErrorCodes.InvalidRequest => ErrorCodes.InvalidRequest,
                PluginProtocol.CancelledError => ErrorCodes.Cancelled,
                _ => ErrorCodes.Internal,
            };
        return new BridgeException(code, remote.Message, remote)
        {
            Retryable = data?.Retryable ?? false,
            RetryAfter = data?.RetryAfterMs is { } wait and >= 0 ? TimeSpan.FromMilliseconds(Math.Min(wait, int.MaxValue)) : null,
            Details = data?.Details is { ValueKind: JsonValueKind.Object } details ? JsonObject.Create(details) : null,
        };
    }

    /// <summary>What the wire says of an exception: ours with its code, a cancellation, or a fault without particulars.</summary>
    internal static JsonRpcError.ErrorDetail ToDetail(Exception exception)
    {
        if (exception is AggregateException { InnerExceptions.Count: 1 } single) exception = single.InnerExceptions[0];
        if (exception is PluginRemoteException remote) exception = remote.ToBridgeException();
        return exception switch
        {
            BridgeException bridge => Detail(JsonRpcErrorCodes.ApplicationError, bridge.Message, new PluginErrorData
            {
                Code = bridge.Code,
                Retryable = bridge.Retryable,
                RetryAfterMs = bridge.RetryAfter is { } wait ? (long)wait.TotalMilliseconds : null,
                Details = bridge.Details is { } details ? JsonSerializer.SerializeToElement(details, PluginJson.Default.JsonObject) : null,
            }),
            OperationCanceledException =>
                Detail(PluginProtocol.CancelledError, "the call was cancelled", new PluginErrorData { Code = ErrorCodes.Cancelled }),
            _ => Detail(JsonRpcErrorCodes.ApplicationError, "the call failed by a fault of the other end; its log has it",
                new PluginErrorData { Code = ErrorCodes.Internal }),
        };
    }

    /// <summary>An error that the library made keeps its number; its words and data, which name types, are replaced.</summary>
    internal static void Scrub(JsonRpcError answer)
    {
        if (answer.Error is not { } error || error.Data is PluginErrorData) return;
        var (message, code) = (int)error.Code switch
        {
            JsonRpcErrorCodes.MethodNotFound => ("there is no such method", ErrorCodes.NotFound),
            JsonRpcErrorCodes.InvalidParams => ("the parameters don't fit the method", ErrorCodes.InvalidRequest),
            JsonRpcErrorCodes.InvalidRequest or JsonRpcErrorCodes.ParseError => ("this isn't a request", ErrorCodes.InvalidRequest),
            PluginProtocol.CancelledError => ("the call was cancelled", ErrorCodes.Cancelled),
            _ => ("the call failed by a fault of the other end; its log has it", ErrorCodes.Internal),
        };
        answer.Error = Detail((int)error.Code, message, new PluginErrorData { Code = code });
    }

    /// <summary>
    /// An error as it came, with data of our shape or none: data of another shape is the other end's own business, and would end the
    /// connection.
    /// </summary>
    internal static JsonRpcError Normalize(JsonRpcError received, byte[] message)
    {
        using var document = JsonDocument.Parse(message);
        var error = document.RootElement.GetProperty("error");
        PluginErrorData? data = null;
        if (error.ValueKind == JsonValueKind.Object && error.TryGetProperty("data", out var given)
            && given.ValueKind == JsonValueKind.Object)
        {
            data = new PluginErrorData
            {
                Code = given.TryGetProperty("code", out var code) && code.ValueKind == JsonValueKind.String ? code.GetString() : null,
                Retryable = given.TryGetProperty("retryable", out var retryable) && retryable.ValueKind == JsonValueKind.True,
                RetryAfterMs = given.TryGetProperty("retryAfterMs", out var wait) && wait.ValueKind == JsonValueKind.Number
                    && wait.TryGetInt64(out var ms) ? ms : null,
                Details = given.TryGetProperty("details", out var details) && details.ValueKind == JsonValueKind.Object ? details.Clone()
                    : null,
            };
        }

        return new JsonRpcError
        {
            RequestId = received.RequestId,
            Error = new JsonRpcError.ErrorDetail { Code = received.Error?.Code ?? default(JsonRpcErrorCode), Message = received.Error?.Message ?? "", Data = data },
        };
    }

    internal static string Shorten(string? text) => text is null ? "" : SoundText.Cut(text, MaxMessage);

    private static JsonRpcError.ErrorDetail Detail(int code, string message, PluginErrorData data) =>
        new() { Code = (JsonRpcErrorCode)code, Message = Shorten(message), Data = data };
}
