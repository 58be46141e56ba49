using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ChannelBridge.Bench;

/// <summary>An A2A 1.0 agent in this process whose tasks work until the benchmark ends them: what waits for it is measured, and not the agent.</summary>
internal sealed class WaitingAgent : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _ends = new();
    private int _begun;

    private WaitingAgent(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    /// <summary>How many tasks were begun.</summary>
    public int Begun => Volatile.Read(ref _begun);

    public static async Task<WaitingAgent> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var agent = new WaitingAgent(app);
        app.Run(agent.AnswerAsync);
        await app.StartAsync();
        agent.Url = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return agent;
    }

    /// <summary>Ends the task of one message.</summary>
    public void End(string text) => EndOf(text).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        foreach (var end in _ends.Values) end.TrySetCanceled();
        await _app.DisposeAsync();
    }

    private TaskCompletionSource EndOf(string text) => _ends.GetOrAdd(text, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task AnswerAsync(HttpContext context)
    {
        if (HttpMethods.IsGet(context.Request.Method))
        {
            await context.Response.WriteAsync(
                $$"""{"name":"waiting","description":"","version":"1","supportedInterfaces":[{"url":"{{Url}}rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"capabilities":{"streaming":true},"skills":[]}""");
            return;
        }

        var request = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        if ((string?)request!["method"] != "SendStreamingMessage")
        {
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no"}}""");
            return;
        }

        var message = request["params"]!["message"]!;
        var task = string.Create(CultureInfo.InvariantCulture, $"t{Interlocked.Increment(ref _begun)}");
        context.Response.ContentType = "text/event-stream";
        await SayAsync("WORKING");
        try
        {
            await EndOf((string)message["parts"]![0]!["text"]!).Task.WaitAsync(context.RequestAborted);
            await SayAsync("COMPLETED");
        }
        catch (OperationCanceledException)
        {
            // Nobody waits any more.
        }

        async Task SayAsync(string state)
        {
            var told = $$"""{"task":{"id":"{{task}}","contextId":"{{message["contextId"]}}","status":{"state":"TASK_STATE_{{state}}"} } }""";
            await context.Response.WriteAsync($$"""data: {"jsonrpc":"2.0","id":1,"result":{{told}}}""" + "\n\n");
            await context.Response.Body.FlushAsync();
        }
    }
}
