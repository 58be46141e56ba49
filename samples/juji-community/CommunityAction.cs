using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity;

/// <summary>An action: its name, its parameters as <c>name:type</c> (<c>name?:type</c> for one that may be left out), and what it does.</summary>
public abstract class CommunityAction(string name, params string[] parameters) : IJujiAction
{
    public string Name => name;

    public JsonNode ParametersSchema { get; } = SchemaOf(parameters);

    public abstract ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken);

    private static JsonObject SchemaOf(string[] parameters)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var parameter in parameters)
        {
            var (name, type) = (parameter[..parameter.IndexOf(':')], parameter[(parameter.IndexOf(':') + 1)..]);
            properties[name.TrimEnd('?')] = type.EndsWith("[]", StringComparison.Ordinal)
                ? new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = type[..^2] } }
                : new JsonObject { ["type"] = name.EndsWith('?') ? new JsonArray(type, "null") : type };
            if (!name.EndsWith('?')) required.Add(name);
        }

        return new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
    }
}
