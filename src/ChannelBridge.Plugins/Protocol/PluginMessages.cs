using System.Text.Json;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>A message on its way from a plugin's platform to an agent.</summary>
public sealed record PluginInbound
{
    /// <summary>One of the plugin's channels.</summary>
    public required string Channel { get; init; }

    /// <summary>One of the accounts that the plugin reported.</summary>
    public required string AccountId { get; init; }

    /// <summary>The conversation, which is the lane: <c>channel:whatever</c>.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The channel's own address of the conversation.</summary>
    public required string Route { get; init; }

    /// <summary>The sender inside the conversation.</summary>
    public required string SenderId { get; init; }

    /// <summary>The sender as allow lists name it, or null where that is <see cref="SenderId"/>.</summary>
    public string? Subject { get; init; }

    /// <summary>The agent, if the manifest's permissions name it; null: the channel's own, by the host's settings.</summary>
    public string? Agent { get; init; }

    /// <summary>True for a group conversation.</summary>
    public bool IsGroup { get; init; }

    /// <summary>The platform's id of the message, or null.</summary>
    public string? MessageId { get; init; }

    /// <summary>The text.</summary>
    public string Text { get; set; } = "";

    /// <summary>The channel's word for the kind of content.</summary>
    public string Type { get; set; } = "text";

    /// <summary>Files beside the message.</summary>
    public IReadOnlyList<PluginAttachment>? Attachments { get; init; }

    /// <summary>True: the plugin wants to see the answer while it grows (<see cref="IPluginProcess.TurnEventsAsync"/>).</summary>
    public bool Stream { get; init; }
}

/// <summary>A file beside a message: inline bytes, or a file of the host's spool by its name.</summary>
public sealed record PluginAttachment
{
    /// <summary>MIME type.</summary>
    public string MimeType { get; set; } = "application/octet-stream";

    /// <summary>A name to show; never a path.</summary>
    public string? FileName { get; init; }

    /// <summary>The bytes, in base64 on the wire; for small ones.</summary>
    public byte[]? Content { get; init; }

    /// <summary>A URL, when the bytes are elsewhere.</summary>
    public string? Location { get; init; }

    /// <summary>The file's name in the host's spool.</summary>
    public string? File { get; init; }

    /// <summary>True: a voice message.</summary>
    public bool IsVoice { get; init; }

    /// <summary>The size of what lies in the spool.</summary>
    public long Size { get; init; }

    /// <summary>The SHA-256 of what lies in the spool, lower-case hexadecimal.</summary>
    public string? Sha256 { get; init; }
}

/// <summary>A message on its way from an agent to a plugin's platform.</summary>
public sealed record PluginOutbound
{
    /// <summary>One of the plugin's channels.</summary>
    public required string Channel { get; init; }

    /// <summary>The account.</summary>
    public required string AccountId { get; init; }

    /// <summary>The conversation.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The channel's own address of the conversation.</summary>
    public required string Route { get; init; }

    /// <summary>The text.</summary>
    public string Text { get; set; } = "";

    /// <summary>The channel's word for the kind of content.</summary>
    public string Type { get; set; } = "text";

    /// <summary><c>final</c>, <c>block</c> or <c>tool</c>; null for a send outside of a turn.</summary>
    public string? Kind { get; init; }

    /// <summary>The platform's id of the message that this one answers, or null.</summary>
    public string? ReplyToId { get; init; }

    /// <summary>A file that goes with it.</summary>
    public PluginAttachment? Attachment { get; init; }

    /// <summary>The id under which it was shown while it grew, or null.</summary>
    public string? StreamId { get; init; }

    /// <summary>In a push: numbers of the lane before this one whose messages don't come; null: none.</summary>
    public IReadOnlyList<PluginSkipped>? Skipped { get; init; }
}

/// <summary>Messages of a lane, one after the other, that don't come.</summary>
/// <param name="From">The number of the first.</param>
/// <param name="To">The number of the last.</param>
/// <param name="Reason"><c>expired</c> or <c>dead</c>.</param>
public sealed record PluginSkipped(long From, long To, string Reason);

/// <summary>A message is on disk.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Duplicate">True: the same key had been accepted before; nothing was written.</param>
public sealed record PluginAccepted(Guid Id, bool Duplicate);

/// <summary>A message for a platform is on disk.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Duplicate">True: the same key had been sent before.</param>
/// <param name="Seq">Its number in its conversation, 1, 2, 3 …</param>
public sealed record PluginSent(Guid Id, bool Duplicate, long Seq);

/// <summary>What a platform said about a pushed message.</summary>
public sealed record PluginAck
{
    /// <summary>The message.</summary>
    public required Guid Id { get; init; }

    /// <summary>The plugin's channel that it was pushed to.</summary>
    public required string Channel { get; init; }

    /// <summary>The account that it was pushed to.</summary>
    public required string AccountId { get; init; }

    /// <summary>True: the platform's side has it. False: it didn't take it.</summary>
    public required bool Ok { get; init; }

    /// <summary>With <see cref="Ok"/> false: trying again is pointless.</summary>
    public bool Fatal { get; init; }

    /// <summary>The user has it, too.</summary>
    public bool Delivered { get; init; }

    /// <summary>Why not, for the operator.</summary>
    public string? Error { get; init; }

    /// <summary>When to try again, in milliseconds, if the platform says so.</summary>
    public long? RetryAfterMs { get; init; }
}

/// <summary>What became of a push.</summary>
public sealed record PluginPushed
{
    /// <summary><c>flushed</c>: an ack follows; <c>gone</c>: there is no connection to the platform; <c>full</c>: not now.</summary>
    public required string Outcome { get; init; }

    /// <summary>The ack, when it is known at once; saves a call.</summary>
    public PluginAck? Ack { get; init; }
}

/// <summary>Where a send goes.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="SessionKey">The conversation.</param>
/// <param name="Route">The channel's own address.</param>
public sealed record PluginTarget(string AccountId, string SessionKey, string Route);

/// <summary>An account as the plugin reports it.</summary>
public sealed record PluginAccount
{
    /// <summary>The account, in the case in which it is shown.</summary>
    public required string AccountId { get; init; }

    /// <summary>The platform can be reached.</summary>
    public bool Connected { get; init; }

    /// <summary>Connections of the account.</summary>
    public int ActiveConnections { get; init; }

    /// <summary>When the platform was last heard (Unix ms), or null.</summary>
    public long? LastActivityAt { get; init; }

    /// <summary>What is wrong, for the operator, or null.</summary>
    public string? Problem { get; init; }
}

/// <summary>Who calls a method or a tool.</summary>
/// <param name="Name">The name of the caller's token; never the token.</param>
/// <param name="Scopes">The caller's scopes.</param>
/// <param name="Door"><c>listener</c>, <c>local</c> or <c>gateway</c>.</param>
/// <param name="ConnectionId">The connection, for events to it.</param>
public sealed record PluginCaller(string Name, IReadOnlyList<string> Scopes, string Door, string ConnectionId);

/// <summary>Something that happens in a turn, for a channel that shows it.</summary>
public sealed record PluginTurnEvent
{
    /// <summary>The accepted message's id.</summary>
    public required Guid Turn { get; init; }

    /// <summary>Which message of the answer it belongs to, 0 for the first.</summary>
    public int Ordinal { get; init; }

    /// <summary>
    /// <c>partial</c>, <c>rewrite</c>, <c>typing</c>, <c>reasoning</c>, <c>tool</c>, <c>reply</c>, <c>ended</c> or <c>failed</c>; others
    /// may come.
    /// </summary>
    public required string Kind { get; init; }

    /// <summary>The text: a suffix of a <c>partial</c>, the whole of a <c>rewrite</c> or <c>reply</c>.</summary>
    public string? Text { get; init; }

    /// <summary>The id under which the message's push will come.</summary>
    public Guid? MessageId { get; init; }

    /// <summary>The conversation.</summary>
    public string? SessionKey { get; init; }

    /// <summary>The account.</summary>
    public string? AccountId { get; init; }

    /// <summary>The channel's own address of the conversation.</summary>
    public string? Route { get; init; }
}

/// <summary>A record of the plugin.</summary>
public sealed record PluginRecord
{
    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>The value, any JSON.</summary>
    public required JsonElement Value { get; init; }

    /// <summary>Grows with each write.</summary>
    public long Version { get; init; }

    /// <summary>The one indexed field, or null.</summary>
    public string? Index { get; init; }

    /// <summary>When it goes by itself (Unix ms), 0 for never.</summary>
    public long ExpiresAt { get; init; }
}

/// <summary>A change of a record. With a value it is put, without one it is deleted.</summary>
public sealed record PluginRecordWrite
{
    /// <summary>The namespace: the plugin's id, or one below it (<c>id.more</c>).</summary>
    public required string Namespace { get; init; }

    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>The value, any JSON but null; null deletes.</summary>
    public JsonElement? Value { get; init; }

    /// <summary>The one indexed field, or null.</summary>
    public string? Index { get; init; }

    /// <summary>When it goes by itself (Unix ms), 0 for never.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>The version that must be there: null any, 0 none.</summary>
    public long? ExpectedVersion { get; init; }
}

/// <summary>A value stands in a numbered log.</summary>
/// <param name="Number">Its number; for a duplicate, the first one's.</param>
/// <param name="Duplicate">The same <c>once</c> was known; nothing was appended.</param>
public sealed record PluginLogAppended(long Number, bool Duplicate);

/// <summary>A value of a numbered log.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Value">The value, any JSON.</param>
/// <param name="ExpiresAt">Until when it is kept (Unix ms), or 0.</param>
public sealed record PluginLogEntry(long Number, JsonElement Value, long ExpiresAt);

/// <summary>What became of a record's change.</summary>
/// <param name="Conflict">Another version was there; nothing was put.</param>
/// <param name="Version">The version now.</param>
public sealed record PluginRecordWritten(bool Conflict, long Version);
