using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Channels.Aun.Connector.Methods;

/// <summary>Parameters of <c>aun.send</c>.</summary>
internal sealed record SendParams
{
    [Description("The account that sends; may be left out where there is one.")]
    public string? AccountId { get; init; }

    [Description("The receiver's AID.")]
    public required string To { get; init; }

    [Description("A text.")]
    public string? Text { get; init; }

    [Description("In its place: a payload, one JSON object.")]
    public JsonElement? Payload { get; init; }

    [Description("The same key again is the same message; made when it is left out.")]
    public string? IdempotencyKey { get; init; }
}

/// <summary>Result of <c>aun.send</c>: the message is on disk.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="MessageId">Its id, on the gateway, too.</param>
/// <param name="Seq">Its number among the account's messages to this receiver.</param>
/// <param name="Duplicate">True: it was accepted before.</param>
/// <param name="Encrypted">False: the account sends plain text.</param>
internal sealed record SendResult(string AccountId, string MessageId, long Seq, bool Duplicate, bool Encrypted);

/// <summary>Parameters of <c>aun.status</c>.</summary>
internal sealed record StatusParams
{
    [Description("The account; left out: all that the token may use.")]
    public string? AccountId { get; init; }
}

/// <summary>Result of <c>aun.status</c>.</summary>
/// <param name="Accounts">The accounts.</param>
internal sealed record StatusResult(IReadOnlyList<AunAccountStatus> Accounts);

/// <summary>How an account stands.</summary>
internal sealed record AunAccountStatus
{
    /// <summary>The account.</summary>
    public required string AccountId { get; init; }

    /// <summary>Its AID.</summary>
    public required string Aid { get; init; }

    /// <summary>
    /// <c>idle</c>, <c>connecting</c>, <c>authenticating</c>, <c>connected</c>, <c>disconnected</c>, <c>reconnecting</c>, <c>terminal_failed</c> or <c>closed</c>.
    /// </summary>
    public required string State { get; init; }

    /// <summary>The gateway, once it is known.</summary>
    public string? Gateway { get; init; }

    /// <summary>The device.</summary>
    public string? DeviceId { get; init; }

    /// <summary>False: it sends plain text.</summary>
    public bool Encrypt { get; init; }

    /// <summary>Why there is no connection.</summary>
    public string? LastError { get; init; }

    /// <summary>When it was last connected (Unix ms).</summary>
    public long? ConnectedAt { get; init; }

    /// <summary>When anything was last heard (Unix ms).</summary>
    public long? LastHeardAt { get; init; }

    /// <summary>Attempts since the last connection.</summary>
    public int ReconnectAttempts { get; init; }

    /// <summary>The number up to which the account's messages were taken.</summary>
    public long Seq { get; init; }

    /// <summary>The first number that is missing and waited for.</summary>
    public long? MissingFrom { get; init; }

    /// <summary>The last one.</summary>
    public long? MissingTo { get; init; }

    /// <summary>Messages that were accepted for the agent.</summary>
    public long Accepted { get; init; }

    /// <summary>Messages that were there already.</summary>
    public long Duplicates { get; init; }

    /// <summary>Messages that were refused; their receipts are in <see cref="Receipts"/>.</summary>
    public long Refused { get; init; }

    /// <summary>Messages for another device or slot.</summary>
    public long NotForUs { get; init; }

    /// <summary>Numbers that never came, after the gateway has said that they won't.</summary>
    public long HolesPassed { get; init; }

    /// <summary>Times that the gateway's numbers went back.</summary>
    public long WentBack { get; init; }

    /// <summary>What was sealed, opened and refused.</summary>
    public JsonNode? Sealing { get; init; }

    /// <summary>The last receipts of refused messages, the newest first; in the result of <c>aun.status</c> only.</summary>
    public IReadOnlyList<Refusal>? Receipts { get; init; }
}
