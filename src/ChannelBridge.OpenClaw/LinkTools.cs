using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// <c>link.tool</c>: the gateway's agent calls a tool of the host. What it may reach is each tool's own business; it is never more than the
/// host's user may.
/// </summary>
internal sealed class LinkTools(IRegistry registry, LinkSession session) : IMethodSource
{
    private IEnumerable<AgentTool> Tools => registry.Current.Of<IToolSource>().SelectMany(source => source.Tools);

    /// <summary>The tools' names, which the plugin is told with its hello.</summary>
    public IEnumerable<string> Names => Tools.Select(tool => tool.Name);

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.CreateRaw(
            "link.tool", Scopes.Link, "The gateway's agent calls a tool of the host; the result is the tool's own.",
            LinkToolJson.Default.ToolParameters, LinkJson.Relaxed.Nothing, RunAsync),
    ];

    private ValueTask RunAsync(ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken)
    {
        var request = Read(parameters.Span);
        if (Tools.FirstOrDefault(candidate => candidate.Name == request.Name) is not { } tool)
        {
            throw new BridgeException(ErrorCodes.NotFound, "This host has no such tool; update the host, or the plugin.");
        }

        var arguments = request.Arguments.ValueKind == JsonValueKind.Object ? System.Text.Encoding.UTF8.GetBytes(request.Arguments.GetRawText()) : default;
        var message = request.SessionKey is { Length: > 0 } key ? session.Current?.MessageOf(key) : null;
        return tool.RunAsync(arguments, new ToolCall(request.SessionKey, call) { Message = message }, result, cancellationToken);
    }

    private static ToolParameters Read(ReadOnlySpan<byte> parameters)
    {
        try
        {
            return JsonSerializer.Deserialize(parameters, LinkToolJson.Default.ToolParameters) ?? throw new JsonException();
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "link.tool: params are {name, arguments, sessionKey?}", fault);
        }
    }
}

/// <summary><c>link.tool</c>.</summary>
internal sealed record ToolParameters
{
    public required string Name { get; init; }

    public JsonElement Arguments { get; set; }

    public string? SessionKey { get; set; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ToolParameters))]
internal sealed partial class LinkToolJson : JsonSerializerContext;
