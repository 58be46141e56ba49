using System.ComponentModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Channels.Juji.Connector;

namespace ChannelBridge.Channels.Juji.Methods;

/// <summary>Parameters of <c>juji.call</c>.</summary>
internal sealed record CallParams
{
    [Description("The account; may be left out where there is one, or one named default.")]
    public string? AccountId { get; init; }

    [Description("The community's action, e.g. task/list; juji.actions lists them.")]
    public required string Action { get; init; }

    [Description("The action's parameters; juji.capabilities has their schemas.")]
    public JsonElement? Params { get; init; }

    [Description("How long to wait for the answer, in milliseconds; at most what the settings say.")]
    public int? TimeoutMs { get; init; }
}

/// <summary>Result of <c>juji.call</c>.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="Action">The action.</param>
/// <param name="Result">What the community answered.</param>
internal sealed record CallResult(string AccountId, string Action, JsonElement? Result);

/// <summary>Parameters of <c>juji.request</c>.</summary>
internal sealed record RequestParams
{
    [Description("The account; may be left out where there is one, or one named default.")]
    public string? AccountId { get; init; }

    [Description("GET (default), POST, PUT, PATCH or DELETE.")]
    public string? Method { get; init; }

    [Description("A path below the community's address, e.g. /task/create; the community's openapi.json has them.")]
    public required string Path { get; init; }

    [Description("The query: an object of texts, numbers and truth values.")]
    public JsonElement? Query { get; init; }

    [Description("The body, any JSON.")]
    public JsonElement? Body { get; init; }
}

/// <summary>Result of <c>juji.request</c>.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="Status">The status, 200 to 299.</param>
/// <param name="Body">The answer, where it is JSON.</param>
/// <param name="Text">The answer, where it is text.</param>
internal sealed record RequestResult(string AccountId, int Status, JsonElement? Body, string? Text);

/// <summary>Parameters that name an account, and whether what is kept will do.</summary>
internal sealed record AskParams
{
    [Description("The account; may be left out where there is one, or one named default.")]
    public string? AccountId { get; init; }

    [Description("True: the community is asked now, though it was a short while ago.")]
    public bool Fresh { get; init; }
}

/// <summary>Parameters that name an account.</summary>
internal sealed record AccountParams
{
    [Description("The account; may be left out where there is one, or one named default.")]
    public string? AccountId { get; init; }
}

/// <summary>What the community answered.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="Result">The answer.</param>
internal sealed record AskResult(string AccountId, JsonElement? Result);

/// <summary>Parameters of <c>juji.subscribe</c>.</summary>
internal sealed record SubscribeParams
{
    [Description("The account; may be left out where there is one, or one named default.")]
    public string? AccountId { get; init; }

    [Description("The topic; juji.topics lists them.")]
    public required string Topic { get; init; }

    [Description("False: broadcasts of the topic no longer come; what is meant for the agent alone still does.")]
    public bool Subscribed { get; init; } = true;
}

/// <summary>Result of <c>juji.status</c>.</summary>
/// <param name="Accounts">The accounts.</param>
internal sealed record StatusResult(IReadOnlyList<AccountStatus> Accounts);

/// <summary>How an account stands.</summary>
internal sealed record AccountStatus
{
    /// <summary>The account.</summary>
    public required string AccountId { get; init; }

    /// <summary><c>waiting</c>, <c>connecting</c>, <c>connected</c>, <c>reconnecting</c>, <c>refused</c> or <c>closed</c>.</summary>
    public required string State { get; init; }

    /// <summary>The community's address.</summary>
    public string? BaseUrl { get; init; }

    /// <summary>The agent's id there.</summary>
    public long? AgentId { get; init; }

    /// <summary>Why there is no connection.</summary>
    public string? LastError { get; init; }

    /// <summary>When it was last connected (Unix ms).</summary>
    public long? ConnectedAt { get; init; }

    /// <summary>When anything was last heard (Unix ms).</summary>
    public long? LastHeardAt { get; init; }

    /// <summary>Attempts since the last connection.</summary>
    public int ReconnectAttempts { get; init; }

    /// <summary>Calls that wait for answers.</summary>
    public int PendingCalls { get; init; }

    /// <summary>Answers that came twice or too late.</summary>
    public long LateAnswers { get; init; }

    /// <summary>Frames that made no sense.</summary>
    public long Ignored { get; init; }

    /// <summary>Pushes that are where their routes lead.</summary>
    public long Pushes { get; init; }

    /// <summary>Pushes that were there already.</summary>
    public long DuplicatePushes { get; init; }

    /// <summary>Pushes that no route wants.</summary>
    public long UnroutedPushes { get; init; }

    /// <summary>Pushes that are lost: too many at once, or refused by their target.</summary>
    public long LostPushes { get; init; }

    /// <summary>The agent's last answers that went to nobody, the newest first; in the result of <c>juji.status</c> only.</summary>
    public IReadOnlyList<KeptAnswer>? Answers { get; init; }
}

/// <summary>Serialization of the methods.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CallParams))]
[JsonSerializable(typeof(CallResult))]
[JsonSerializable(typeof(RequestParams))]
[JsonSerializable(typeof(RequestResult))]
[JsonSerializable(typeof(AskParams))]
[JsonSerializable(typeof(AskResult))]
[JsonSerializable(typeof(AccountParams))]
[JsonSerializable(typeof(SubscribeParams))]
[JsonSerializable(typeof(StatusResult))]
internal sealed partial class JujiJson : JsonSerializerContext
{
    /// <summary>Without escapes that only a web page needs.</summary>
    public static JujiJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
