using System.Text.Json.Serialization;

namespace ChannelBridge.A2A;

/// <summary>How a server proves itself to a push notification's receiver.</summary>
public sealed record PushAuthentication
{
    /// <summary>The scheme of the <c>Authorization</c> header.</summary>
    public string Scheme { get; init => field = value ?? ""; } = "";

    /// <summary>What follows it. A server never tells it again.</summary>
    public string? Credentials { get; init; }
}

/// <summary>Where to tell a client of a task's changes.</summary>
public sealed record PushConfig
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>Its id, unique in its task.</summary>
    public string? Id { get; init; }

    /// <summary>The task.</summary>
    public string? TaskId { get; init; }

    /// <summary>Where to post.</summary>
    public string Url { get; init => field = value ?? ""; } = "";

    /// <summary>What the receiver knows the notification by.</summary>
    public string? Token { get; init; }

    /// <summary>How the server proves itself.</summary>
    public PushAuthentication? Authentication { get; init; }

    /// <summary>The version of the request that brought it, for servers: its receiver expects that version's bodies. Never written.</summary>
    [JsonIgnore]
    public string? Version { get; init; }
}

/// <summary>Names a push configuration: to read or to remove it.</summary>
public sealed record PushConfigRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The task.</summary>
    public string TaskId { get; init => field = value ?? ""; } = "";

    /// <summary>The configuration.</summary>
    public string Id { get; init => field = value ?? ""; } = "";
}

/// <summary>Asks for the push configurations of a task.</summary>
public sealed record ListPushConfigsRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The task.</summary>
    public string TaskId { get; init => field = value ?? ""; } = "";

    /// <summary>How many.</summary>
    public int? PageSize { get; init; }

    /// <summary>Where to go on.</summary>
    public string? PageToken { get; init; }
}

/// <summary>The push configurations of a task.</summary>
public sealed record ListPushConfigsResult
{
    /// <summary>The configurations, without their credentials.</summary>
    public IReadOnlyList<PushConfig> Configs { get; init => field = value ?? []; } = [];

    /// <summary>Where to go on, or null at the end.</summary>
    public string? NextPageToken { get; init; }
}
