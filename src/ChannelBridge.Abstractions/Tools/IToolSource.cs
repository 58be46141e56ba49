using System.Buffers;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Abstractions.Tools;

/// <summary>Contributes tools that agents may call: the OpenClaw plugin offers them to the gateway's agent and calls them by <c>link.tool</c>.</summary>
public interface IToolSource : IContributor
{
    /// <summary>The tools; names are unique in the host.</summary>
    IEnumerable<AgentTool> Tools { get; }
}

/// <summary>A tool that an agent may call.</summary>
/// <param name="Name">Its name, as the agent knows it.</param>
/// <param name="Summary">What it does, in words for the agent.</param>
/// <param name="ArgumentsSchema">The JSON Schema of its arguments.</param>
/// <param name="RunAsync">Runs it.</param>
public sealed record AgentTool(string Name, string Summary, JsonNode ArgumentsSchema, AgentToolHandler RunAsync)
{
    /// <summary>A tool whose arguments are a record.</summary>
    public AgentTool(string name, string summary, JsonTypeInfo arguments, AgentToolHandler runAsync)
        : this(name, summary, JsonSchemas.Of(arguments), runAsync)
    {
    }
}

/// <summary>Runs a tool: one JSON object in, one JSON value out.</summary>
/// <param name="arguments">One JSON object, valid until the task completes; empty means <c>{}</c>.</param>
/// <param name="call">Who calls.</param>
/// <param name="result">Gets one JSON value.</param>
/// <param name="cancellationToken">The agent has given the call up.</param>
/// <exception cref="BridgeException">Every expected failure; the agent is told its message.</exception>
public delegate ValueTask AgentToolHandler(
    ReadOnlyMemory<byte> arguments, ToolCall call, IBufferWriter<byte> result, CancellationToken cancellationToken);

/// <summary>What a tool knows about its call beside the arguments.</summary>
/// <param name="SessionKey">The conversation in which the agent called it, as the gateway names it; null when it isn't known.</param>
/// <param name="Call">The call that carried it.</param>
public sealed record ToolCall(string? SessionKey, MethodCall Call)
{
    /// <summary>The message whose turn runs in that conversation now, where it is one of this host's; else null.</summary>
    public InboundMessage? Message { get; init; }
}
