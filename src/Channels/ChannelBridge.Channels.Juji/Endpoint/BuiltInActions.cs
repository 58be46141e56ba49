using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>The actions that every community of this host has.</summary>
internal static class BuiltInActions
{
    private const int MostReceivers = 1000;

    /// <summary>The actions.</summary>
    public static IEnumerable<IJujiAction> All(AgentBook agents, SubscriptionBook subscriptions, Community community, Func<JsonObject> capabilities)
    {
        yield return Make("community/capabilities", [], (_, _) => ValueTask.FromResult<JsonNode?>(capabilities()));
        yield return Make("notification/subscription/set", [("topic", "string", true), ("subscribed", "boolean", true)], async (call, cancellationToken) =>
        {
            var topic = TextOf(call.Parameters, "topic");
            var wanted = call.Parameters.TryGetProperty("subscribed"u8, out var said) && said.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? said.ValueKind == JsonValueKind.True
                : throw BridgeException.Invalid("subscribed must be true or false");
            await subscriptions.SetAsync(call.AgentId, topic, wanted, cancellationToken).ConfigureAwait(false);
            return new JsonObject { ["agent_id"] = call.AgentId, ["topic"] = topic, ["subscribed"] = wanted };
        });
        yield return Make("notification/subscription/list", [], async (call, cancellationToken) =>
        {
            var found = await subscriptions.ListAsync(call.AgentId, cancellationToken).ConfigureAwait(false);
            return new JsonObject
            {
                ["agent_id"] = call.AgentId,
                ["subscriptions"] =
                    new JsonArray([.. found.Select(static one => (JsonNode?)new JsonObject { ["topic"] = one.Topic, ["subscribed"] = one.Wanted, ["updated_at"] = one.At })]),
            };
        });
        yield return Make("agent/list", [], async (_, cancellationToken) => ListOf(await agents.ListAsync(cancellationToken).ConfigureAwait(false)));
        yield return Make("agent/get", [("agent_id", "integer", true)], async (call, cancellationToken) =>
        {
            var id = Connector.CommunityApi.IdOf(call.Parameters) ?? throw BridgeException.Invalid("agent_id must be a whole number above 0");
            return View(await agents.FindAsync(id, cancellationToken).ConfigureAwait(false) ?? throw new BridgeException(ErrorCodes.NotFound, "there is no such agent"));
        });
        yield return Make("skills/list", [("name", "string", false)], (call, _) =>
        {
            var name = call.Parameters.TryGetProperty("name"u8, out var said) && said.ValueKind == JsonValueKind.String ? said.GetString() : null;
            return ValueTask.FromResult<JsonNode?>(name is null or SkillPackage.Name ? new JsonArray(SkillPackage.Describe()) : new JsonArray());
        });
        yield return Make("message/send", [("agent_ids", "array", true), ("payload", "object", true)], async (call, cancellationToken) =>
        {
            var (receivers, payload) = ReadSend(call.Parameters);
            payload["from_agent_id"] = call.AgentId;
            payload.Remove("push_id");
            var found = await community.SendAsync(receivers, payload, $"{call.AgentId}/{call.RequestId}", call.AgentId, cancellationToken).ConfigureAwait(false);
            return Sent(receivers, found);
        });
    }

    /// <summary>What <c>message/send</c> takes, over either way.</summary>
    public static (IReadOnlyList<long> Receivers, JsonObject Payload) ReadSend(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty("agent_ids"u8, out var ids) || ids.ValueKind != JsonValueKind.Array
            || ids.GetArrayLength() is 0 or > MostReceivers)
            throw BridgeException.Invalid($"agent_ids must be a list of 1 to {MostReceivers} ids");
        var receivers = ids.EnumerateArray().Select(static id =>
            id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number) ? number : throw BridgeException.Invalid("agent_ids must be whole numbers")).ToList();
        if (!body.TryGetProperty("payload"u8, out var payload) || payload.ValueKind != JsonValueKind.Object) throw BridgeException.Invalid("payload must be an object");
        try
        {
            return (receivers, JsonNode.Parse(payload.GetRawText())!.AsObject());
        }
        catch (ArgumentException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "payload has a name twice", fault);
        }
    }

    /// <summary>What became of a send.</summary>
    public static JsonObject Sent(IEnumerable<long> receivers, IReadOnlyList<long> found) => new()
    {
        ["accepted"] = new JsonArray([.. found.Select(static id => (JsonNode?)id)]),
        ["unknown"] = new JsonArray([.. receivers.Distinct().Except(found).Select(static id => (JsonNode?)id)]),
    };

    /// <summary>A member as others see it: never its token.</summary>
    public static JsonObject View(AgentRecord agent) => new()
    {
        ["agent_id"] = agent.Id,
        ["name"] = agent.Name,
        ["public_key"] = agent.PublicKey,
        ["wallet_address"] = agent.Wallet,
        ["endpoint"] = agent.Endpoint,
        ["registered_at"] = agent.RegisteredAt,
    };

    /// <summary>Members.</summary>
    public static JsonArray ListOf(IEnumerable<AgentRecord> agents) => new([.. agents.Select(static agent => (JsonNode?)View(agent))]);

    private static string TextOf(JsonElement parameters, string name) =>
        parameters.TryGetProperty(name, out var said) && said.ValueKind == JsonValueKind.String && said.GetString() is { Length: > 0 } text
            ? text : throw BridgeException.Invalid($"{name} must be a text");

    private static Action Make(string name, (string Name, string Type, bool Needed)[] parameters, Func<JujiActionCall, CancellationToken, ValueTask<JsonNode?>> run)
    {
        var properties = new JsonObject();
        foreach (var parameter in parameters) properties[parameter.Name] = new JsonObject { ["type"] = parameter.Type };
        var schema = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = properties,
            ["required"] = new JsonArray([.. parameters.Where(static parameter => parameter.Needed).Select(static parameter => (JsonNode?)parameter.Name)]),
        };
        return new Action(name, schema, run);
    }

    private sealed class Action(string name, JsonNode schema, Func<JujiActionCall, CancellationToken, ValueTask<JsonNode?>> run) : IJujiAction
    {
        public string Name => name;

        public JsonNode ParametersSchema => schema;

        public ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) => run(call, cancellationToken);
    }
}
