using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A.Json;

/// <summary>The records of 1.0 as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    RespectNullableAnnotations = true,
    Converters = [typeof(TaskStateConverter), typeof(MessageRoleConverter), typeof(TimestampConverter)])]
[JsonSerializable(typeof(SendRequest))]
[JsonSerializable(typeof(SendResult))]
[JsonSerializable(typeof(StreamItem))]
[JsonSerializable(typeof(GetTaskRequest))]
[JsonSerializable(typeof(ListTasksRequest))]
[JsonSerializable(typeof(ListTasksResult))]
[JsonSerializable(typeof(CancelTaskRequest))]
[JsonSerializable(typeof(SubscribeRequest))]
[JsonSerializable(typeof(PushConfigRequest))]
[JsonSerializable(typeof(ListPushConfigsRequest))]
[JsonSerializable(typeof(ListPushConfigsResult))]
[JsonSerializable(typeof(ExtendedCardRequest))]
[JsonSerializable(typeof(AgentCard))]
internal sealed partial class A2AJson : JsonSerializerContext
{
    /// <summary>With text as it is: what leaves is JSON of its own, never part of a page.</summary>
    public static A2AJson Relaxed => Holder.Value;

    /// <summary>Made when it is first used: before that the generated part may not be there yet.</summary>
    private static class Holder
    {
        public static readonly A2AJson Value = new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = null });
    }
}
