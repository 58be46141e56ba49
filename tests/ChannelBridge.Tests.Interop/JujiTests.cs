using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>Juji, both sides, before members and a community that were written from the protocol's text in Python and Node.</summary>
public sealed class JujiTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Endpoint_BeforeAMemberInPython()
    {
        await using var host = await EndpointAsync();
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/python3", [Script("juji-member.py"), Address(host)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(Patience);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }

        Assert.Equal("all well\n", await output + await errors);
    }

    [OpenClawFact]
    public async Task Endpoint_BeforeAMemberInNode()
    {
        await using var host = await EndpointAsync();
        await NodeScript.RunAsync("juji-member.mjs", Patience, Address(host));
    }

    [OpenClawFact]
    public Task Connector_BeforeACommunityInNode() => BeforeACommunityAsync(
        "Node", OpenClawInstallation.Node, Script("juji-community.mjs"), Path.Combine(OpenClawInstallation.Folder!, "node_modules", "ws"));

    [Fact]
    public Task Connector_BeforeACommunityInPython() => BeforeACommunityAsync("Python", "/usr/bin/python3", Script("juji-community.py"));

    private static async Task BeforeACommunityAsync(string language, string program, params string[] arguments)
    {
        using var community = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        try
        {
            var address = (await community.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
            var data = HostProcess.NewDataFolder();
            await using var host = await HostProcess.StartAsync(data, environment: new Dictionary<string, string>
            {
                ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__BASEURL"] = address,
                ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__NAME"] = "聚己",
                ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__ENVFILE"] = Path.Combine(data, "juji.env"),
                ["CHANNELBRIDGE__CHANNELS__JUJI__RECONNECTBASEDELAY"] = "100ms",
            });
            await SaysAsync(community, said => (int?)said["registered"] == 1 && (string?)said["name"] == "聚己");
            await SaysAsync(community, said => (int?)said["connected"] == 1);
            var options = new ChannelBridgeClientOptions { Endpoint = host.WebSocketUrl.AbsoluteUri, Token = host.Token, CallTimeout = Patience };
            await using var client = new ChannelBridgeClient(options);
            await client.ConnectAsync().WaitAsync(Patience);

            Assert.Equal("""{"text":"您好"}""", (await CallAsync(client, "echo", new JsonObject { ["text"] = "您好" }))!.ToJsonString(Relaxed));
            // What a broken connection left unanswered comes again under its own id, with a signature of its own.
            Assert.True((bool)(await CallAsync(client, "lose"))!["same"]!);
            var refused = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => CallAsync(client, "no/such"));
            Assert.Equal("JUJI_ACTION_FAILED", refused.Code);
            await CallAsync(client, "push");
            await Wait.UntilAsync(async () =>
                (await StatusAsync(client))["answers"]!.AsArray() is [{ } answer] && ((string)answer["text"]!).Contains($"from {language}", StringComparison.Ordinal));

            Assert.Equal(0, (await HostProcess.RunAsync(["send", "--channel", "juji", "--to", "juji:17", "hello", "--data", data])).ExitCode);
            await SaysAsync(community, said => said["sent"] is { } sent && (int)sent["agent_ids"]![0]! == 17);
        }
        finally
        {
            if (!community.HasExited) community.Kill();
        }
    }

    private static System.Text.Json.JsonSerializerOptions Relaxed { get; } = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static Task<HostProcess> EndpointAsync() => HostProcess.StartAsync(environment: new Dictionary<string, string>
    {
        ["CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__ENABLED"] = "true",
        ["CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__SETTLETIME"] = "100ms",
    });

    private static string Address(HostProcess host) => host.Url.GetLeftPart(UriPartial.Authority) + "/juji";

    private static string Script(string name) => Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", name);

    private static async Task SaysAsync(Process community, Func<JsonNode, bool> wanted)
    {
        while (await community.StandardOutput.ReadLineAsync().WaitAsync(Patience) is { } line)
        {
            if (wanted(JsonNode.Parse(line)!)) return;
        }

        Assert.Fail("the community ended");
    }

    private static async Task<JsonNode?> CallAsync(ChannelBridgeClient client, string action, JsonObject? parameters = null) =>
        (await RpcAsync(client, "juji.call", new JsonObject { ["action"] = action, ["params"] = parameters ?? [] }))["result"];

    private static async Task<JsonNode> StatusAsync(ChannelBridgeClient client) => (await RpcAsync(client, "juji.status", []))["accounts"]![0]!;

    private static async Task<JsonNode> RpcAsync(ChannelBridgeClient client, string method, JsonObject parameters) =>
        JsonNode.Parse((await client.CallAsync(method, Encoding.UTF8.GetBytes(parameters.ToJsonString()))).Span)!;
}
