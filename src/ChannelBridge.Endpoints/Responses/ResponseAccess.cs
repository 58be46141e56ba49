using ChannelBridge.Abstractions.Access;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Endpoints.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>Who may come in by the HTTP paths of Open Responses: a bearer token with the scope, within the rates, and not from a foreign page.</summary>
internal sealed partial class ResponseAccess(EndpointRuntime runtime)
{
    private readonly ILogger _logger = runtime.Logger;

    /// <summary>Lets a request in, or says why not.</summary>
    /// <param name="context">The request.</param>
    /// <param name="scope">What it needs.</param>
    /// <param name="fault">Why not, or null.</param>
    public Caller? Enter(HttpContext context, Scopes scope, out ResponseFault? fault)
    {
        var address = context.Connection.RemoteIpAddress;
        fault = null;
        if (!OriginPolicy.Allows(context.Request, runtime.Options.AllowedOrigins))
        {
            fault = new ResponseFault(403, "invalid_request", "This page's origin may not connect; the setting Listen:AllowedOrigins says which may.", null, "forbidden");
            return null;
        }

        if (runtime.Rates.CheckAuthentication(address) is { } tooMany)
        {
            fault = ResponseFault.Of(tooMany);
            return null;
        }

        var token = Bearer(context.Request);
        var caller = token is null ? null : runtime.Tokens.Authenticate(token, Door.Listener);
        if (caller is null)
        {
            runtime.Rates.AuthenticationFailed(address);
            Telemetry.AuthFailures.Add(1, new KeyValuePair<string, object?>("door", nameof(Door.Listener)));
            LogRefused(address, token is null ? "no token" : "a wrong token");
            fault = ResponseFault.Unauthorized(token is null ? "Send the host's token: Authorization: Bearer …" : "Invalid token.");
            return null;
        }

        if (!caller.Scopes.Covers(scope))
        {
            fault = ResponseFault.Forbidden(scope.ToNames()[0]);
            return null;
        }

        fault = CheckRate(context, caller);
        return fault is null ? caller : null;
    }

    /// <summary>The error of a caller that is too fast, or null.</summary>
    public ResponseFault? CheckRate(HttpContext context, Caller caller)
    {
        foreach (var bucket in (ReadOnlySpan<TokenBucket?>)[runtime.Rates.ForToken(caller.Name), runtime.Rates.ForAddress(context.Connection.RemoteIpAddress)])
        {
            if (bucket is not null && !bucket.TryTake(out var wait)) return ResponseFault.Of(RateLimits.TooFast("Too many requests; try again in a moment.", wait));
        }

        return null;
    }

    private static string? Bearer(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && header[Scheme.Length..].Trim() is { Length: > 0 } token ? token : null;
    }

    [LoggerMessage(4501, LogLevel.Warning, "Refused a request to /v1 from {Address}: {Reason}")]
    private partial void LogRefused(System.Net.IPAddress? address, string reason);
}
