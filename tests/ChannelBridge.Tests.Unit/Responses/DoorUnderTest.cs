using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Responses;
using ChannelBridge.Tests.Unit.Support;
using ChannelBridge.Tests.Unit.Wire;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>The doors of <c>/v1</c> on a real listener, with agents that a test makes speak.</summary>
internal sealed class DoorUnderTest : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder;

    private DoorUnderTest(WireHost host, string folder)
    {
        Host = host;
        _folder = folder;
        Http = new HttpClient { BaseAddress = new UriBuilder(host.Address) { Scheme = "http", Path = "/v1/" }.Uri, Timeout = Patience };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", WireHost.Token);
    }

    public WireHost Host { get; }

    public HttpClient Http { get; }

    public ResponseRuns Runs => Host.Services.GetRequiredService<ResponseRuns>();

    public static async Task<DoorUnderTest> StartAsync(Action<ResponseOptions>? configure = null, ManualTime? time = null, params IAgent[] agents)
    {
        var folder = Scratch.NewFolder("cb-responses-");
        var host = await WireHost.StartAsync(time: time, more: services =>
        {
            var options = new ResponseOptions { Directory = folder };
            configure?.Invoke(options);
            services.AddSingleton(options);
            services.AddSingleton<IStore>(new MemoryStore(time ?? TimeProvider.System));
            services.AddSingleton<IAgent, EchoAgent>();
            foreach (var agent in agents) services.AddSingleton(agent);
            services.AddSingleton<ResponseRuns>();
            services.AddContributor<ResponseMethods>();
        });
        return new DoorUnderTest(host, folder);
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead,
        CancellationToken cancellationToken = default) =>
        Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") }, completion, cancellationToken);

    public async Task<JsonNode> AskAsync(string body, int status = 200, string path = "responses")
    {
        using var response = await PostAsync(path, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }

    public async Task<JsonNode> GetAsync(string path, int status = 200)
    {
        using var response = await Http.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }

    /// <summary>The events of a text, as a reader gets them that knows LF only, and that ends with <c>[DONE]</c>.</summary>
    public static List<JsonNode> Parse(string text)
    {
        Assert.DoesNotContain('\r', text);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        var events = new List<JsonNode>();
        foreach (var block in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            if (block.StartsWith(':') || block == "data: [DONE]") continue;
            var lines = block.Split('\n');
            Assert.Equal(2, lines.Length);
            Assert.StartsWith("event: ", lines[0], StringComparison.Ordinal);
            Assert.StartsWith("data: ", lines[1], StringComparison.Ordinal);
            var one = JsonNode.Parse(lines[1]["data: ".Length..])!;
            Assert.Equal(lines[0]["event: ".Length..], (string)one["type"]!);
            events.Add(one);
        }

        return events;
    }

    public async Task<ClientWebSocket> OpenAsync() => await Host.OpenAsync("/v1/responses", bearer: WireHost.Token);

    /// <summary>Sends one request and reads its events, or its error.</summary>
    public static async Task<List<JsonNode>> TurnAsync(WebSocket socket, string body)
    {
        await SendAsync(socket, body);
        var events = new List<JsonNode>();
        while (await ReceiveAsync(socket) is { } one)
        {
            events.Add(one);
            if ((string)one["type"]! is "error" or "response.completed" or "response.failed" or "response.incomplete") return events;
        }

        throw new InvalidOperationException("the socket was closed");
    }

    public static async Task SendAsync(WebSocket socket, string body)
    {
        using var timeout = new CancellationTokenSource(Patience);
        await socket.SendAsync(Encoding.UTF8.GetBytes(body), WebSocketMessageType.Text, true, timeout.Token);
    }

    public static async Task<JsonNode?> ReceiveAsync(WebSocket socket)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var message = new MemoryStream();
        var buffer = new byte[4096];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, timeout.Token);
            if (received.MessageType == WebSocketMessageType.Close) return null;
            message.Write(buffer, 0, received.Count);
            if (received.EndOfMessage) return JsonNode.Parse(message.ToArray());
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Runs.StopAsync(TimeSpan.Zero);
        await Host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
