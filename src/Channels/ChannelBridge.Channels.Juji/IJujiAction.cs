using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Channels.Juji;

/// <summary>
/// An action that members of this host's community may call over their connection. Put it into the container (<c>services.AddSingleton&lt;IJujiAction,
/// MyAction&gt;()</c>); capabilities and
/// the list of actions name it. A name that the endpoint has itself can't be taken.
/// </summary>
public interface IJujiAction
{
    /// <summary>Its name, e.g. <c>task/list</c>.</summary>
    string Name { get; }

    /// <summary>The JSON Schema of its parameters, for <c>params_schema</c> of the capabilities. It doesn't change.</summary>
    JsonNode ParametersSchema { get; }

    /// <summary>
    /// Does it. A member that sends the same <c>u_id</c> again within ten minutes gets the first answer, and this isn't called again; after a crash of the host it may be.
    /// It is called where the member's connection is read: what takes time must await, or the member's other calls and pings wait, too.
    /// </summary>
    /// <param name="call">Who asks for what.</param>
    /// <param name="cancellationToken">110 s have passed, or the host stops.</param>
    /// <returns>The answer's content.</returns>
    /// <exception cref="Abstractions.Errors.BridgeException">Its message becomes <c>{"error":…}</c>.</exception>
    ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken);
}

/// <summary>A call of an action.</summary>
/// <param name="AgentId">Who calls: the connection's agent, whatever the parameters say.</param>
/// <param name="RequestId">The call's <c>u_id</c>.</param>
/// <param name="Parameters">The parameters, always an object.</param>
public sealed record JujiActionCall(long AgentId, string RequestId, JsonElement Parameters);

/// <summary>
/// A path below <c>/juji</c> that this host answers beside the endpoint's own: capabilities and <c>openapi.json</c> name it. Put it into the container beside the
/// <c>IEndpointSource</c> that answers it.
/// </summary>
/// <param name="Verb">The verb, in upper case.</param>
/// <param name="Path">The path behind <c>/juji</c>, e.g. <c>/task/create</c>.</param>
/// <param name="Summary">What it does, in a sentence.</param>
public sealed record JujiRestOperation(string Verb, string Path, string Summary);

/// <summary>The members of this host's community, for actions that tell them something.</summary>
public interface IJujiCommunity
{
    /// <summary>
    /// Tells every member but those that have unsubscribed from the topic. Who isn't connected hears it at the next connection. Completes when it is on disk for all of them.
    /// </summary>
    /// <param name="push">The push: <c>type</c>, <c>topic</c>, <c>event</c>, <c>title</c>, <c>message</c>, <c>data</c>.</param>
    /// <param name="key">Stable for the push whatever happens; the same key again is a duplicate. At most 200 characters.</param>
    /// <param name="except">A member that isn't told, or null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    ValueTask BroadcastAsync(JsonObject push, string key, long? except = null, CancellationToken cancellationToken = default);

    /// <summary>Tells single members, whatever they have unsubscribed from.</summary>
    /// <param name="agentIds">Whom.</param>
    /// <param name="push">The push.</param>
    /// <param name="key">Stable for the push whatever happens. At most 200 characters.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Those of them that there are.</returns>
    ValueTask<IReadOnlyList<long>> SendAsync(IReadOnlyCollection<long> agentIds, JsonObject push, string key, CancellationToken cancellationToken = default);

    /// <summary>True when there is such a member.</summary>
    ValueTask<bool> ExistsAsync(long agentId, CancellationToken cancellationToken = default);
}
