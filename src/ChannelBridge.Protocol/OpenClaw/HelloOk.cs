using System.Text.Json.Nodes;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>The payload that answers a good <c>connect</c>.</summary>
public sealed record HelloOk
{
    /// <summary>Always <c>hello-ok</c>.</summary>
    public string Type { get; init; } = "hello-ok";

    /// <summary>The protocol that both sides speak now.</summary>
    public int Protocol { get; init; } = OpenClawNames.Protocol;

    /// <summary>Who answers.</summary>
    public required HelloServer Server { get; init; }

    /// <summary>What this caller may use.</summary>
    public required HelloFeatures Features { get; init; }

    /// <summary>The state at the start; empty here.</summary>
    public JsonObject Snapshot { get; init; } = [];

    /// <summary>What was granted.</summary>
    public required HelloAuth Auth { get; init; }

    /// <summary>The limits that hold now.</summary>
    public required HelloPolicy Policy { get; init; }
}

/// <summary>Who answers a <c>connect</c>.</summary>
/// <param name="Version">The host's version.</param>
/// <param name="ConnId">The connection's id.</param>
/// <param name="BootId">New at each start of the host.</param>
public sealed record HelloServer(string Version, string ConnId, string BootId);

/// <summary>What a caller may use.</summary>
/// <param name="Methods">The methods that its scopes cover.</param>
/// <param name="Events">The events that may come.</param>
/// <param name="Capabilities">Abilities that no method name shows.</param>
public sealed record HelloFeatures(IReadOnlyList<string> Methods, IReadOnlyList<string> Events, IReadOnlyList<string> Capabilities);

/// <summary>What was granted.</summary>
/// <param name="Role">The role.</param>
/// <param name="Scopes">The scopes.</param>
/// <param name="Method">How the caller authenticated: <c>token</c> or <c>device-token</c>.</param>
/// <param name="DeviceToken">A token of the client's device, to be kept for later connections; null when none was issued. Never logged.</param>
/// <param name="IssuedAtMs">When the device token was issued (Unix milliseconds).</param>
public sealed record HelloAuth(string Role, IReadOnlyList<string> Scopes, string? Method = null, string? DeviceToken = null, long? IssuedAtMs = null)
{
    /// <summary>The role and the scopes: secrets stay out of logs.</summary>
    public override string ToString() => $"{nameof(HelloAuth)} {{ {Role}: {string.Join(", ", Scopes)} }}";
}

/// <summary>The limits after authentication.</summary>
/// <param name="MaxPayload">The largest frame from the client, in bytes.</param>
/// <param name="MaxBufferedBytes">How much may wait for a slow client before it is closed, in bytes.</param>
/// <param name="TickIntervalMs">The time between two <c>tick</c> events, in milliseconds.</param>
public sealed record HelloPolicy(int MaxPayload, int MaxBufferedBytes, int TickIntervalMs);
