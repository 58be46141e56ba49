using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Bench;

/// <summary>
/// A host of one's own whose channel contributes an HTTP endpoint that answers 200 and nothing, and bare Kestrel with the same: what the doors cost
/// an endpoint.
/// </summary>
internal static class EndpointServer
{
    /// <summary>The path of both.</summary>
    public const string Path = "/nothing/here";

    /// <summary>The token of the host's caller, where the endpoint asks for one.</summary>
    public const string Token = "the-bench-s-token-0123456789";

    /// <summary>Bare Kestrel with the framework's routing.</summary>
    public static async Task<int> BareAsync(int port)
    {
        var builder = WebServer.New(port);
        var app = builder.Build();
        app.MapGet(Path, (RequestDelegate)(context =>
        {
            context.Response.StatusCode = StatusCodes.Status200OK;
            context.Response.ContentLength = 0;
            return Task.CompletedTask;
        }));
        return await WebServer.RunAsync(app);
    }

    /// <summary>The host: the endpoint of anybody, and the same for a token's scope.</summary>
    public static async Task<int> HostAsync(int port, string data)
    {
        var builder = WebServer.New(port);
        builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = System.IO.Path.Combine(data, "messages.db"))
            .AddToken("bench", Token, Scopes.Write)
            .AddChannel<NothingChannel>()
            .AddEndpoints(configure: null, limits: limits =>
            {
                limits.RequestsPerSecondPerToken = 0;
                limits.RequestsPerSecondPerAddress = 0;
            });
        var app = builder.Build();
        app.MapChannelBridge();
        return await WebServer.RunAsync(app);
    }

    /// <summary>A channel that has an endpoint and no conversations.</summary>
    private sealed class NothingChannel : IChannel, IEndpointSource
    {
        public string Id => "nothing";

        public string Channel => Id;

        public IEnumerable<RpcMethod> Methods => [];

        public IEnumerable<HttpEndpoint> Http =>
        [
            new() { Verbs = ["GET"], Path = "/nothing/{where}", Access = EndpointAccess.Anonymous, Handler = AnswerAsync },
            new() { Verbs = ["GET"], Path = "/something/{where}", Access = EndpointAccess.Scope(Scopes.Write), Handler = AnswerAsync },
        ];

        public IEnumerable<SocketEndpoint> Sockets => [];

        public ValueTask StartAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask StopAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [];

        public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
            throw new NotSupportedException("nothing is ever sent to it");

        private static ValueTask AnswerAsync(HttpExchange exchange, CancellationToken cancellationToken) =>
            exchange.AnswerAsync(HttpAnswer.Empty(StatusCodes.Status200OK), cancellationToken);
    }
}
