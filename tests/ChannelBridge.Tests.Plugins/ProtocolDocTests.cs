using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using StreamJsonRpc;

namespace ChannelBridge.Tests.Plugins;

/// <summary>docs/plugin-protocol.md has an example of each method, and each is what the code reads and writes.</summary>
public sealed class ProtocolDocTests
{
    private static readonly JsonSerializerOptions s_strict = new(PluginJson.WireOptions)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    [Theory]
    [InlineData(typeof(IPluginProcess), "## What the host calls")]
    [InlineData(typeof(IPluginHost), "## What a plugin calls")]
    public void EveryMethod_HasAnExampleThatTheCodeReadsAndWrites(Type contract, string heading)
    {
        var examples = Examples(heading);
        var methods = contract.GetMethods()
            .ToDictionary(method => method.GetCustomAttribute<JsonRpcMethodAttribute>()!.Name!, StringComparer.Ordinal);
        Assert.Equal(methods.Keys.Order(StringComparer.Ordinal), examples.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, (request, answer)) in examples)
        {
            Assert.Equal(name, request["method"]!.GetValue<string>());
            Assert.True(JsonNode.DeepEquals(request["id"], answer["id"]), name);
            var parameters = methods[name].GetParameters().Where(parameter => parameter.ParameterType != typeof(CancellationToken))
                .ToList();
            var given = request["params"]!.AsObject();
            Assert.Subset(parameters.Select(parameter => parameter.Name!).ToHashSet(), given.Select(member => member.Key).ToHashSet());
            foreach (var parameter in parameters)
            {
                if (given[parameter.Name!] is { } value) RoundTrip(value, parameter.ParameterType, $"{name} {parameter.Name}");
                else Assert.True(parameter.GetCustomAttribute<RequiredAttribute>() is null, $"{name} lacks {parameter.Name}");
            }

            var type = methods[name].ReturnType;
            if (type.IsGenericType) RoundTrip(answer["result"]!, type.GetGenericArguments()[0], $"{name} result");
            else Assert.Null(answer["result"]);
        }
    }

    [Fact]
    public void ErrorExample_IsWhatIsSent()
    {
        var text = File.ReadAllText(Document());
        var start = text.IndexOf("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\"", StringComparison.Ordinal);
        var example = JsonNode.Parse(text[start..text.IndexOf('\n', start)])!["error"]!;
        var busy = PluginErrors.ToDetail(ChannelBridge.Abstractions.Errors.BridgeException.Busy(
            "256 calls are open; await some answers first", TimeSpan.FromMilliseconds(100)));
        Assert.Equal((int)busy.Code, example["code"]!.GetValue<int>());
        Assert.Equal(busy.Message, example["message"]!.GetValue<string>());
        Assert.True(JsonNode.DeepEquals(JsonSerializer.SerializeToNode((PluginErrorData)busy.Data!, s_strict), example["data"]));
    }

    private static void RoundTrip(JsonNode value, Type type, string what)
    {
        var read = value.Deserialize(type, s_strict);
        var written = JsonSerializer.SerializeToNode(read, type, s_strict);
        Assert.True(
            JsonNode.DeepEquals(value, written), $"{what}: the document has {value.ToJsonString()}, the code {written?.ToJsonString()}");
    }

    private static Dictionary<string, (JsonObject Request, JsonObject Answer)> Examples(string heading)
    {
        var lines = File.ReadAllLines(Document());
        var examples = new Dictionary<string, (JsonObject, JsonObject)>(StringComparer.Ordinal);
        var name = "";
        var inside = false;
        var found = new List<JsonObject>();
        foreach (var line in lines)
        {
            if (line.StartsWith("## ", StringComparison.Ordinal)) inside = line == heading;
            if (!inside) continue;
            if (line.StartsWith("### `", StringComparison.Ordinal))
            {
                name = line[5..^1];
                found.Clear();
            }

            if (!line.StartsWith('{')) continue;
            found.Add(JsonNode.Parse(line)!.AsObject());
            if (found.Count == 2) examples.Add(name, (found[0], found[1]));
        }

        return examples;
    }

    private static string Document([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "docs", "plugin-protocol.md");
}
