using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Unit.Responses;

namespace ChannelBridge.Tests.Interop;

/// <summary>
/// The 17 checks of the public compliance suite of Open Responses, in our own words: what each asks for and looks at. Like the suite, all of them begin at
/// once; every response and event is checked against the published OpenAPI file, and streams by the strict checker besides.
/// </summary>
public sealed class OpenResponsesTests : IAsyncLifetime
{
    private const string Model = "echo";
    private const string Weather =
        """{"type":"function","name":"get_weather","description":"Get the weather","parameters":{"type":"object","properties":{"location":{"type":"string"}},"required":["location"]}}""";

    private HostProcess _host = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _host = await HostProcess.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_host.Url, "/v1/"), Timeout = HostProcess.Timeout };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _host.Token);
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Suite_AllSeventeen_AtOnce()
    {
        var checks = new Dictionary<string, Func<Task>>
        {
            ["basic-response"] = () => CompletedAsync(User("Say hello in exactly 3 words.")),
            ["assistant-phase"] = () => CompletedAsync(
                $$"""{"type":"message","role":"user","content":"a"},{"type":"message","role":"assistant","phase":"commentary","content":"thinking"},{"type":"message","role":"assistant","phase":"final_answer","content":"b"},{{User("c")}}"""),
            ["response-output-phase-schema"] = () => Task.CompletedTask,
            ["streaming-response"] = async () =>
            Assert.Equal("completed", (string)(await StreamAsync($$"""{"model":"{{Model}}","stream":true,"input":[{{User("Count from 1 to 5.")}}]}"""))
                .Final!["status"]!),
            ["system-prompt"] = () => CompletedAsync($$"""{"type":"message","role":"system","content":"You are a pirate."},{{User("Say hello.")}}"""),
            ["tool-calling"] = ToolCallingAsync,
            ["image-input"] = () =>
            CompletedAsync(
            """{"type":"message","role":"user","content":[{"type":"input_text","text":"What is this?"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}"""),
            ["multi-turn"] = () =>
            CompletedAsync(
            $$"""{{User("My name is Alice.")}},{"type":"message","role":"assistant","content":"Hello Alice!"},{{User("What is my name?")}}"""),
            ["compact-response"] = CompactAsync,
            ["compact-missing-model"] = async () => Assert.Equal(400, (await PostAsync("responses/compact", $$"""{"input":[{{User("x")}}]}""")).Status),
            ["websocket-response"] = () => SocketAsync(async socket => Completed(await TurnAsync(socket, Create(User("Count from 1 to 3.")), store: true))),
            ["websocket-sequential-responses"] = () => SocketAsync(async socket =>
            {
                Completed(await TurnAsync(socket, Create(User("first"))));
                Completed(await TurnAsync(socket, Create(User("second"))));
            }),
            ["websocket-continuation"] = () => SocketAsync(async socket =>
            {
                var first = Completed(await TurnAsync(socket, Create(User("Remember the code word: cobalt."))));
                Completed(await TurnAsync(socket, Create(User("What is the code word?"), first)));
            }),
            ["websocket-reconnect-store-false-recovery"] = ReconnectAsync,
            ["websocket-previous-response-not-found"] = () => SocketAsync(async socket => NotFound(await TurnAsync(socket, Create(User("x"), "resp_openresponses_missing_1")))),
            ["websocket-failed-continuation-evicts-cache"] = () => SocketAsync(async socket =>
            {
                var first = Completed(await TurnAsync(socket, Create(User("Remember the code word: ember."))));
                var failed = await TurnAsync(socket, Create("""{"type":"function_call_output","call_id":"call_openresponses_missing","output":"none"}""", first));
                Assert.True((string)failed[^1]["type"]! is "error" or "response.failed");
                NotFound(await TurnAsync(socket, Create(User("Try to go on"), first)));
            }),
            ["websocket-compact-new-chain"] = CompactChainAsync,
        };
        Assert.Equal(17, checks.Count);
        var faults = await Task.WhenAll(checks.Select(async check =>
        {
            try
            {
                await check.Value();
                return null;
            }
            catch (Exception fault)
            {
                return $"{check.Key}: {fault.Message}";
            }
        }));
        Assert.Empty(faults.OfType<string>());
    }

    [OpenClawFact]
    public Task NpmOpenAI_WorksUnchanged() => NodeScript.RunAsync(
        "openai.mjs", HostProcess.Timeout, Path.Combine(OpenClawInstallation.Folder!, "node_modules"), new Uri(_host.Url, "/v1").AbsoluteUri, _host.Token);

    private static string User(string text) => $$"""{"type":"message","role":"user","content":"{{text}}"}""";

    private static string Create(string input, string? previous = null) =>
        $$"""{"type":"response.create","model":"{{Model}}","input":[{{input}}]{{(previous is null ? "" : $",\"previous_response_id\":\"{previous}\"")}}""";

    private static string Completed(List<JsonNode> events)
    {
        var final = StreamChecker.Check(events).Final!;
        Assert.Equal("completed", (string)final["status"]!);
        return (string)final["id"]!;
    }

    private static void NotFound(List<JsonNode> events)
    {
        var error = Assert.Single(events);
        Assert.Empty(ContractSchema.Check("WebSocketErrorEvent", error));
        Assert.Equal("previous_response_not_found", (string)error["error"]!["code"]!);
    }

    private async Task CompletedAsync(string items)
    {
        var (status, body) = await PostAsync("responses", $$"""{"model":"{{Model}}","input":[{{items}}]}""");
        Assert.True(status == 200, body.ToJsonString());
        Assert.Empty(ContractSchema.Check("ResponseResource", body));
        Assert.Equal("completed", (string)body["status"]!);
        Assert.NotEmpty(body["output"]!.AsArray());
    }

    private async Task ToolCallingAsync()
    {
        var request = $$"""{"model":"{{Model}}","input":[{{User("What's the weather like in San Francisco?")}}],"tools":[{{Weather}}]""";
        var (_, body) = await PostAsync("responses", request + "}");
        Assert.Empty(ContractSchema.Check("ResponseResource", body));
        Assert.Contains(body["output"]!.AsArray(), item => (string)item!["type"]! == "function_call");
        var stream = await StreamAsync(request + ",\"stream\":true}");
        Assert.Contains("response.function_call_arguments.delta", stream.Types);
        Assert.Contains("response.function_call_arguments.done", stream.Types);
    }

    private async Task CompactAsync()
    {
        var (status, body) = await PostAsync("responses/compact",
            $$"""{"model":"{{Model}}","prompt_cache_key":"k","input":[{{User("We launch on Tuesday.")}},{"type":"message","role":"assistant","content":"Understood."}]}""");
        Assert.Equal(200, status);
        Assert.Empty(ContractSchema.Check("CompactResource", body));
        Assert.Contains(body["output"]!.AsArray(), item => (string)item!["type"]! == "compaction");
    }

    private async Task ReconnectAsync()
    {
        var first = "";
        await SocketAsync(async socket => first = Completed(await TurnAsync(socket, Create(User("Remember the code word: copper.")))));
        await SocketAsync(async socket =>
        {
            NotFound(await TurnAsync(socket, Create(User("Go on"), first)));
            Completed(await TurnAsync(socket, Create(User("Begin anew"))));
        });
    }

    private async Task CompactChainAsync()
    {
        var (_, compacted) = await PostAsync(
            "responses/compact",
            $$"""{"model":"{{Model}}","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"The word is slate."}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"OK."}]}]}""");
        var items = string.Join(',', compacted["output"]!.AsArray().Select(item => item!.ToJsonString()));
        await SocketAsync(async socket => Completed(await TurnAsync(socket, Create($"{items},{User("Go on")}") + ",\"tools\":[]")));
    }

    private async Task<(int Status, JsonNode Body)> PostAsync(string path, string body)
    {
        using var response = await _http.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }

    private async Task<StreamChecker> StreamAsync(string body)
    {
        using var response = await _http.PostAsync("responses", new StringContent(body, Encoding.UTF8, "application/json"));
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("\n\ndata: [DONE]\n\n", text, StringComparison.Ordinal);
        return StreamChecker.Check(text.Split("\n\n").Where(block => block.StartsWith("event: ", StringComparison.Ordinal))
            .Select(block => JsonNode.Parse(block[(block.IndexOf("\ndata: ", StringComparison.Ordinal) + 7)..])!));
    }

    private async Task SocketAsync(Func<ClientWebSocket, Task> use)
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + _host.Token);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await socket.ConnectAsync(new UriBuilder(_host.Url) { Scheme = "ws", Path = "/v1/responses" }.Uri, timeout.Token);
        await use(socket);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, timeout.Token);
    }

    private static async Task<List<JsonNode>> TurnAsync(ClientWebSocket socket, string request, bool store = false)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await socket.SendAsync(Encoding.UTF8.GetBytes(request + (store ? "}" : ",\"store\":false}")), WebSocketMessageType.Text, true, timeout.Token);
        var events = new List<JsonNode>();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            using var message = new MemoryStream();
            ValueWebSocketReceiveResult received;
            do
            {
                received = await socket.ReceiveAsync(buffer.AsMemory(), timeout.Token);
                message.Write(buffer, 0, received.Count);
            }
            while (!received.EndOfMessage);
            events.Add(JsonNode.Parse(message.ToArray())!);
            if ((string)events[^1]["type"]! is "error" or "response.completed" or "response.failed" or "response.incomplete") return events;
        }
    }
}
