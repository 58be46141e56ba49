using StreamJsonRpc;
using StreamJsonRpc.Protocol;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// StreamJsonRpc with the product's errors. By itself the library sends exceptions' types and stacks, takes -32602 for "no such method",
/// and ends the connection at an error whose data type its serializer doesn't know.
/// </summary>
internal sealed class PluginRpc : JsonRpc
{
    private readonly Action<Exception, string> _onFault;

    public PluginRpc(IJsonRpcMessageHandler handler, Action<Exception, string> onFault)
        : base(handler)
    {
        _onFault = onFault;
        CancelLocallyInvokedMethodsWhenConnectionIsClosed = true;
        ActivityTracingStrategy = new ActivityTracingStrategy();
    }

    protected override JsonRpcError.ErrorDetail CreateErrorDetails(JsonRpcRequest request, Exception exception)
    {
        if (exception is not (BridgeException or OperationCanceledException or PluginRemoteException))
            _onFault(exception, request.Method ?? "");
        return PluginErrors.ToDetail(exception);
    }

    protected override Type? GetErrorDetailsDataType(JsonRpcError error) => typeof(PluginErrorData);

    protected override RemoteRpcException CreateExceptionFromRpcError(JsonRpcRequest request, JsonRpcError response) =>
        new PluginRemoteException(
        PluginErrors.Shorten(response.Error?.Message), (int)(response.Error?.Code ?? default(JsonRpcErrorCode)), response.Error?.Data as PluginErrorData);
}
