using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;

namespace ChannelBridge.A2A.Client;

/// <summary>An interface of a peer, and how it is spoken to.</summary>
internal abstract class Wire(AgentInterface place, A2ADialect dialect)
{
    private static readonly MediaTypeWithQualityHeaderValue Events = new("text/event-stream");

    public AgentInterface Place { get; } = place;

    public A2ADialect Dialect { get; } = dialect;

    public Uri Url { get; } = new(place.Url);

    /// <summary>Whatever is spoken here of what a card offers; null: none of ours.</summary>
    public static Wire? For(AgentInterface place)
    {
        if (!Uri.TryCreate(place.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0)
        {
            return null;
        }
        return (place.ProtocolBinding.ToUpperInvariant(), Versions.Normalise(place.ProtocolVersion)) switch
        {
            (Bindings.JsonRpc, Versions.V10) => new JsonRpcWire(place, A2ADialect.V10),
            (Bindings.JsonRpc, Versions.V03) => new JsonRpcWire(place, A2ADialect.V03),
            (Bindings.Rest, Versions.V10) => new RestWire(place, A2ADialect.V10),
            (Bindings.Rest, Versions.V03) => new RestWire(place, A2ADialect.V03Rest),
            _ => null,
        };
    }

    public HttpRequestMessage Request(Call call)
    {
        var request = Build(call);
        request.Headers.Add(Versions.Header, Dialect.Version);
        request.Headers.Accept.Add(call.Streams ? Events : new MediaTypeWithQualityHeaderValue(MediaType));
        if (call.Streams) request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        return request;
    }

    /// <summary>The result within an answer.</summary>
    /// <exception cref="A2AException">The answer is an error.</exception>
    public abstract ReadOnlyMemory<byte> Unwrap(ReadOnlyMemory<byte> body);

    protected abstract string MediaType { get; }

    protected abstract HttpRequestMessage Build(Call call);

    protected static ByteArrayContent Content(byte[] body, string mediaType) =>
        new(body) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };

    protected A2AException NotSpoken(Call call) =>
        new(A2AError.UnsupportedOperation, $"Version {Dialect.Version} of the protocol has no {call.Operation.Name10}.");
}

/// <summary>JSON-RPC 2.0.</summary>
internal sealed class JsonRpcWire(AgentInterface place, A2ADialect dialect) : Wire(place, dialect)
{
    private static readonly JsonWriterOptions Plain = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };
    private static long _ids;

    protected override string MediaType => "application/json";

    public override ReadOnlyMemory<byte> Unwrap(ReadOnlyMemory<byte> body)
    {
        var reader = new Utf8JsonReader(body.Span);
        ReadOnlyMemory<byte>? result = null;
        ReadOnlyMemory<byte>? error = null;
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
        {
            throw new JsonException("The answer is no JSON-RPC response.");
        }
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var isResult = reader.ValueTextEquals("result"u8);
            var isError = reader.ValueTextEquals("error"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var value = body[start..(int)reader.BytesConsumed];
            if (isResult) result = value;
            if (isError && reader.TokenType is not JsonTokenType.Null) error = value;
        }

        if (error is { } fault)
        {
            using var document = JsonDocument.Parse(fault);
            throw ErrorBodies.Read(document.RootElement, null) ?? throw new JsonException("The answer's error has no code.");
        }

        return result ?? throw new JsonException("The answer has neither result nor error.");
    }

    protected override HttpRequestMessage Build(Call call)
    {
        var method = Dialect.Version == Versions.V03 ? call.Operation.Name03 : call.Operation.Name10;
        if (method is null) throw NotSpoken(call);
        var parameters = call.Body(Dialect);
        var output = new ArrayBufferWriter<byte>((parameters?.Length ?? 0) + 96);
        using (var writer = new Utf8JsonWriter(output, Plain))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0"u8);
            writer.WriteNumber("id"u8, Interlocked.Increment(ref _ids));
            writer.WriteString("method"u8, method);
            if (parameters is not null)
            {
                writer.WritePropertyName("params"u8);
                writer.WriteRawValue(parameters, skipInputValidation: true);
            }

            writer.WriteEndObject();
        }

        return new HttpRequestMessage(HttpMethod.Post, Url) { Content = Content(output.WrittenSpan.ToArray(), MediaType) };
    }
}

/// <summary>Plain HTTP.</summary>
internal sealed class RestWire(AgentInterface place, A2ADialect dialect) : Wire(place, dialect)
{
    protected override string MediaType => Dialect.Version == Versions.V03 ? "application/json" : "application/a2a+json";

    public override ReadOnlyMemory<byte> Unwrap(ReadOnlyMemory<byte> body) => body;

    protected override HttpRequestMessage Build(Call call)
    {
        var old = Dialect.Version == Versions.V03;
        if (old && call.Operation.Name03 is null) throw NotSpoken(call);
        var path = call.Path;
        var tenant = call.Tenant ?? Place.Tenant;
        if (call.Operation == Operation.ExtendedCard && old) path = "card";
        if (old) path = "v1/" + path;
        else if (!string.IsNullOrEmpty(tenant)) path = Uri.EscapeDataString(tenant) + "/" + path;
        var request = new HttpRequestMessage(call.Operation.Verb, new Uri(Url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/" + path));
        if (call.HasRestBody && call.Body(Dialect) is { } body) request.Content = Content(body, MediaType);
        else if (call.Operation.Verb == HttpMethod.Post) request.Content = Content("{}"u8.ToArray(), MediaType);
        return request;
    }
}
