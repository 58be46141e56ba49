using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Channels;

/// <summary>
/// Asks the OpenClaw gateway whether a message that came through it may reach the agent: its own resolver decides by its own settings
/// (<c>dmPolicy</c>, <c>allowFrom</c>, pairing …). A channel asks before it accepts a message of <see cref="Door.Gateway"/>, and of
/// <see cref="Door.Channel"/> where the gateway <see cref="Governs"/>; for the others the host's own settings decide and this is never asked.
/// </summary>
public interface IGatewayAdmission
{
    /// <summary>True while the link to the gateway is up.</summary>
    bool IsConnected => false;

    /// <summary>Asks the gateway that <paramref name="connection"/> belongs to.</summary>
    /// <param name="connection">The caller's connection; its door is <see cref="Door.Gateway"/>.</param>
    /// <param name="request">Who wants to speak where.</param>
    /// <param name="cancellationToken">Gives up asking; nothing was decided then.</param>
    /// <exception cref="BridgeException">
    /// <see cref="ErrorCodes.Unavailable"/> (retryable) when the link is away or doesn't answer in time: the message must not be accepted
    /// then.
    /// </exception>
    ValueTask<AdmissionDecision> AdmitAsync(
        IClientConnection connection, AdmissionRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// True when the gateway's resolver decides on messages that a channel has fetched itself (<see cref="Door.Channel"/>): the gateway's agent
    /// answers them, and the plugin's package names the channel. Else the channel's own settings decide. Known also while the link is away.
    /// </summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="agent">The name of the agent that is to answer.</param>
    bool Governs(string channel, string agent) => false;

    /// <summary>
    /// Asks the gateway about a message that a channel has fetched itself, where it <see cref="Governs"/>; there is no connection then.
    /// </summary>
    /// <param name="request">Who wants to speak where.</param>
    /// <param name="cancellationToken">Gives up asking; nothing was decided then.</param>
    /// <exception cref="BridgeException">
    /// <see cref="ErrorCodes.Unavailable"/> (retryable) when the link is away or doesn't answer in time: the message must not be accepted
    /// then.
    /// </exception>
    ValueTask<AdmissionDecision> AdmitAsync(AdmissionRequest request, CancellationToken cancellationToken = default) =>
        throw BridgeException.Unavailable("the gateway's policy can't be asked: no link to the gateway is configured");

    /// <summary>
    /// The agent id that the gateway's routing gives an account of a channel, for session keys of messages that come through it
    /// (<c>agent:AGENT:bncr:direct:…</c>); <c>main</c> where the gateway didn't say.
    /// </summary>
    string GetAgentId(string channel, string accountId) => GetAccount(channel, accountId).AgentId;

    /// <summary>
    /// What the gateway's settings say of an account. They govern the account's connections of <see cref="Door.Gateway"/> only. While the
    /// link is away, what it said last; before it ever said anything, the defaults.
    /// </summary>
    GatewayAccount GetAccount(string channel, string accountId);
}

/// <summary>An account as the gateway's settings have it.</summary>
public sealed record GatewayAccount
{
    /// <summary>The account in the gateway's spelling.</summary>
    public required string AccountId { get; init; }

    /// <summary>False: its messages are refused with <c>account disabled</c>.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>A name to show, or null.</summary>
    public string? Name { get; init; }

    /// <summary>The agent that the gateway's routing chose.</summary>
    public string AgentId { get; init; } = "main";

    /// <summary><c>outboundRequireAck</c>: true always, false never, null <c>auto</c>.</summary>
    public bool? RequireAck { get; init; }
}

/// <summary>A question to <see cref="IGatewayAdmission"/>.</summary>
public sealed record AdmissionRequest
{
    /// <summary>The channel id, e.g. <c>bncr</c>.</summary>
    public required string Channel { get; init; }

    /// <summary>The account in its display case.</summary>
    public required string AccountId { get; init; }

    /// <summary>
    /// The sender as allow lists and the pairing store name it (bncr: the display form of the route, <c>Bncr:platform:user</c> or
    /// <c>Bncr:platform:group:user</c>). Compared exactly. The accepted message carries the same value in <c>InboundMessage.Subject</c>.
    /// </summary>
    public required string Subject { get; init; }

    /// <summary>The sender inside the conversation, see <c>InboundMessage.SenderId</c>.</summary>
    public required string SenderId { get; init; }

    /// <summary>The conversation as the channel names it (bncr: <c>platform:group</c> for a group, the route otherwise).</summary>
    public required string ConversationId { get; init; }

    /// <summary>The channel's own address of the conversation.</summary>
    public required string Route { get; init; }

    /// <summary>The canonical session key of the conversation.</summary>
    public required string SessionKey { get; init; }

    /// <summary>True for a group: the gateway's <c>groupPolicy</c> decides, otherwise its <c>dmPolicy</c>.</summary>
    public bool IsGroup { get; init; }

    /// <summary>True when the text is a command of the gateway.</summary>
    public bool IsCommand { get; init; }
}

/// <summary>What the gateway decided.</summary>
public enum AdmissionOutcome
{
    /// <summary>The message may be accepted.</summary>
    Allow,

    /// <summary>It may not: <see cref="AdmissionDecision.Reason"/> says why.</summary>
    Block,

    /// <summary>It may not yet: the sender was given a pairing code, which <see cref="AdmissionDecision.ReplyText"/> tells.</summary>
    Pairing,
}

/// <summary>The gateway's answer.</summary>
/// <param name="Outcome">What was decided.</param>
/// <param name="Reason">
/// A short machine-readable reason for a refusal (<c>dm disabled</c>, <c>dm allowlist blocked</c>, <c>group disabled</c>,
/// <c>group allowlist blocked</c>, <c>account disabled</c>, <c>pairing required</c>), or null.
/// </param>
/// <param name="ReplyText">
/// With <see cref="AdmissionOutcome.Pairing"/>: what to tell the sender, to be sent through the outbox to the conversation under
/// <paramref name="ReplyKey"/> as idempotency key, each time it is given: so the sender is told once, whatever fails in between. Null when there
/// is nothing to tell (too many open requests).
/// </param>
/// <param name="ReplyKey">
/// The idempotency key of <paramref name="ReplyText"/>; it changes with the pairing code. Secret like the code.
/// </param>
public sealed record AdmissionDecision(AdmissionOutcome Outcome, string? Reason = null, string? ReplyText = null, string? ReplyKey = null);
