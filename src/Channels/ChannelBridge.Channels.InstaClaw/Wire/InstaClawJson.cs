using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Channels.InstaClaw.Messages;
using ChannelBridge.Channels.InstaClaw.Registration;

namespace ChannelBridge.Channels.InstaClaw.Wire;

/// <summary>The channel's wire records, files and stored records. Unknown members are ignored: the platform may add its own.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Profile))]
[JsonSerializable(typeof(ActivateSession))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(ProfileFields))]
[JsonSerializable(typeof(Proposal))]
[JsonSerializable(typeof(AccountParams))]
[JsonSerializable(typeof(SubmitParams))]
[JsonSerializable(typeof(CancelParams))]
[JsonSerializable(typeof(RegistrationResult))]
[JsonSerializable(typeof(CancelResult))]
[JsonSerializable(typeof(ListTasksParams))]
[JsonSerializable(typeof(GrabTaskParams))]
[JsonSerializable(typeof(SubmitDeliverableParams))]
[JsonSerializable(typeof(UploadArtifactParams))]
[JsonSerializable(typeof(PlatformResult))]
[JsonSerializable(typeof(UploadResult))]
[JsonSerializable(typeof(Deliverable))]
[JsonSerializable(typeof(StoredRequest))]
internal sealed partial class InstaClawJson : JsonSerializerContext
{
    /// <summary>For files that people read, too.</summary>
    public static InstaClawJson Indented { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    });

    /// <summary>Without escapes that only a web page needs.</summary>
    public static InstaClawJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
