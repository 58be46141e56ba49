using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A.V03Rest;

internal sealed record RestMessage
{
    public string? MessageId { get; init; }

    public string? ContextId { get; init; }

    public string? TaskId { get; init; }

    public string? Role { get; init; }

    public IReadOnlyList<RestPart>? Content { get; init; }

    /// <summary>What some clients write instead of <c>content</c>.</summary>
    public IReadOnlyList<RestPart>? Parts { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<string>? Extensions { get; init; }
}

internal sealed record RestPart
{
    public string? Text { get; init; }

    public RestFile? File { get; init; }

    public RestData? Data { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record RestFile
{
    public string? FileWithUri { get; init; }

    public byte[]? FileWithBytes { get; init; }

    public string? MimeType { get; init; }

    public string? Name { get; init; }
}

internal sealed record RestData
{
    public JsonElement? Data { get; init; }
}

internal sealed record RestStatus
{
    public string? State { get; init; }

    public RestMessage? Message { get; init; }

    public string? Timestamp { get; init; }
}

internal sealed record RestTask
{
    public string? Id { get; init; }

    public string? ContextId { get; init; }

    public RestStatus? Status { get; init; }

    public IReadOnlyList<RestArtifact>? Artifacts { get; init; }

    public IReadOnlyList<RestMessage>? History { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record RestArtifact
{
    public string? ArtifactId { get; init; }

    public string? Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<RestPart>? Parts { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<string>? Extensions { get; init; }
}

/// <summary>A change of a task: of its state, or an artifact.</summary>
internal sealed record RestUpdate
{
    public string? TaskId { get; init; }

    public string? ContextId { get; init; }

    public RestStatus? Status { get; init; }

    public bool? Final { get; init; }

    public RestArtifact? Artifact { get; init; }

    public bool? Append { get; init; }

    public bool? LastChunk { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record RestItem
{
    public RestTask? Task { get; init; }

    public RestMessage? Message { get; init; }

    public RestUpdate? StatusUpdate { get; init; }

    public RestUpdate? ArtifactUpdate { get; init; }
}

internal sealed record RestSend
{
    public RestMessage? Message { get; init; }

    public RestConfiguration? Configuration { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record RestConfiguration
{
    public IReadOnlyList<string>? AcceptedOutputModes { get; init; }

    public bool? Blocking { get; init; }

    public int? HistoryLength { get; init; }

    public V03.Push03? PushNotification { get; init; }
}

/// <summary>A push configuration with its name, <c>tasks/{task}/pushNotificationConfigs/{id}</c>.</summary>
internal sealed record RestPush
{
    public string? Name { get; init; }

    public V03.Push03? PushNotificationConfig { get; init; }
}

internal sealed record RestPushCreate
{
    public string? Parent { get; init; }

    public string? ConfigId { get; init; }

    public RestPush? Config { get; init; }

    /// <summary>What the JavaScript SDK's client writes: the configuration itself, not a wish to create one.</summary>
    public string? Name { get; init; }

    public V03.Push03? PushNotificationConfig { get; init; }
}

internal sealed record RestPushes
{
    public IReadOnlyList<RestPush>? Configs { get; init; }

    public string? NextPageToken { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RestItem))]
[JsonSerializable(typeof(RestSend))]
[JsonSerializable(typeof(RestPushCreate))]
[JsonSerializable(typeof(RestPushes))]
internal sealed partial class RestJson : JsonSerializerContext
{
    public static RestJson Relaxed => Holder.Value;

    /// <summary>Made when it is first used: before that the generated part may not be there yet.</summary>
    private static class Holder
    {
        public static readonly RestJson Value = new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = null });
    }
}
