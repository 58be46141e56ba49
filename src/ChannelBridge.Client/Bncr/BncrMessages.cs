using System.Text.Json.Serialization;

namespace ChannelBridge.Client.Bncr;

/// <summary>A message from a chat platform to the agent: <c>bncr.inbound</c>.</summary>
public sealed record BncrInbound
{
    /// <summary>The chat platform, e.g. <c>qq</c>.</summary>
    public required string Platform { get; init; }

    /// <summary>The group, or <c>0</c> for a private message. Default <c>0</c>.</summary>
    public string GroupId { get; init; } = "0";

    /// <summary>The user who wrote.</summary>
    public required string UserId { get; init; }

    /// <summary>The kind: <c>text</c>, <c>image</c>, <c>video</c>, <c>voice</c>, <c>audio</c> or <c>file</c>. Default <c>text</c>.</summary>
    public string Type { get; init; } = "text";

    /// <summary>The text.</summary>
    public string? Msg { get; init; }

    /// <summary>A file's content in base64, or null.</summary>
    public string? Base64 { get; init; }

    /// <summary>The path of a file that was uploaded before (<see cref="BncrUploadedFile.Path"/>), instead of <see cref="Base64"/>, or null.</summary>
    public string? Path { get; init; }

    /// <summary>The file's MIME type, or null.</summary>
    public string? MimeType { get; init; }

    /// <summary>The file's name, or null.</summary>
    public string? FileName { get; init; }

    /// <summary>
    /// The platform's id of the message. The same id is accepted once, whatever happens, so a repeated send is safe. Null: the client makes one.
    /// </summary>
    public string? MsgId { get; init; }

    /// <summary>The agent that answers, by name; null means the account's.</summary>
    public string? Agent { get; init; }

    /// <summary>True: the answer is shown while it grows, see <see cref="BncrBridgeClient.ReadPartials"/>. Null means no.</summary>
    public bool? Stream { get; init; }

    /// <summary>The account; filled in by the client.</summary>
    [JsonInclude]
    internal string? AccountId { get; init; }

    /// <summary>The bridge's name; filled in by the client.</summary>
    [JsonInclude]
    internal string? ClientId { get; init; }
}

/// <summary>What the host said to a message.</summary>
public sealed record BncrAccepted
{
    /// <summary>True: the message is on disk and will be answered. False: <see cref="Reason"/> says why not.</summary>
    public bool Accepted { get; init; }

    /// <summary>True when the message had been accepted before.</summary>
    public bool Duplicated { get; init; }

    /// <summary>Why it was refused, e.g. <c>dm allowlist blocked</c>, or null.</summary>
    public string? Reason { get; init; }

    /// <summary>The conversation, or null.</summary>
    public string? SessionKey { get; init; }

    /// <summary>The message's id: the one given, or the one that the client made.</summary>
    public string? MsgId { get; init; }

    /// <summary>The sub-conversation that the text asked for, or null.</summary>
    public string? TaskKey { get; init; }
}

/// <summary>A message from the agent to a chat platform.</summary>
public sealed record BncrPush
{
    /// <summary>The message's id; acknowledge it with <see cref="BncrBridgeClient.AckAsync"/>.</summary>
    public required string MessageId { get; init; }

    /// <summary>Equal for every push of the same message.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>The conversation.</summary>
    public string SessionKey { get; init; } = "";

    /// <summary>The platform's id of the message that it answers, or null.</summary>
    public string? ReplyToId { get; init; }

    /// <summary>The growing text that this message ends (<see cref="BncrPartial.StreamId"/>), or null.</summary>
    public string? StreamId { get; init; }

    /// <summary>Its number in the conversation, 1, 2, 3 …; 0 when the host doesn't count. A hole is explained by <see cref="Skipped"/>.</summary>
    public long Seq { get; init; }

    /// <summary>Messages before this one that don't come, in order; empty: none. Those that were told by a push that wasn't acked are told again.</summary>
    public IReadOnlyList<BncrSkipped> Skipped { get; init; } = [];

    /// <summary>When the host accepted it (Unix milliseconds).</summary>
    public long Ts { get; init; }

    /// <summary>The message itself.</summary>
    public required BncrContent Message { get; init; }

    /// <summary>What makes it the same message.</summary>
    internal string Key => IdempotencyKey ?? MessageId;
}

/// <summary>Messages of a conversation, one after the other, that don't come.</summary>
/// <param name="From">The number (<see cref="BncrPush.Seq"/>) of the first.</param>
/// <param name="To">The number of the last.</param>
/// <param name="Reason"><c>expired</c>: their time was over. <c>dead</c>: the host has given them up; an operator may send them again, under new numbers.</param>
public sealed record BncrSkipped(long From, long To, string Reason);

/// <summary>More of an answer that grows.</summary>
public sealed record BncrPartial
{
    /// <summary>The answer: the push that ends it has the same (<see cref="BncrPush.StreamId"/>).</summary>
    public required string StreamId { get; init; }

    /// <summary>The conversation.</summary>
    public string SessionKey { get; init; } = "";

    /// <summary>The platform's id of the message that it answers, or null.</summary>
    public string? ReplyToId { get; init; }

    /// <summary>The attempt at the answer, 1 the first.</summary>
    public int Attempt { get; init; }

    /// <summary>Where the conversation is: platform, group and user; nothing else.</summary>
    public BncrContent Message { get; init; } = new();

    /// <summary>The length of the text before <see cref="Delta"/>, in UTF-16 characters.</summary>
    public int Offset { get; init; }

    /// <summary>What is new.</summary>
    public string Delta { get; init; } = "";

    /// <summary>True: the text so far is void, and <see cref="Delta"/> is the whole.</summary>
    public bool Replace { get; init; }

    /// <summary>True: this attempt has failed, and what was shown is void.</summary>
    public bool Aborted { get; init; }

    /// <summary>When (Unix milliseconds).</summary>
    public long Ts { get; init; }

    /// <summary>The whole text so far. Null when a piece was missed: keep what is shown and wait for the push.</summary>
    [JsonIgnore]
    public string? Text { get; init; }
}

/// <summary>The content of a push.</summary>
public sealed record BncrContent
{
    /// <summary>The chat platform.</summary>
    public string Platform { get; init; } = "";

    /// <summary>The group, or <c>0</c> for a private message.</summary>
    public string GroupId { get; init; } = "0";

    /// <summary>The user.</summary>
    public string UserId { get; init; } = "";

    /// <summary>The kind: <c>text</c>, <c>image</c>, <c>video</c>, <c>voice</c>, <c>audio</c> or <c>file</c>.</summary>
    public string Type { get; init; } = "text";

    /// <summary><c>final</c>, <c>block</c> or <c>tool</c>; null for a message that answers nothing.</summary>
    public string? Kind { get; init; }

    /// <summary>The text.</summary>
    public string Msg { get; init; } = "";

    /// <summary>Where the file is, or empty.</summary>
    public string? Path { get; init; }

    /// <summary>The file's content in base64, or empty.</summary>
    public string? Base64 { get; init; }

    /// <summary>The file's MIME type, or null.</summary>
    public string? MimeType { get; init; }

    /// <summary>The file's name, or null.</summary>
    public string? FileName { get; init; }
}

/// <summary>What the host said to <c>bncr.connect</c>.</summary>
public sealed record BncrConnected
{
    /// <summary>The account in the host's spelling.</summary>
    public string AccountId { get; init; } = "";

    /// <summary>The name of the push event on this connection.</summary>
    public string PushEvent { get; init; } = "bncr.push";

    /// <summary>True when this connection gets the account's messages.</summary>
    public bool IsPrimary { get; init; }

    /// <summary>Messages that wait for the account.</summary>
    public long Pending { get; init; }

    /// <summary>Messages of the account that were given up.</summary>
    public long DeadLetter { get; init; }

    /// <summary>The lease of this connection, or null.</summary>
    public string? LeaseId { get; init; }
}

internal sealed record BncrConnectParameters(string AccountId, string ClientId, bool Ack);

internal sealed record BncrActivityParameters(string AccountId, string ClientId);

internal sealed record BncrAckParameters(string AccountId, string ClientId, string MessageId, bool Ok, bool? Fatal = null, string? Error = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BncrInbound))]
[JsonSerializable(typeof(BncrAccepted))]
[JsonSerializable(typeof(BncrPush))]
[JsonSerializable(typeof(BncrPartial))]
[JsonSerializable(typeof(BncrConnected))]
[JsonSerializable(typeof(BncrConnectParameters))]
[JsonSerializable(typeof(BncrActivityParameters))]
[JsonSerializable(typeof(BncrAckParameters))]
internal sealed partial class BncrJson : JsonSerializerContext;
