using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A.V03;

/// <summary>
/// Whatever 0.3 tells apart by <c>kind</c>: a task, a message, or a change of a task. Members that a kind doesn't have are null.
/// </summary>
internal sealed record Item03
{
    public const string Task = "task";
    public const string Message = "message";
    public const string StatusUpdate = "status-update";
    public const string ArtifactUpdate = "artifact-update";

    public string? Kind { get; init; }

    public string? Id { get; init; }

    public string? MessageId { get; init; }

    public string? TaskId { get; init; }

    public string? ContextId { get; init; }

    public string? Role { get; init; }

    public IReadOnlyList<Part03>? Parts { get; init; }

    public Status03? Status { get; init; }

    public Artifact03? Artifact { get; init; }

    public bool? Append { get; init; }

    public bool? LastChunk { get; init; }

    public bool? Final { get; init; }

    public IReadOnlyList<Artifact03>? Artifacts { get; init; }

    public IReadOnlyList<Item03>? History { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<string>? Extensions { get; init; }

    public IReadOnlyList<string>? ReferenceTaskIds { get; init; }
}

internal sealed record Part03
{
    public string? Kind { get; init; }

    public string? Text { get; init; }

    public File03? File { get; init; }

    public JsonElement? Data { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record File03
{
    public byte[]? Bytes { get; init; }

    public string? Uri { get; init; }

    public string? MimeType { get; init; }

    public string? Name { get; init; }
}

internal sealed record Status03
{
    public string? State { get; init; }

    public Item03? Message { get; init; }

    public string? Timestamp { get; init; }
}

internal sealed record Artifact03
{
    public string? ArtifactId { get; init; }

    public string? Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<Part03>? Parts { get; init; }

    public JsonElement? Metadata { get; init; }

    public IReadOnlyList<string>? Extensions { get; init; }
}

internal sealed record Send03
{
    public Item03? Message { get; init; }

    public Configuration03? Configuration { get; init; }

    public JsonElement? Metadata { get; init; }
}

internal sealed record Configuration03
{
    public IReadOnlyList<string>? AcceptedOutputModes { get; init; }

    public bool? Blocking { get; init; }

    public int? HistoryLength { get; init; }

    public Push03? PushNotificationConfig { get; init; }
}

internal sealed record Push03
{
    public string? Id { get; init; }

    public string? Url { get; init; }

    public string? Token { get; init; }

    public PushAuthentication03? Authentication { get; init; }
}

internal sealed record PushAuthentication03
{
    public IReadOnlyList<string>? Schemes { get; init; }

    public string? Credentials { get; init; }
}

internal sealed record TaskPush03
{
    public string? TaskId { get; init; }

    public Push03? PushNotificationConfig { get; init; }
}

/// <summary>The parameters of everything that names a task, or a push configuration of one.</summary>
internal sealed record TaskId03
{
    public string? Id { get; init; }

    public int? HistoryLength { get; init; }

    public string? PushNotificationConfigId { get; init; }

    public JsonElement? Metadata { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Item03))]
[JsonSerializable(typeof(Send03))]
[JsonSerializable(typeof(TaskId03))]
[JsonSerializable(typeof(TaskPush03))]
[JsonSerializable(typeof(IReadOnlyList<TaskPush03>))]
internal sealed partial class Json03 : JsonSerializerContext
{
    public static Json03 Relaxed => Holder.Value;

    /// <summary>Made when it is first used: before that the generated part may not be there yet.</summary>
    private static class Holder
    {
        public static readonly Json03 Value = new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = null });
    }
}
