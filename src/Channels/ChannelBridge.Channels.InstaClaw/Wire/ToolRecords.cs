using System.Text.Json;

namespace ChannelBridge.Channels.InstaClaw.Wire;

/// <summary><c>list-tasks</c>.</summary>
internal sealed record ListTasksParams
{
    public string? AccountId { get; set; }

    public string? Status { get; set; }

    public string? Keyword { get; set; }

    public int? Page { get; set; }

    public int? PageSize { get; set; }
}

/// <summary><c>grab-task</c>.</summary>
internal sealed record GrabTaskParams
{
    public string? AccountId { get; set; }

    public required string TaskId { get; init; }
}

/// <summary><c>submit-deliverable</c>.</summary>
internal sealed record SubmitDeliverableParams
{
    public string? AccountId { get; set; }

    public required string TaskId { get; init; }

    public required string Content { get; init; }

    public IReadOnlyList<string>? ArtifactIds { get; set; }

    public IReadOnlyList<string>? Links { get; set; }
}

/// <summary><c>upload-artifact</c>.</summary>
internal sealed record UploadArtifactParams
{
    public string? AccountId { get; set; }

    public required string TaskId { get; init; }

    public required string FilePath { get; init; }

    public string? Description { get; set; }
}

/// <summary>What the platform answered, as it is.</summary>
internal sealed record PlatformResult(string AccountId, JsonElement Data);

/// <summary>What the platform answered to an upload.</summary>
internal sealed record UploadResult(string AccountId, string FileName, long Bytes, string Sha256, JsonElement Data);

/// <summary>A task's result as it is posted.</summary>
internal sealed record Deliverable
{
    [System.Text.Json.Serialization.JsonPropertyName("content")]
    public required string Content { get; init; }

    [System.Text.Json.Serialization.JsonPropertyName("artifact_ids")]
    public IReadOnlyList<string>? ArtifactIds { get; set; }

    [System.Text.Json.Serialization.JsonPropertyName("links")]
    public IReadOnlyList<string>? Links { get; set; }
}
