using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Result of <c>bncr.connect</c>.</summary>
internal sealed record ConnectResult
{
    public string Channel { get; init; } = BncrChannel.ChannelId;

    public required string AccountId { get; init; }

    public int BridgeVersion { get; init; } = Versions.Bridge;

    /// <summary>The name under which this client gets its messages.</summary>
    public required string PushEvent { get; init; }

    public required bool Online { get; init; }

    public required bool IsPrimary { get; init; }

    public required int ActiveConnections { get; init; }

    public required long Pending { get; init; }

    public required long DeadLetter { get; init; }

    public required DiagnosticsSection Diagnostics { get; init; }

    public required RuntimeFlags RuntimeFlags { get; init; }

    public required Waiters Waiters { get; init; }

    public required string? LeaseId { get; init; }

    public required long ConnectionEpoch { get; init; }

    public int ProtocolVersion { get; init; } = Versions.Protocol;

    public required long AcceptedAt { get; init; }

    public required int ServerPid { get; init; }

    public required string BridgeId { get; init; }

    /// <summary>What <c>lastCursor</c> was good for, when it was given.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResumeResult? Resume { get; init; }

    public required long Now { get; init; }
}

/// <summary>The answer to <c>bncr.connect {lastCursor}</c>.</summary>
/// <param name="Accepted">The cursor is of this host's store: nothing that was acked comes again, everything unacked does, in order.</param>
/// <param name="Reason">Why not: <c>cursor-malformed</c>, <c>cursor-of-another-store</c>, <c>cursor-too-old</c>,
/// <c>cursor-newer-than-store</c> (the store was restored from a backup); what is unacked is pushed all the same.</param>
internal sealed record ResumeResult(bool Accepted, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason);

/// <summary>Numbers of the protocol.</summary>
internal static class Versions
{
    public const int Bridge = 2;
    public const int Protocol = 2;
    public const int MinClientProtocol = 1;
}

/// <summary>How this client is treated.</summary>
/// <param name="OutboundRequireAck">Whether it must ack now; in <c>auto</c> its first ack turns it to true.</param>
/// <param name="AckPolicySource"><c>default</c>, <c>channel</c> or <c>account</c>.</param>
/// <param name="AckMode"><c>auto</c>, <c>true</c> or <c>false</c>.</param>
/// <param name="MessageAckTimeoutMs">How long an ack of a message is waited for.</param>
/// <param name="FileAckTimeoutMs">How long an ack of a file's piece is waited for.</param>
/// <param name="DebugVerbose">Always false: bodies are never logged.</param>
internal sealed record RuntimeFlags(
    bool OutboundRequireAck, string AckPolicySource, string AckMode, int MessageAckTimeoutMs = 30_000, int FileAckTimeoutMs = 30_000, bool DebugVerbose = false);

/// <summary>What is waited for.</summary>
/// <param name="MessageAck">Pushes without their ack.</param>
/// <param name="FileAck">Pieces of files without their ack.</param>
internal sealed record Waiters(int MessageAck, int FileAck);
