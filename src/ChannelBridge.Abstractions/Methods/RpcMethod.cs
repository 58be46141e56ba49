using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
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
    /// The text that stands in front of a scope or parameter error for old clients in <c>payload.error</c>; true for bncr methods.
    /// </summary>
    public bool LegacyErrors { get; init; }

    /// <summary>True when the method uses <see cref="MethodCall.AfterAnswer"/>: each call then has an object of its own.</summary>
    public bool ActsAfterAnswer { get; init; }

    /// <summary>True when most of a call is bytes of a file: they may come beside the parameters (<see cref="MethodCall.Content"/>) instead of in base64.</summary>
    public bool CarriesBytes { get; init; }

    /// <summary>The parameters' type, for the schema in <c>rpc.discover</c>.</summary>
    public abstract JsonTypeInfo ParametersType { get; }

    /// <summary>The result's type, for the schema in <c>rpc.discover</c>.</summary>
    public abstract JsonTypeInfo ResultType { get; }

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
        => new RawMethod(name, scope, summary, parametersType, resultType, handler)
        {
            ActsAfterAnswer = actsAfterAnswer,
            LegacyErrors = legacyErrors,
            CarriesBytes = carriesBytes,
        };

    private sealed class RawMethod(
        string name,
        Scopes scope,
        string summary,
        JsonTypeInfo parametersType,
        JsonTypeInfo resultType,
        Func<ReadOnlyMemory<byte>, MethodCall, IBufferWriter<byte>, CancellationToken, ValueTask> handler)
        : RpcMethod(name, scope, summary)
    {
        public override JsonTypeInfo ParametersType => parametersType;

        public override JsonTypeInfo ResultType => resultType;

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
        public override JsonTypeInfo ParametersType => parametersType;

        public override JsonTypeInfo ResultType => resultType;

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
