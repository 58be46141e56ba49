using System.Text.Json.Serialization;

namespace MyChat;

/// <summary>What stands under <c>Plugins:mychat:Settings</c>; channelbridge.plugin.json has its schema, which the host checks.</summary>
public sealed record MyChatSettings
{
    /// <summary>Where <c>in</c> and <c>out</c> lie; null: the plugin's data folder.</summary>
    public string? Folder { get; init; }

    /// <summary>How often the folder is looked at, in milliseconds.</summary>
    public int IntervalMs { get; set; } = 200;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MyChatSettings))]
internal sealed partial class MyChatJson : JsonSerializerContext;
