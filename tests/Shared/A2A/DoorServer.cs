using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Shared.A2A;

/// <summary>The doors of A2A on a plain web server on loopback, with a card for both versions. A client is who its bearer token says.</summary>
internal sealed class DoorServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private DoorServer(WebApplication app, MemoryAgent agent, Uri url)
    {
        _app = app;
        Agent = agent;
        Url = url;
    }

    public MemoryAgent Agent { get; }

    public Uri Url { get; }

    public static async Task<DoorServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var agent = new MemoryAgent();
        var json = new JsonRpcDoor(agent);
        var rest = new RestDoor(agent);
        AgentCard? card = null;
        app.Run(async context =>
        {
            if (context.Request.Path == "/.well-known/agent-card.json")
            {
                var current = context.Request.Headers[Versions.Header] == Versions.V10;
                await context.Response.Body.WriteAsync((current ? A2ADialect.V10 : A2ADialect.V03).Card.ToBytes(card!));
                return;
            }

            await AnswerAsync(context, json, rest);
        });
        await app.StartAsync();
        var url = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        card = CardAt(new Uri(url, "/a2a").AbsoluteUri);
        agent.Card = card with { Name = "extended" };
        return new DoorServer(app, agent, url);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static AgentCard CardAt(string url) => new()
    {
        Name = "doors",
        Description = "The doors of A2A",
        Version = "1",
        SupportedInterfaces =
        [
            .. new[] { Versions.V10, Versions.V03 }.SelectMany(version => new[] { Bindings.JsonRpc, Bindings.Rest }.Select(binding =>
                new AgentInterface { Url = url, ProtocolBinding = binding, ProtocolVersion = version })),
        ],
        Capabilities = new AgentCapabilities { Streaming = true, PushNotifications = true, ExtendedAgentCard = true },
        DefaultInputModes = ["text/plain"],
        DefaultOutputModes = ["text/plain"],
        Skills = [new AgentSkill { Id = "s", Name = "s", Description = "s", Tags = [] }],
    };

    private static async Task AnswerAsync(HttpContext context, JsonRpcDoor json, RestDoor rest)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        var client = context.Request.Headers.Authorization.ToString() is { Length: > 0 } token ? token : "somebody";
        string? version = context.Request.Headers[Versions.Header];
        var path = context.Request.Path.Value!;
        var answer = path is "/a2a" or "/a2a/v1" && context.Request.Method == "POST"
            ? await json.HandleAsync(client, version, context.Request.ContentType, bytes, context.RequestAborted)
            : await rest.HandleAsync(
                new RestRequest
                {
                    Client = client,
                    Verb = context.Request.Method,
                    Path = path["/a2a/".Length..],
                    Query = name => context.Request.Query[name],
                    Version = version,
                    ContentType = context.Request.ContentType,
                    Body = bytes,
                },
                context.RequestAborted);
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        if (answer.Events is not { } events)
        {
            if (!answer.Body.IsEmpty) await context.Response.Body.WriteAsync(answer.Body);
            return;
        }

        await using var closing = events;
        while (await events.NextAsync(context.RequestAborted) is { } item)
        {
            await context.Response.Body.WriteAsync("data: "u8.ToArray());
            await context.Response.Body.WriteAsync(answer.Frame(item));
            await context.Response.Body.WriteAsync("\n\n"u8.ToArray());
            await context.Response.Body.FlushAsync();
        }
    }
}
