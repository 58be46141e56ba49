using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Responses;
using ChannelBridge.Endpoints;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Contributed;
using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Endpoints.Http;
using ChannelBridge.Endpoints.Responses;
using ChannelBridge.Endpoints.Router;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers and maps the doors.</summary>
public static class EndpointServices
{
    /// <summary>
    /// Adds the doors: WebSocket, HTTP, Unix socket or pipe, standard input and output. Who may come in is said by
    /// <c>AddTokenFile</c> or <c>AddToken</c>; the listener's doors are mapped with <see cref="MapChannelBridge"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="limits">Sets the limits; the keys <c>Limits:*</c> are read before it.</param>
    public static IChannelBridgeBuilder AddEndpoints(
        this IChannelBridgeBuilder builder, Action<EndpointOptions>? configure = null, Action<EndpointLimits>? limits = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddChannelBridgeEndpoints(configure, limits);
        builder.Services.TryAddSingleton<IDoors>(provider => provider.GetRequiredService<EndpointDoors>());
        return builder;
    }

    /// <summary>The doors alone; see <see cref="DoorsAlone"/>.</summary>
    internal static IServiceCollection AddChannelBridgeEndpoints(
        this IServiceCollection services, Action<EndpointOptions>? configure = null, Action<EndpointLimits>? limits = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions();
        services.AddLogging();
        if (configure is not null) services.Configure(configure);
        services.AddSettingGroup(EndpointSettings.Limits, limits);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<MethodRouter>();
        services.TryAddSingleton<EndpointRuntime>();
        services.TryAddSingleton<IAccessAttempts>(provider => provider.GetRequiredService<EndpointRuntime>().Attempts);
        services.TryAddSingleton<HttpAccess>();
        services.TryAddSingleton<IHostAddresses, HostAddresses>();
        services.TryAddSingleton(provider => new ContributedEndpoints(
            provider.GetRequiredService<IRegistry>(), provider.GetRequiredService<EndpointRuntime>(), provider.GetRequiredService<HttpAccess>()));
        services.TryAddSingleton<WebSocketEndpoint>();
        services.TryAddSingleton<ResponseAccess>();
        services.TryAddSingleton<ResponsesSocket>();
        services.TryAddSingleton<ResponsesEndpoint>();
        services.AddRegistry();
        services.AddContributor<BuiltinMethods>();
        services.AddContributor<EndpointDiagnostics>();
        services.TryAddSingleton(provider => new EndpointDoors(
            provider.GetRequiredService<EndpointRuntime>(),
            provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<EndpointDoors>>()));
        return services;
    }

    /// <summary>
    /// Maps the WebSocket doors: <c>/</c> and <c>/ws</c> speak the OpenClaw protocol, <c>/rpc</c> JSON-RPC 2.0, and so does any path that nothing else is
    /// mapped to when the client offers the subprotocol <c>jsonrpc</c>. Open Responses is on <c>/v1</c>. No WebSocket middleware is needed.
    /// </summary>
    /// <remarks>
    /// What channels contribute goes before the framework's routing, with a table of its own: it changes while the host runs. For that <paramref name="endpoints"/> must be
    /// the application itself, as <c>WebApplication</c> is.
    /// </remarks>
    public static IEndpointRouteBuilder MapChannelBridge(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        AccessServices.RequireTokens(endpoints.ServiceProvider);
        if (endpoints is IApplicationBuilder application) UseContributed(application);
        var door = endpoints.ServiceProvider.GetRequiredService<WebSocketEndpoint>();
        Map("/", WebSocketEndpoint.PathDialect.OpenClaw);
        Map("/ws", WebSocketEndpoint.PathDialect.OpenClaw);
        Map("/rpc", WebSocketEndpoint.PathDialect.JsonRpc);
        // A host without agents has nothing to say there.
        if (endpoints.ServiceProvider.GetService<ResponseRuns>() is not null) endpoints.ServiceProvider.GetRequiredService<ResponsesEndpoint>().Map(endpoints);
        endpoints.MapFallback("{*path}", context => door.HandleAsync(context, WebSocketEndpoint.PathDialect.None));
        return endpoints;

        void Map(string pattern, WebSocketEndpoint.PathDialect dialect)
        {
            RequestDelegate handler = context => door.HandleAsync(context, dialect);
            endpoints.Map(pattern, handler);
        }
    }

    private static void UseContributed(IApplicationBuilder application)
    {
        var contributed = application.ApplicationServices.GetRequiredService<ContributedEndpoints>();
        var allowedHosts = application.ApplicationServices.GetRequiredService<EndpointRuntime>().Options.AllowedHosts;
        application.Use(next => context =>
        {
            if (!HostGuard.Allows(context, allowedHosts)) return RefuseHostAsync(context);
            var serving = contributed.TryServeAsync(context);
            if (!serving.IsCompletedSuccessfully) return GoOnAsync(serving, next, context);
            return serving.Result ? Task.CompletedTask : next(context);
        });
        // Routing comes after it, which the application would else put first.
        application.UseRouting();

        static Task RefuseHostAsync(HttpContext context)
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(HostGuard.Refusal + "\n", context.RequestAborted);
        }

        static async Task GoOnAsync(ValueTask<bool> serving, RequestDelegate next, HttpContext context)
        {
            if (!await serving.ConfigureAwait(false)) await next(context).ConfigureAwait(false);
        }
    }
}
