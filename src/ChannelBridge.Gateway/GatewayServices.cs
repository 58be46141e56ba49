using ChannelBridge.Core.Access;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Core.Methods;
using ChannelBridge.Core.Responses;
using ChannelBridge.Gateway;
using ChannelBridge.Gateway.Connections;
using ChannelBridge.Gateway.Endpoints;
using ChannelBridge.Gateway.Responses;
using ChannelBridge.Gateway.Router;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers and maps the doors.</summary>
public static class GatewayServices
{
    /// <summary>
    /// Adds the method router and the doors. The caller adds an <see cref="ITokenAuthority"/> and the <see cref="IMethodSource"/>s. The local doors open
    /// when the host's services start, in the order of registration: register what must be ready before this.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="configure">Sets the options.</param>
    /// <param name="limits">Sets the limits.</param>
    public static IServiceCollection AddChannelBridgeGateway(
        this IServiceCollection services, Action<GatewayOptions>? configure = null, Action<GatewayLimits>? limits = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions();
        services.AddLogging();
        if (configure is not null) services.Configure(configure);
        if (limits is not null) services.Configure(limits);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<MethodRouter>();
        services.TryAddSingleton<GatewayRuntime>();
        services.TryAddSingleton<WebSocketEndpoint>();
        services.TryAddSingleton<ResponseAccess>();
        services.TryAddSingleton<ResponsesSocket>();
        services.TryAddSingleton<ResponsesEndpoint>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IMethodSource, BuiltinMethods>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDiagnosticsSource, GatewayDiagnostics>());
        services.TryAddSingleton(provider => new GatewayDoors(
            provider.GetRequiredService<GatewayRuntime>(),
            provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<GatewayDoors>>()));
        services.AddHostedService(provider => provider.GetRequiredService<GatewayDoors>());
        return services;
    }

    /// <summary>
    /// Maps the WebSocket doors: <c>/</c> and <c>/ws</c> speak the OpenClaw protocol, <c>/rpc</c> JSON-RPC 2.0, and so does any path that nothing else is
    /// mapped to when the client offers the subprotocol <c>jsonrpc</c>. Open Responses is on <c>/v1</c>. No WebSocket middleware is needed.
    /// </summary>
    public static IEndpointRouteBuilder MapChannelBridge(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
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
}
