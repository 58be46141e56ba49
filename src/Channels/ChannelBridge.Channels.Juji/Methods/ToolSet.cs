using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Tools;

namespace ChannelBridge.Channels.Juji.Methods;

/// <summary>What an agent may do in the community by itself: <c>juji_capabilities</c> says what there is, <c>juji_call</c> does it.</summary>
internal sealed class ToolSet(AccountBook accounts)
{
    /// <summary>The tools.</summary>
    public IEnumerable<AgentTool> Tools =>
    [
        Make("juji_call",
            "Calls an action of the Juji community as its member, e.g. task/list with {\"status\":\"open\"}. juji_capabilities lists the actions and their parameters.",
            JujiJson.Relaxed.CallParams, JujiJson.Relaxed.CallResult, async (parameters, call, cancellationToken) =>
            {
                var account = accounts.Look(parameters.AccountId, call);
                if (parameters.TimeoutMs is <= 0) throw BridgeException.Invalid("timeoutMs must be above 0");
                TimeSpan? timeout = parameters.TimeoutMs is { } asked ? TimeSpan.FromMilliseconds(asked) : null;
                var result = await account.CallAsync(parameters.Action, parameters.Params ?? default, timeout, cancellationToken).ConfigureAwait(false);
                return new CallResult(account.Id, parameters.Action, result.ValueKind == JsonValueKind.Undefined ? null : result);
            }),
        Make("juji_capabilities", "Tells what the Juji community can do now: its actions with the schemas of their parameters, and its REST paths.",
            JujiJson.Relaxed.AskParams, JujiJson.Relaxed.AskResult, async (parameters, call, cancellationToken) =>
            {
                var account = accounts.Look(parameters.AccountId, call);
                return new AskResult(account.Id, await account.AskAsync("/message/capabilities", parameters.Fresh, cancellationToken).ConfigureAwait(false));
            }),
    ];

    private static AgentTool Make<TParameters, TResult>(
        string name,
        string summary,
        JsonTypeInfo<TParameters> parametersType,
        JsonTypeInfo<TResult> resultType,
        Func<TParameters, Caller, CancellationToken, Task<TResult>> run)
        where TParameters : class => new(name, summary, parametersType, async (arguments, call, result, cancellationToken) =>
        {
            var parameters = Read(name, arguments.Span, parametersType);
            var value = await run(parameters, call.Call.Caller, cancellationToken).ConfigureAwait(false);
            var writer = new Utf8JsonWriter(result);
            await using (writer.ConfigureAwait(false)) JsonSerializer.Serialize(writer, value, resultType);
        });

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
