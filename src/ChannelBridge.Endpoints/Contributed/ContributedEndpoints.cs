using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>
/// Serves the endpoints that channels contribute. Which those are may change while the host runs: with each change of the registry other tables are put in place at once,
/// and what a source that is gone still serves is ended.
/// </summary>
internal sealed partial class ContributedEndpoints : IDisposable
{
    private const string Health = "/healthz";

    private readonly EndpointRuntime _runtime;
    private readonly HttpAccess _access;
    private readonly SocketServer _sockets;
    private readonly ILogger _logger;
    private readonly IDisposable _check;
    private readonly IDisposable _change;
    private EndpointTables _next = EndpointTables.Empty;
    private volatile EndpointTables _tables = EndpointTables.Empty;

    public ContributedEndpoints(IRegistry registry, EndpointRuntime runtime, HttpAccess access)
    {
        _runtime = runtime;
        _access = access;
        _sockets = new SocketServer(runtime, access);
        _logger = runtime.Logger;
        var own = (Registry)registry;
        _check = own.AddCheck(Prepare);
        _change = own.OnChange(_ => Replace());
        Prepare(own.Current);
        Replace();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _check.Dispose();
        _change.Dispose();
    }

    // Both under the registry's lock, one after the other: first whether it can be, then that it is.
    private void Prepare(RegistrySnapshot next)
    {
        var before = _tables.Lives;
        var lives = next.Of<IEndpointSource>().Select(source => before.FirstOrDefault(life => ReferenceEquals(life.Source, source)) ?? new SourceLife(source)).ToArray();
        _next = EndpointTables.Build(lives, [.. _runtime.Options.Addresses]);
    }

    private void Replace()
    {
        var before = _tables.Lives;
        _tables = _next;
        foreach (var gone in before.Except(_next.Lives)) gone.End();
    }

    /// <summary>Serves a request if it is for a channel's endpoint, or came in by an address of its own.</summary>
    /// <returns>False: it is for the host itself, and nothing was done with it.</returns>
    public ValueTask<bool> TryServeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "/";
        if (context.Features.Get<ListenAddress>() is { } address) return ServeOwnAsync(context, path, address);
        var tables = _tables;
        if (tables.Main.IsEmpty || EndpointTables.IsReserved(path)) return new ValueTask<bool>(false);
        return tables.Main.Find(path, out var values) is { } leaf ? ServeAsync(context, leaf, values, null) : new ValueTask<bool>(false);
    }

    private async ValueTask<bool> ServeOwnAsync(HttpContext context, string path, ListenAddress address)
    {
        if (path == Health)
        {
            context.Response.ContentType = "application/json";
            context.Response.Headers.CacheControl = "no-store";
            await context.Response.WriteAsync("{\"status\":\"ok\"}\n", context.RequestAborted).ConfigureAwait(false);
            return true;
        }

        if (_tables.Own(address.Name).Find(path, out var values) is { } leaf) return await ServeAsync(context, leaf, values, address.Name).ConfigureAwait(false);
        await DoorExchange.RefuseAsync(context, 404, new BridgeException(ErrorCodes.NotFound, "There is no such path here.")).ConfigureAwait(false);
        return true;
    }

    private async ValueTask<bool> ServeAsync(HttpContext context, RouteTable.Leaf leaf, string[] values, string? address)
    {
        if (!PathCheck.IsPlain(context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? ""))
        {
            await DoorExchange.RefuseAsync(context, 400, BridgeException.Invalid("The path isn't plain: no //, no dots, and no slash in disguise.")).ConfigureAwait(false);
            return true;
        }

        if (leaf.Socket is { } socket && WebSocketHandshake.IsRequested(context))
        {
            await _sockets.ServeAsync(context, socket, values, address).ConfigureAwait(false);
            return true;
        }

        if (leaf.ForVerb(context.Request.Method) is not { } route)
        {
            if (leaf.Allowed.Length > 0) context.Response.Headers.Allow = leaf.Allowed;
            await (leaf.Allowed.Length == 0
                ? DoorExchange.RefuseAsync(context, StatusCodes.Status426UpgradeRequired, BridgeException.Invalid("Connect here with a WebSocket."))
                : DoorExchange.RefuseAsync(context, StatusCodes.Status405MethodNotAllowed, BridgeException.Invalid($"This path takes {leaf.Allowed}."))).ConfigureAwait(false);
            return true;
        }

        if (_runtime.Connections.IsStopped)
        {
            await DoorExchange.RefuseAsync(context, 503, BridgeException.Unavailable("The host is stopping.", TimeSpan.FromSeconds(1))).ConfigureAwait(false);
            return true;
        }

        await HandleAsync(context, route, values, address).ConfigureAwait(false);
        return true;
    }

    private async Task HandleAsync(HttpContext context, RouteTable.Route route, string[] values, string? address)
    {
        var endpoint = route.Http!;
        var request = RequestViews.Read(context, route, values, address, lasts: false);
        var entry = new EndpointEntry(_runtime, _access);
        try
        {
            if (await entry.EnterAsync(context, route, request, endpoint.Access, endpoint.AnyOrigin, endpoint.Rate).ConfigureAwait(false) is not { } entered) return;
            await RunAsync(context, route, new DoorExchange(context, _runtime, route, request, entered)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left; whom should one tell?
        }
        catch (Exception fault)
        {
            await FailAsync(context, route, fault).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(HttpContext context, RouteTable.Route route, DoorExchange exchange)
    {
        var endpoint = route.Http!;
        _runtime.Exchanges.Add(exchange);
        try
        {
            // The bounds hold before the channel sees anything of it.
            if (HasBody(context) || exchange.IsSigned) await exchange.ReadBodyAsync(exchange.Closed).ConfigureAwait(false);
            await endpoint.Handler(exchange, exchange.Closed).ConfigureAwait(false);
            if (!exchange.HasAnswered) throw new InvalidOperationException($"The handler of {endpoint.Path} ended without an answer.");
        }
        catch (OperationCanceledException) when (exchange.Closed.IsCancellationRequested)
        {
            // Ended from outside: the client, a revoked token, the stop of the host.
            if (!exchange.HasAnswered && !context.RequestAborted.IsCancellationRequested)
                await DoorExchange.RefuseAsync(context, 503, BridgeException.Unavailable("The host is stopping.", TimeSpan.FromSeconds(1))).ConfigureAwait(false);
        }
        finally
        {
            await exchange.EndAsync().ConfigureAwait(false);
            _runtime.Exchanges.Remove(exchange);
            exchange.Dispose();
        }
    }

    private async Task FailAsync(HttpContext context, RouteTable.Route route, Exception fault)
    {
        var form = fault as UnsupportedFormException;
        var known = form is null ? fault as BridgeException : BridgeException.Invalid(form.Message);
        if (known is null) LogFault(fault, route.Channel, route.Template.Text);
        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return;
        }

        context.Response.Clear();
        known ??= new BridgeException(ErrorCodes.Internal, "The host has a fault; its log says more.");
        try
        {
            await DoorExchange.RefuseAsync(context, form is null ? ErrorBody.StatusOf(known.Code) : 415, known).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is IOException or OperationCanceledException)
        {
            // The client has left meanwhile.
        }
    }

    private static bool HasBody(HttpContext context) => context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };

    [LoggerMessage(LogEvents.ContributedEndpointsFault, LogLevel.Error, "A request to the endpoint {Path} of the channel {Channel} failed")]
    private partial void LogFault(Exception fault, string channel, string path);
}
