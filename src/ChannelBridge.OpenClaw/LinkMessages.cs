using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.OpenClaw;

// What may be absent has a setter, not an initialiser: generated serialisation gives an absent init-only member its type's default, not its
// own.

/// <summary><c>link.hello</c>, see docs/link.md.</summary>
internal sealed record HelloParameters
{
    public string? Token { get; set; }

    public int Protocol { get; set; }

    public string InstanceId { get; set; } = "";

    public string? GatewayVersion { get; set; }

    public string? PluginVersion { get; set; }

    public IReadOnlyList<LinkAccount>? Accounts { get; set; }

    /// <summary>The hash of the installed package, see <see cref="PluginPackage"/>; null: a plugin from before there was one.</summary>
    public string? Package { get; set; }

    /// <summary>The channels that the gateway has by the plugin; null: those that the accounts name.</summary>
    public IReadOnlyList<string>? Channels { get; set; }

    /// <summary>The methods that it forwards.</summary>
    public IReadOnlyList<string>? Methods { get; set; }

    /// <summary>The tools that it offers to the gateway's agent.</summary>
    public IReadOnlyList<string>? Tools { get; set; }

    /// <summary>What the plugin can beside the protocol's least: <see cref="LinkFeatures"/>.</summary>
    public IReadOnlyList<string>? Features { get; set; }

    /// <summary>The same with texts that may be shown, and lists of a size that a package can have.</summary>
    public HelloParameters Cleaned() => this with
    {
        InstanceId = LinkText.Clean(InstanceId),
        GatewayVersion = LinkText.CleanOrNull(GatewayVersion),
        PluginVersion = LinkText.CleanOrNull(PluginVersion),
        Package = LinkText.CleanOrNull(Package),
        Channels = Cut(Channels),
        Methods = Cut(Methods),
        Tools = Cut(Tools),
    };

    private static List<string>? Cut(IReadOnlyList<string>? names) => names is null ? null : [.. names.Take(1_000).Select(LinkText.Clean)];
}

/// <summary>What either side may say in <c>link.hello</c> that it can.</summary>
internal static class LinkFeatures
{
    /// <summary>Bytes of files come as binary messages, without base64.</summary>
    public const string Binary = "binary";
}

/// <summary>An account as the gateway's settings have it.</summary>
internal sealed record LinkAccount
{
    public string Channel { get; set; } = "bncr";

    public required string AccountId { get; init; }

    public string? Name { get; set; }

    public bool Enabled { get; set; } = true;

    public string? AgentId { get; set; }

    /// <summary>"auto", or a boolean; anything else counts as "auto".</summary>
    public JsonElement OutboundRequireAck { get; set; }

    /// <summary>True: the core's notice that it resumes an interrupted turn is delivered, too.</summary>
    public bool RestartNotice { get; set; }

    /// <summary>The same with texts that may be shown.</summary>
    public LinkAccount Cleaned() => this with
    {
        Channel = LinkText.Clean(Channel),
        AccountId = LinkText.Clean(AccountId),
        Name = LinkText.CleanOrNull(Name),
        AgentId = LinkText.CleanOrNull(AgentId)
    };
}

/// <summary><c>link.accounts</c>.</summary>
internal sealed record AccountsParameters
{
    public required IReadOnlyList<LinkAccount> Accounts { get; init; }
}

/// <summary>The answer to <c>link.hello</c>.</summary>
/// <param name="Protocol">The link's protocol.</param>
/// <param name="HostVersion">The host's version.</param>
/// <param name="HostId">The store's id.</param>
/// <param name="Features">What the host can, and its tools as <c>tool:NAME</c>.</param>
/// <param name="Package"><c>current</c> or <c>other</c>: whether the plugin's package is the one that belongs to this host.</param>
internal sealed record HelloResult(int Protocol, string HostVersion, string HostId, IReadOnlyList<string> Features, string? Package);

/// <summary><c>link.request</c>: for the schema; the method reads its parameters itself.</summary>
internal sealed record RequestParameters
{
    public required string Method { get; init; }

    public JsonElement Params { get; set; }

    public required string ConnId { get; init; }

    public required IReadOnlyList<string> Scopes { get; init; }

    public string? ClientId { get; set; }

    public string? Identity { get; set; }

    public string? Traceparent { get; set; }
}

internal sealed record DisconnectedParameters
{
    public required string ConnId { get; init; }
}

/// <summary><c>link.turnEvent</c>.</summary>
internal sealed record TurnEventParameters
{
    public required string TurnId { get; init; }

    public required string Kind { get; init; }

    [JsonConverter(typeof(SoundTextConverter))]
    public string? Text { get; set; }

    public string? Outcome { get; set; }

    /// <summary>The tool's call, of <c>toolCall</c> and <c>toolResult</c>.</summary>
    public string? CallId { get; set; }

    public string? Name { get; set; }

    /// <summary>JSON text.</summary>
    public string? Arguments { get; set; }

    public string? Output { get; set; }

    /// <summary>Files of a <c>reply</c>, by their addresses.</summary>
    public IReadOnlyList<LinkMedia>? Media { get; set; }

    public string? Code { get; set; }

    public string? Message { get; set; }

    public bool Retryable { get; set; }

    public long? RetryAfterMs { get; set; }
}

/// <summary><c>link.send</c>.</summary>
internal sealed record SendParameters
{
    public required string DeliveryId { get; init; }

    public int Part { get; set; }

    public int? Parts { get; set; }

    public string Channel { get; set; } = "bncr";

    public string? AccountId { get; set; }

    public required string To { get; init; }

    [JsonConverter(typeof(SoundTextConverter))]
    public string Text { get; set; } = "";

    public string? Kind { get; set; }

    /// <summary>True: the core sends it by itself, outside of its queue; no agent has written it.</summary>
    public bool Direct { get; set; }

    public string? ReplyToId { get; set; }

    public IReadOnlyList<LinkMedia>? Media { get; set; }
}

internal sealed record LinkMedia
{
    public string? Path { get; set; }

    public string? Url { get; set; }

    public string? MimeType { get; set; }

    public string? FileName { get; set; }

    public byte[]? Content { get; set; }

    /// <summary>Of a turn: the file that came before by <c>link.media</c>.</summary>
    public string? MediaId { get; set; }

    /// <summary>Of a send: a voice message.</summary>
    public bool Voice { get; set; }

    /// <summary>Of a send: why the file itself isn't there.</summary>
    public string? Reason { get; set; }

    /// <summary>Of a send: the name that <c>link.media</c> answered.</summary>
    public string? File { get; set; }
}

/// <summary><c>link.media</c>, both ways: a piece of a file.</summary>
internal sealed record MediaParameters
{
    public required string MediaId { get; init; }

    public long Offset { get; set; }

    /// <summary>Bytes of the whole file.</summary>
    public long Size { get; set; }

    /// <summary>The piece, where it isn't beside the parameters.</summary>
    public byte[]? Content { get; set; }

    public string? MimeType { get; set; }

    public string? FileName { get; set; }

    public string Channel { get; set; } = "bncr";

    public string? AccountId { get; set; }

    /// <summary>Towards the host, of the first piece: where the message goes.</summary>
    public string? To { get; set; }
}

/// <summary>The host's answer to a piece: how much it has, and after the last one the file's name.</summary>
internal sealed record MediaResult(long Received, string? File);

/// <summary>The plugin's answer to a piece.</summary>
internal sealed record MediaAnswer
{
    public bool Accepted { get; set; }

    public string? Reason { get; set; }
}

internal sealed record SendResult(string MessageId, string SessionKey, long Seq, bool Duplicate);

/// <summary><c>link.reconcile</c>.</summary>
internal sealed record ReconcileParameters
{
    public required string DeliveryId { get; init; }

    public int Part { get; set; }

    public string Channel { get; set; } = "bncr";

    public string? AccountId { get; set; }

    public required string To { get; init; }
}

internal sealed record ReconcileResult(string Status, string? MessageId = null);

internal sealed record StatusParameters;

internal sealed record StatusResult(IReadOnlyList<LinkAccountStatus> Accounts);

internal sealed record LinkAccountStatus
{
    public required string Channel { get; init; }

    public required string AccountId { get; init; }

    public bool Connected { get; set; }

    public int ActiveConnections { get; set; }

    public long Pending { get; set; }

    public long DeadLetter { get; set; }

    public long? LastInboundAt { get; set; }

    public long? LastOutboundAt { get; set; }

    public long? LastActivityAt { get; set; }

    public string? LastSessionKey { get; set; }

    public string? LastSessionScope { get; set; }

    public long? LastSessionAt { get; set; }
}

/// <summary><c>link.turn</c>.</summary>
internal sealed record TurnParameters
{
    public required string TurnId { get; init; }

    public required string MessageId { get; init; }

    public required string Channel { get; init; }

    public required string AccountId { get; init; }

    public required string SessionKey { get; init; }

    /// <summary>The gateway's agent that the session belongs to.</summary>
    public string? AgentId { get; set; }

    public required string Route { get; init; }

    public bool IsGroup { get; set; }

    public required string ConversationId { get; init; }

    public required string SenderId { get; init; }

    public required string Subject { get; init; }

    /// <summary><c>gateway</c>, <c>channel</c> or <c>own</c>.</summary>
    public required string Door { get; init; }

    public required string Text { get; init; }

    public bool IsCommand { get; set; }

    public string? TaskKey { get; set; }

    public long Timestamp { get; set; }

    public IReadOnlyList<LinkMedia>? Media { get; set; }

    public required string ReplyTo { get; init; }

    /// <summary>True: the answer comes as turn events instead of by <c>link.send</c>, because somebody waits for it.</summary>
    public bool? Collect { get; set; }

    /// <summary>False: nothing that the sender writes is a command of the gateway. Absent: the gateway's own rules say.</summary>
    public bool? Commands { get; set; }

    /// <summary>True: files of a collected answer come by <c>link.media</c>, like those of a <c>link.send</c>.</summary>
    public bool? Files { get; set; }

    /// <summary>What the model is told for this turn, beside what it is told anyway.</summary>
    public string? Instructions { get; set; }

    public string? Traceparent { get; set; }
}

internal sealed record CancelTurnParameters(string TurnId);

/// <summary><c>link.admit</c>.</summary>
internal sealed record AdmitParameters
{
    public required string Channel { get; init; }

    public required string AccountId { get; init; }

    public required string Subject { get; init; }

    public required string SenderId { get; init; }

    public required string ConversationId { get; init; }

    public required string Route { get; init; }

    public bool IsGroup { get; set; }

    public bool IsCommand { get; set; }
}

internal sealed record AdmitResult
{
    public required string Decision { get; init; }

    public string? Reason { get; set; }

    public string? ReplyText { get; set; }

    public string? ReplyKey { get; set; }
}

internal sealed record PushResult
{
    public bool Delivered { get; set; }

    public string? Reason { get; set; }
}

/// <summary><c>link.notify</c>: a word into a session outside of any turn.</summary>
internal sealed record NotifyParameters
{
    public required string SessionKey { get; init; }

    public string? AgentId { get; set; }

    public required string Text { get; init; }

    /// <summary>The same word has the same key.</summary>
    public required string Key { get; init; }

    /// <summary>True: the session is asked to look at it soon.</summary>
    public bool Wake { get; set; }
}

internal sealed record NotifyAnswer
{
    public bool Delivered { get; set; }
}

internal sealed record Nothing
{
    public static Nothing Instance { get; } = new();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HelloParameters))]
[JsonSerializable(typeof(AccountsParameters))]
[JsonSerializable(typeof(HelloResult))]
[JsonSerializable(typeof(RequestParameters))]
[JsonSerializable(typeof(DisconnectedParameters))]
[JsonSerializable(typeof(TurnEventParameters))]
[JsonSerializable(typeof(SendParameters))]
[JsonSerializable(typeof(SendResult))]
[JsonSerializable(typeof(ReconcileParameters))]
[JsonSerializable(typeof(ReconcileResult))]
[JsonSerializable(typeof(StatusParameters))]
[JsonSerializable(typeof(StatusResult))]
[JsonSerializable(typeof(TurnParameters))]
[JsonSerializable(typeof(CancelTurnParameters))]
[JsonSerializable(typeof(AdmitParameters))]
[JsonSerializable(typeof(AdmitResult))]
[JsonSerializable(typeof(PushResult))]
[JsonSerializable(typeof(TurnOrigin))]
[JsonSerializable(typeof(MediaParameters))]
[JsonSerializable(typeof(MediaResult))]
[JsonSerializable(typeof(MediaAnswer))]
[JsonSerializable(typeof(NotifyParameters))]
[JsonSerializable(typeof(NotifyAnswer))]
[JsonSerializable(typeof(LateReply))]
[JsonSerializable(typeof(Nothing))]
internal sealed partial class LinkJson : JsonSerializerContext
{
    /// <summary>Lenient to what a newer plugin adds, and without escapes that only a web page needs.</summary>
    public static LinkJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
