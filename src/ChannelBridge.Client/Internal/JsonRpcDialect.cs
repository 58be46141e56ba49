using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Protocol.JsonRpc;

namespace ChannelBridge.Client.Internal;

/// <summary>JSON-RPC 2.0; an event is a notification whose method is the event's name.</summary>
internal sealed class JsonRpcDialect : IClientDialect
{
    public void WriteCall(IBufferWriter<byte> output, long id, string method, ReadOnlySpan<byte> parameters, string? traceParent)
    {
        if (traceParent is null)
        {
            JsonRpcWriter.WriteRequest(output, id, method, parameters);
            return;
        }

        // StreamJsonRpc's place for the trace context is the root.
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        writer.WriteString("jsonrpc"u8, "2.0"u8);
        writer.WriteNumber("id"u8, id);
        writer.WriteString("method"u8, method);
        writer.WritePropertyName("params"u8);
        writer.WriteRawValue(parameters.IsEmpty ? "{}"u8 : parameters, skipInputValidation: true);
        writer.WriteString("traceparent"u8, traceParent);
        writer.WriteEndObject();
    }

    public bool WriteCancel(IBufferWriter<byte> output, long id)
    {
        JsonRpcWriter.WriteNotification(output, "$/cancelRequest", Encoding.ASCII.GetBytes($"{{\"id\":{id}}}"));
        return true;
    }

    public bool WriteNotServed(IBufferWriter<byte> output, ReadOnlyMemory<byte> rawId)
    {
        JsonRpcWriter.WriteError(output, new JsonRpcId(rawId), JsonRpcErrorCodes.MethodNotFound, "this client serves no methods", null);
        return true;
    }

    public Incoming Read(ReadOnlyMemory<byte> message)
    {
        if (!JsonRpcReader.TryRead(message, IClientDialect.Limits, out var parsed, out var error))
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"The host sent what is no JSON-RPC message: {error.Message}");
        return parsed.Kind switch
        {
            JsonRpcMessageKind.Notification => new Incoming(IncomingKind.Event, -1, parsed.Method, parsed.Parameters, null, default),
            JsonRpcMessageKind.Request => new Incoming(IncomingKind.Call, -1, parsed.Method, parsed.Parameters, null, parsed.Id.Raw),
            JsonRpcMessageKind.Result => new Incoming(IncomingKind.Answer, Number(parsed.Id.Raw.Span), default, parsed.Result, null, default),
            _ => new Incoming(IncomingKind.Answer, Number(parsed.Id.Raw.Span), default, default, ReadError(parsed.Error), default),
        };
    }

    public async Task<ServerInfo> AuthenticateAsync(ClientSession session, string? token, CancellationToken cancellationToken)
    {
        if (token is null) return new ServerInfo();
        var parameters = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["token"] = token }, ClientJson.Default.JsonObject);
        await session.CallAsync("auth.authenticate", parameters, cancellationToken).ConfigureAwait(false);
        return new ServerInfo();
    }

    private static long Number(ReadOnlySpan<byte> id) => Utf8Parser.TryParse(id, out long number, out var consumed) && consumed == id.Length ? number : -1;

    private static ChannelBridgeClientException ReadError(ReadOnlyMemory<byte> json)
    {
        var error = WireErrors.Parse(json) as JsonObject;
        var code = (int)(WireErrors.Number(error?["code"]) ?? 0) switch
        {
            JsonRpcErrorCodes.MethodNotFound => "NOT_FOUND",
            JsonRpcErrorCodes.InternalError => "INTERNAL",
            _ => "INVALID_REQUEST",
        };
        var message = WireErrors.Text(error?["message"]) ?? "the host gave no reason";
        var data = error?["data"] as JsonObject ?? [];
        error?.Remove("data");
        data["message"] = message;
        return WireErrors.FromObject(data, code, message);
    }
}
