using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// The method reference in <c>docs/protocol.md</c> is made from what the running host says of itself, and each example in it was run against that host.
/// With <c>CHANNELBRIDGE_WRITE_DOCS=1</c> the test writes the reference; without, it compares.
/// </summary>
public sealed class ProtocolDocTests
{
    private const string Begin = "<!-- The reference below is made by ProtocolDocTests with CHANNELBRIDGE_WRITE_DOCS=1; don't edit it. -->";

    [Fact]
    public async Task Reference_MatchesTheRunningHost_AndItsExamplesRun()
    {
        var file = Path.Combine(RepositoryRoot(), "docs", "protocol.md");
        var examples =
            JsonNode.Parse(
            await File.ReadAllTextAsync(
            Path.Combine(RepositoryRoot(), "tests", "ChannelBridge.Tests.Integration", "protocol-examples.json")))!.AsObject();
        await using var host = await HostProcess.StartAsync();
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        var discovered = await client.CallAsync("rpc.discover", []);
        var reference = await RenderAsync(client, discovered, examples);

        var text = await File.ReadAllTextAsync(file);
        var begin = text.IndexOf(Begin, StringComparison.Ordinal);
        Assert.True(begin > 0, "docs/protocol.md has lost the line at which the reference begins");
        var expected = text[..begin] + Begin + "\n\n" + reference;
        if (Environment.GetEnvironmentVariable("CHANNELBRIDGE_WRITE_DOCS") == "1") await File.WriteAllTextAsync(file, expected);
        else Assert.True(expected == text, "docs/protocol.md is behind the code: run the tests once with CHANNELBRIDGE_WRITE_DOCS=1 and commit it");
        Assert.Equal(0, await host.StopAsync());
    }

    private static async Task<string> RenderAsync(WireClient client, JsonObject discovered, JsonObject examples)
    {
        var output = new StringBuilder();
        output.Append("## Methods\n\n");
        foreach (var method in discovered["methods"]!.AsArray())
        {
            var name = (string)method!["name"]!;
            var scopes = method["scopes"]!.AsArray().Select(scope => $"`{scope}`").ToList();
            output.Append($"### `{name}`\n\n{method["summary"]} ");
            output.Append(scopes.Count == 0 ? "Needs no scope.\n\n" : $"Scope: {string.Join(", ", scopes)}.\n\n");
            Table(output, "Parameter", method["params"]!.AsObject());
            Table(output, "Result", method["result"]!.AsObject());
            var example = examples[name]?.AsObject();
            if (name.StartsWith("link.", StringComparison.Ordinal)) example ??= new JsonObject { ["errors"] = "see [link.md](link.md)." };
            Assert.True(example is not null, $"protocol-examples.json has no entry for {name}: every method is shown with its errors and an example");
            output.Append($"Errors: {example!["errors"]}\n\n");
            if (example["params"] is not { } parameters) continue;
            output.Append($"```json\n{parameters.ToJsonString(Relaxed)}\n```\n\n");
            var response = await client.RequestAsync(name, parameters.DeepClone());
            var expected = (string?)example["expect"] ?? "ok";
            var actual = (bool)response["ok"]! ? "ok" : (string)response["error"]!["code"]!;
            Assert.True(expected == actual, $"the example of {name} gave {response.ToJsonString()}");
        }

        output.Append("## Events\n\n");
        foreach (var name in discovered["events"]!.AsArray()) output.Append($"* `{name}`\n");
        return output.ToString();
    }

    private static void Table(StringBuilder output, string head, JsonObject schema)
    {
        if (schema["properties"] is not JsonObject { Count: > 0 } properties) return;
        var required = schema["required"]?.AsArray().Select(name => (string)name!).ToHashSet() ?? [];
        output.Append($"| {head} | Type | |\n|---|---|---|\n");
        foreach (var (name, property) in properties)
        {
            output.Append($"| `{name}` | {TypeOf(property)} | {(required.Contains(name) ? "required" : "")} |\n");
        }

        output.Append('\n');
    }

    private static string TypeOf(JsonNode? schema)
    {
        if (schema is not JsonObject known) return "any";
        var type = known["type"] switch
        {
            JsonArray several => string.Join(" or ", several.Select(one => (string)one!).Where(one => one != "null")),
            JsonValue one => (string)one!,
            _ => known["enum"] is JsonArray values ? string.Join(" or ", values.Where(value => value is not null).Select(value => $"`{value}`")) : "any",
        };
        return type == "array" ? $"array of {TypeOf(known["items"])}" : type;
    }

    private static JsonSerializerOptions Relaxed { get; } = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string RepositoryRoot([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
