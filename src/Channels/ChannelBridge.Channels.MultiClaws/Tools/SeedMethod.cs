using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;

namespace ChannelBridge.Channels.MultiClaws.Tools;

/// <summary>
/// Methods under two names: <c>session.start</c> with the codes of this house, and <c>multiclaws.session.start</c> with those that clients of the plugin MultiClaws match:
/// <c>session_start_failed</c> for what is wrong with a request, <c>not_found</c> for what isn't there. What the house has and the plugin hasn't (<c>BUSY</c>,
/// <c>PAYLOAD_TOO_LARGE</c>, <c>UNAVAILABLE</c>) is called the same in both.
/// </summary>
internal static class SeedMethod
{
    private const string Prefix = "multiclaws.";
    private const string NotFound = "not_found";

    /// <summary>Makes both methods.</summary>
    /// <param name="name">The name without its prefix, e.g. <c>session.start</c>.</param>
    /// <param name="fault">The plugin's code of a failure, e.g. <c>session_start_failed</c>.</param>
    /// <param name="scope">The scope that the caller needs.</param>
    /// <param name="summary">One sentence.</param>
    /// <param name="parametersType">The parameters.</param>
    /// <param name="resultType">The result.</param>
    /// <param name="handler">What is done.</param>
    /// <param name="isOwn">False: only the plugin's name.</param>
    public static IEnumerable<RpcMethod> Make<TParameters, TResult>(
        string name,
        string fault,
        Scopes scope,
        string summary,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        Func<TParameters, MethodCall, CancellationToken, ValueTask<TResult>> handler,
        bool isOwn = true)
        where TParameters : class
    {
        if (isOwn) yield return RpcMethod.Create(name, scope, summary, parametersType, resultType, handler);
        var inner = RpcMethod.Create(Prefix + name, scope, summary, parametersType, resultType, handler);
        yield return RpcMethod.CreateRaw(Prefix + name, scope, summary, parametersType, resultType, async (parameters, call, result, cancellationToken) =>
        {
            try
            {
                await inner.InvokeAsync(parameters, call, result, cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException refused) when (refused.Code is ErrorCodes.InvalidRequest or ErrorCodes.NotFound)
            {
                throw new BridgeException(refused.Code == ErrorCodes.NotFound ? NotFound : fault, refused.Message, refused);
            }
        });
    }

    /// <summary>Makes a tool that an agent may call.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="summary">What it does, in words for the agent.</param>
    /// <param name="parametersType">The arguments.</param>
    /// <param name="resultType">The result.</param>
    /// <param name="handler">What is done.</param>
    public static AgentTool Tool<TParameters, TResult>(
        string name,
        string summary,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        Func<TParameters, ToolCall, CancellationToken, ValueTask<TResult>> handler)
        where TParameters : class => new(name, summary, parametersType, async (arguments, call, result, cancellationToken) =>
        {
            var value = await handler(Read(name, arguments.Span, parametersType), call, cancellationToken).ConfigureAwait(false);
            var writer = new Utf8JsonWriter(result, new JsonWriterOptions { Encoder = resultType.Options.Encoder });
            await using (writer.ConfigureAwait(false)) JsonSerializer.Serialize(writer, value, resultType);
        });

    /// <summary>A text without the blanks around it; there must be one.</summary>
    public static string Needed(string? value, string name) =>
        value?.Trim() is { Length: > 0 } text ? text : throw BridgeException.Invalid($"{name} is required and must not be empty");

    private static TParameters Read<TParameters>(string name, ReadOnlySpan<byte> arguments, JsonTypeInfo<TParameters> type)
        where TParameters : class
    {
        try
        {
            return JsonSerializer.Deserialize(arguments.IsEmpty ? "{}"u8 : arguments, type) ?? throw BridgeException.Invalid($"{name}: the arguments must be an object");
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"{name}: an argument is missing or of the wrong type", fault);
        }
    }
}
