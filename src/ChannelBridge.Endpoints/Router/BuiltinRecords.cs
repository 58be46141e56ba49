using System.Text.Json.Nodes;

namespace ChannelBridge.Endpoints.Router;

/// <summary>Params of methods that take none.</summary>
internal sealed record NoParameters;

/// <summary>Params of <c>auth.authenticate</c>.</summary>
internal sealed record AuthenticateParameters(string Token)
{
    /// <summary>Nothing but the type's name: secrets stay out of logs.</summary>
    public override string ToString() => nameof(AuthenticateParameters);
}

/// <summary>Result of <c>auth.authenticate</c>.</summary>
internal sealed record AuthenticateResult(bool Ok, string Name, IReadOnlyList<string> Scopes, string ConnId);

/// <summary>Result of <c>ping</c>.</summary>
internal sealed record PingResult(bool Pong, long Ts);

/// <summary>Result of <c>rpc.discover</c>.</summary>
internal sealed record DiscoverResult(
    DiscoveredServer Server, IReadOnlyList<DiscoveredMethod> Methods, IReadOnlyList<string> Events, DiscoveredLimits Limits);

/// <summary>Who answers.</summary>
internal sealed record DiscoveredServer(string Name, string Version, string BootId, string ConnId);

/// <summary>One method; <c>Params</c> and <c>Result</c> are JSON schemas.</summary>
internal sealed record DiscoveredMethod(string Name, IReadOnlyList<string> Scopes, string Summary, bool Allowed, JsonNode Params, JsonNode Result);

/// <summary>The limits that hold for the caller.</summary>
internal sealed record DiscoveredLimits(
    int MaxPayload, int MaxBufferedBytes, int MaxRequestsInFlight, int MaxBatchItems, int MaxJsonDepth, int MaxStringBytes);
