using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Json;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Abstractions.Methods;

/// <summary>
/// A method that every door offers under the same name with the same answer. Channels and the host contribute them; the method router
/// checks the scope and calls them. Parameters are deserialised from the frame's own bytes, the result goes straight to the outgoing buffer.
/// </summary>
public abstract class RpcMethod
{
    private protected RpcMethod(string name, Scopes scope, string summary)
    {
        Name = name;
        Scope = scope;
        Summary = summary;
    }

    /// <summary>The name on the wire, e.g. <c>bncr.inbound</c>.</summary>
    public string Name { get; }

    /// <summary>The scope that the caller needs.</summary>
    public Scopes Scope { get; }

    /// <summary>One sentence for <c>rpc.discover</c> and the docs.</summary>
    public string Summary { get; }

    /// <summary>
    /// True: errors are also written to <c>payload.error</c>, which old bncr clients read. Default false.
    /// </summary>
    public bool LegacyErrors { get; init; }

    /// <summary>True when the method uses <see cref="MethodCall.AfterAnswer"/>: each call then has an object of its own.</summary>
    public bool ActsAfterAnswer { get; init; }

    /// <summary>True when most of a call is bytes of a file: they may come beside the parameters (<see cref="MethodCall.Content"/>) instead of in base64.</summary>
    public bool CarriesBytes { get; init; }

    /// <summary>The JSON Schema of the parameters, as <c>rpc.discover</c> shows it. Written out only, never changed.</summary>
    public abstract JsonNode ParametersSchema { get; }

    /// <summary>The JSON Schema of the result.</summary>
    public abstract JsonNode ResultSchema { get; }

    /// <summary>
    /// Runs the method. <paramref name="parameters"/> is one JSON object (empty means <c>{}</c>) that is valid until the task completes;
    /// the result is written to <paramref name="result"/> as one JSON value.
    /// </summary>
    /// <exception cref="BridgeException">Every expected failure. After one, the caller discards what was written.</exception>
    public abstract ValueTask InvokeAsync(
        ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken);

    /// <summary>Makes a method from a typed handler.</summary>
    public static RpcMethod Create<TParameters, TResult>(
        string name,
        Scopes scope,
        string summary,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        Func<TParameters, MethodCall, CancellationToken, ValueTask<TResult>> handler,
        bool legacyErrors = false,
        bool actsAfterAnswer = false)
        where TParameters : class
        => new TypedMethod<TParameters, TResult>(name, scope, summary, parametersType, resultType, handler)
        {
            LegacyErrors = legacyErrors,
            ActsAfterAnswer = actsAfterAnswer,
        };

    /// <summary>
    /// Makes a method from a handler that reads the parameters and writes the result itself, for forwarding without a second serialisation. The
    /// types are for the schema only.
    /// </summary>
    public static RpcMethod CreateRaw(
        string name,
        Scopes scope,
        string summary,
        JsonTypeInfo parametersType,
        JsonTypeInfo resultType,
        Func<ReadOnlyMemory<byte>, MethodCall, IBufferWriter<byte>, CancellationToken, ValueTask> handler,
        bool actsAfterAnswer = false,
        bool legacyErrors = false,
        bool carriesBytes = false)
        => CreateRaw(
            name, scope, summary, new Lazy<JsonNode>(() => JsonSchemas.Of(parametersType)), new Lazy<JsonNode>(() => JsonSchemas.Of(resultType)), handler,
            actsAfterAnswer, legacyErrors, carriesBytes);

    /// <summary>Makes a method from a handler that reads the parameters and writes the result itself, and JSON schemas that say how they look.</summary>
    public static RpcMethod CreateRaw(
        string name,
        Scopes scope,
        string summary,
        JsonNode parametersSchema,
        JsonNode resultSchema,
        Func<ReadOnlyMemory<byte>, MethodCall, IBufferWriter<byte>, CancellationToken, ValueTask> handler,
        bool actsAfterAnswer = false,
        bool legacyErrors = false,
        bool carriesBytes = false)
        => CreateRaw(
            name, scope, summary, new Lazy<JsonNode>(parametersSchema), new Lazy<JsonNode>(resultSchema), handler, actsAfterAnswer, legacyErrors, carriesBytes);

    private static RawMethod CreateRaw(
        string name,
        Scopes scope,
        string summary,
        Lazy<JsonNode> parametersSchema,
        Lazy<JsonNode> resultSchema,
        Func<ReadOnlyMemory<byte>, MethodCall, IBufferWriter<byte>, CancellationToken, ValueTask> handler,
        bool actsAfterAnswer,
        bool legacyErrors,
        bool carriesBytes)
        => new(name, scope, summary, parametersSchema, resultSchema, handler)
        {
            ActsAfterAnswer = actsAfterAnswer,
            LegacyErrors = legacyErrors,
            CarriesBytes = carriesBytes,
        };

    private sealed class RawMethod(
        string name,
        Scopes scope,
        string summary,
        Lazy<JsonNode> parametersSchema,
        Lazy<JsonNode> resultSchema,
        Func<ReadOnlyMemory<byte>, MethodCall, IBufferWriter<byte>, CancellationToken, ValueTask> handler)
        : RpcMethod(name, scope, summary)
    {
        public override JsonNode ParametersSchema => parametersSchema.Value;

        public override JsonNode ResultSchema => resultSchema.Value;

        public override ValueTask InvokeAsync(
            ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken) =>
            handler(parameters, call, result, cancellationToken);
    }

    private sealed class TypedMethod<TParameters, TResult>(
        string name,
        Scopes scope,
        string summary,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        Func<TParameters, MethodCall, CancellationToken, ValueTask<TResult>> handler)
        : RpcMethod(name, scope, summary)
        where TParameters : class
    {
        public override JsonNode ParametersSchema => JsonSchemas.Of(parametersType);

        public override JsonNode ResultSchema => JsonSchemas.Of(resultType);

        public override async ValueTask InvokeAsync(
            ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken)
        {
            var value = await handler(Parse(parameters.Span), call, cancellationToken).ConfigureAwait(false);
            // One writer per thread: from here on nothing waits, and nothing below calls a method again.
            var writer = CachedWriter.Rent(result);
            try
            {
                JsonSerializer.Serialize(writer, value, resultType);
                writer.Flush();
            }
            finally
            {
                CachedWriter.Return(writer);
            }
        }

        private TParameters Parse(ReadOnlySpan<byte> parameters)
        {
            try
            {
                return JsonSerializer.Deserialize(parameters.IsEmpty ? "{}"u8 : parameters, parametersType)
                    ?? throw BridgeException.Invalid($"{Name}: params must be an object, not null");
            }
            catch (JsonException) when (WholeNumbers.Rewrite(parameters) is { } rewritten)
            {
                return Parse(rewritten);
            }
            catch (JsonException fault)
            {
                // The path names the member; the message of the serializer could echo the value, so it stays out.
                var path = string.IsNullOrEmpty(fault.Path) || fault.Path == "$" ? "params" : "params" + fault.Path[1..];
                throw new BridgeException(
                    ErrorCodes.InvalidRequest, $"{Name}: {path} is missing, of the wrong type, or not allowed; see rpc.discover for the schema", fault);
            }
        }
    }
}
