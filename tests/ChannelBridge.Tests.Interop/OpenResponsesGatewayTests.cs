using System.ClientModel;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Unit.Responses;
using OpenAI.Responses;

namespace ChannelBridge.Tests.Interop;

// The client marks its responses API as one that may change; it is pinned.
#pragma warning disable OPENAI001

/// <summary>Clients of OpenAI's, the host, the real gateway and a fake model behind it: the whole way of a stream.</summary>
[Collection(InteropCollection.Name)]
public sealed class OpenResponsesGatewayTests(InteropLab lab)
{
    [OpenClawFact]
    public async Task DotNetClient_IsAnsweredByTheGatewaysAgent()
    {
        var client = new ResponsesClient(new ApiKeyCredential(lab.Host.Token), new ResponsesClientOptions { Endpoint = new Uri(lab.Host.Url, "/v1") });
        ResponseResult response = await client.CreateResponseAsync("openclaw", "ask:net-client");
        Assert.Equal("answer to net-client", response.GetOutputText());
        var text = "";
        await using var updates = await client.CreateResponseStreamingAsync("openclaw/main", "ask:net-stream");
        await foreach (var update in updates)
        {
            if (update is StreamingResponseOutputTextDeltaUpdate delta) text += delta.Delta;
        }

        Assert.Equal("answer to net-stream", text);
    }

    [OpenClawFact]
    public Task NpmClient_IsAnsweredByTheGatewaysAgent() => NodeScript.RunAsync(
        "openai-gateway.mjs", HostProcess.Timeout, Path.Combine(OpenClawInstallation.Folder!, "node_modules"), new Uri(lab.Host.Url, "/v1").AbsoluteUri, lab.Host.Token);

    [OpenClawFact]
    public async Task Stream_OfAnAgentWithTools_IsStrict()
    {
        using var http = Http();
        using var response =
            await http.PostAsync(
            "responses", new StringContent("""{"model":"openclaw","input":"ask:tool-strict","stream":true}""", Encoding.UTF8, "application/json"));
        var text = await response.Content.ReadAsStringAsync();
        var stream = StreamChecker.Check(text.Split("\n\n").Where(block => block.StartsWith("event: ", StringComparison.Ordinal))
            .Select(block => JsonNode.Parse(block[(block.IndexOf("\ndata: ", StringComparison.Ordinal) + 7)..])!));
        Assert.Equal("answer to tool-strict", stream.Messages[^1]);
        Assert.Contains(stream.Final!["output"]!.AsArray(), item => (string)item!["type"]! == "function_call");
        Assert.Contains(stream.Final["output"]!.AsArray(), item => (string)item!["type"]! == "function_call_output");
    }

    [OpenClawFact]
    public async Task Cancel_ReachesTheModel()
    {
        lab.Model.Hold("cancelled-response");
        using var http = Http();
        using var response = await http.PostAsync(
            "responses",
            new StringContent("""{"model":"openclaw","input":"ask:cancelled-response","background":true}""", Encoding.UTF8, "application/json"));
        var id = (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!;
        await lab.Model.AskedAsync("cancelled-response");
        using var cancelled = await http.PostAsync($"responses/{id}/cancel", null);
        Assert.Equal("cancelled", (string)JsonNode.Parse(await cancelled.Content.ReadAsStringAsync())!["error"]!["code"]!);
        await lab.Model.GivenUpAsync("cancelled-response");
    }

    [OpenClawFact]
    public async Task Method_ThroughTheGateway_StreamsToItsCaller()
    {
        await using var client = await lab.BridgeAsync();
        var answer = await client.CallAsync("responses.create", new JsonObject { ["model"] = "echo", ["input"] = "through the gateway" });
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        var id = (string)answer["payload"]!["responseId"]!;
        await InteropLab.UntilAsync(() => client.ResponseEvents.Any(one => (string)one["type"]! == "response.completed"), "no terminal event came");
        var events = client.ResponseEvents.Select(one => one.DeepClone().AsObject()).ToList();
        Assert.All(events, one => Assert.True((string)one["response_id"]! == id && one.Remove("response_id")));
        Assert.Equal(["echo: through the gateway"], StreamChecker.Check(events).Messages);
    }

    private HttpClient Http()
    {
        var http = new HttpClient { BaseAddress = new Uri(lab.Host.Url, "/v1/"), Timeout = HostProcess.Timeout };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", lab.Host.Token);
        return http;
    }
}
