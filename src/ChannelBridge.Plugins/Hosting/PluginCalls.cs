using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// The methods and tools of a manifest, as calls into the plugin's process. Parameters are checked against their schema before they leave
/// the host.
/// </summary>
internal sealed class PluginCalls(PluginManifest manifest, PluginLink link) : IToolSource
{
    public IEnumerable<AgentTool> Tools { get; } = [.. manifest.Tools.Select(tool => new AgentTool(
        tool.Name,
        tool.Summary,
        ToNode(tool.Arguments),
        async (arguments, call, result, cancellationToken) =>
        {
            var given = Parse(arguments, tool.Arguments, tool.Name);
            var answer = await link.Require()
                .CallToolAsync(tool.Name, given, PluginMapping.ToWire(call.Call), call.SessionKey, cancellationToken)
                .TranslateAsync().ConfigureAwait(false);
            Write(answer, result);
        }))];

    /// <summary>The methods of one channel.</summary>
    public IReadOnlyList<RpcMethod> MethodsOf(string channel) => [.. manifest.Methods
        .Where(method => method.Name.StartsWith(channel + ".", StringComparison.Ordinal))
        .Select(method => RpcMethod.CreateRaw(
            method.Name,
            ScopeNames.Parse(method.Scope),
            method.Summary,
            ToNode(method.Params),
            ToNode(method.Result),
            async (parameters, call, result, cancellationToken) =>
            {
                var given = Parse(parameters, method.Params, method.Name);
                var answer = await link.Require().CallMethodAsync(method.Name, given, PluginMapping.ToWire(call), cancellationToken)
                    .TranslateAsync().ConfigureAwait(false);
                Write(answer, result);
            }))];

    private static JsonNode ToNode(JsonElement? schema) => schema is { } given ? JsonNode.Parse(given.GetRawText())! : new JsonObject();

    private static JsonElement Parse(ReadOnlyMemory<byte> parameters, JsonElement? schema, string name)
    {
        using var document = JsonDocument.Parse(parameters.IsEmpty ? "{}"u8.ToArray() : parameters);
        var given = document.RootElement.Clone();
        if (schema is { } rules && SchemaCheck.Run(rules, given, "params") is { Count: > 0 } faults)
            throw BridgeException.Invalid($"{name}: {string.Join("; ", faults.Take(5))}");
        return given;
    }

    private static void Write(JsonElement answer, IBufferWriter<byte> result) =>
        result.Write(answer.ValueKind == JsonValueKind.Undefined ? "null"u8 : Encoding.UTF8.GetBytes(answer.GetRawText()));
}
