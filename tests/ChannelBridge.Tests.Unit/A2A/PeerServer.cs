using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>A peer on loopback that answers as a test wants, and remembers what it was asked.</summary>
internal sealed class PeerServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private PeerServer(WebApplication app, Uri url)
    {
        _app = app;
        Url = url;
    }

    public Uri Url { get; }

    /// <summary>A card of 1.0 that points to this server's <c>/rpc</c>.</summary>
    public string Card(bool streaming = true, string? url = null) =>
        $$"""{"name":"p","description":"","version":"1","supportedInterfaces":[{"url":"{{url ?? new Uri(Url, "/rpc").AbsoluteUri}}","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"capabilities":{"streaming":{{(streaming ? "true" : "false")}}},"skills":[]}""";

    /// <summary>Starts a server. The handler writes the whole answer.</summary>
    public static async Task<PeerServer> StartAsync(Func<PeerServer, HttpContext, Task> handler)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(static options => options.AllowSynchronousIO = false);
        var app = builder.Build();
        PeerServer? server = null;
        app.Run(context => handler(server!, context));
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return server = new PeerServer(app, new Uri(address));
    }

    /// <summary>A server with a card whose <c>/rpc</c> answers as the handler does.</summary>
    public static Task<PeerServer> WithCardAsync(Func<HttpContext, Task> rpc, bool streaming = true) => StartAsync((server, context) =>
        context.Request.Path.Value switch
        {
            "/rpc" => rpc(context),
            "/.well-known/agent-card.json" => context.Response.WriteAsync(server.Card(streaming)),
            _ => NotFound(context),
        });

    public static Task NotFound(HttpContext context)
    {
        context.Response.StatusCode = 404;
        return Task.CompletedTask;
    }

    /// <summary>Writes an event of a stream.</summary>
    public static async Task EventAsync(HttpContext context, string result)
    {
        if (!context.Response.HasStarted) context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync($"data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}\n\n");
        await context.Response.Body.FlushAsync();
    }

    public static string TaskText(string state) => $$"""{"id":"t","contextId":"c","status":{"state":"TASK_STATE_{{state}}"},"artifacts":[],"history":[]}""";

    public static string Status(string state) =>
        $$$$"""{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_{{{{state}}}}"}}}""";

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
