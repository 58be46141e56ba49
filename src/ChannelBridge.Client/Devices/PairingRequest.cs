using System.Text.Json.Nodes;
using ChannelBridge.Client.Internal;

namespace ChannelBridge.Client.Devices;

/// <summary>A request of this device that waits until an operator approves it: <c>openclaw devices approve ID</c>, <c>channelbridge devices approve ID</c>.</summary>
public sealed record PairingRequest
{
    /// <summary>The request's id, which an operator approves; null when the gateway didn't name one.</summary>
    public string? RequestId { get; init; }

    /// <summary>Why: <c>not-paired</c>, <c>role-upgrade</c>, <c>scope-upgrade</c> or <c>metadata-upgrade</c>; null when the gateway didn't say.</summary>
    public string? Reason { get; init; }

    /// <summary>The device's id, as an operator sees it.</summary>
    public string? DeviceId { get; init; }

    /// <summary>The scopes that were asked for.</summary>
    public IReadOnlyList<string> RequestedScopes { get; init; } = [];

    /// <summary>The scopes that are approved already.</summary>
    public IReadOnlyList<string> ApprovedScopes { get; init; } = [];

    internal static PairingRequest Read(JsonObject? details) => new()
    {
        RequestId = WireErrors.Text(details?["requestId"]),
        Reason = WireErrors.Text(details?["reason"]),
        DeviceId = WireErrors.Text(details?["deviceId"]),
        RequestedScopes = Names(details?["requestedScopes"]),
        ApprovedScopes = Names(details?["approvedScopes"]),
    };

    private static List<string> Names(JsonNode? list) => list is JsonArray items ? [.. items.Select(WireErrors.Text).OfType<string>()] : [];
}
