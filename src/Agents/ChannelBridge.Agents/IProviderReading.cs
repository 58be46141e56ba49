using System.Text.Json;
using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Agents;

/// <summary>Makes agent events of one answer's stream.</summary>
internal interface IProviderReading
{
    /// <summary>True when something of the answer has come, be it the arguments of a tool call that aren't whole yet.</summary>
    bool HasBegun { get; }

    /// <summary>Reads one event.</summary>
    /// <returns>True when it was the last: nothing of interest follows.</returns>
    /// <exception cref="Abstractions.Errors.BridgeException">The provider tells a failure.</exception>
    bool Read(string type, JsonElement data, List<AgentEvent> output);

    /// <summary>The answer came as one object because the server doesn't stream.</summary>
    void ReadWhole(JsonElement data, List<AgentEvent> output);

    /// <summary>The stream ended without a last event.</summary>
    /// <param name="done">True when it said <c>[DONE]</c>.</param>
    /// <param name="output">Gets the events.</param>
    /// <exception cref="Abstractions.Errors.BridgeException">It broke off.</exception>
    void End(bool done, List<AgentEvent> output);
}
