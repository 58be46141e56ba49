using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Plugins.Protocol;
using StreamJsonRpc.Protocol;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>How the protocol's types stand on the wire. <c>object</c> is there for the library's matching of named parameters.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 64)]
[JsonSerializable(typeof(PluginHello))]
[JsonSerializable(typeof(PluginOffer))]
[JsonSerializable(typeof(PluginStart))]
[JsonSerializable(typeof(PluginStarted))]
[JsonSerializable(typeof(PluginHealth))]
[JsonSerializable(typeof(PluginInbound))]
[JsonSerializable(typeof(PluginOutbound))]
[JsonSerializable(typeof(PluginAccepted))]
[JsonSerializable(typeof(PluginSent))]
[JsonSerializable(typeof(PluginAck))]
[JsonSerializable(typeof(PluginPushed))]
[JsonSerializable(typeof(PluginTarget))]
[JsonSerializable(typeof(PluginCaller))]
[JsonSerializable(typeof(IReadOnlyList<PluginAccount>))]
[JsonSerializable(typeof(IReadOnlyList<PluginTurnEvent>))]
[JsonSerializable(typeof(PluginRecord))]
[JsonSerializable(typeof(IReadOnlyList<PluginRecord>))]
[JsonSerializable(typeof(IReadOnlyList<PluginRecordWrite>))]
[JsonSerializable(typeof(IReadOnlyList<PluginRecordWritten>))]
[JsonSerializable(typeof(PluginLogAppended))]
[JsonSerializable(typeof(IReadOnlyList<PluginLogEntry>))]
[JsonSerializable(typeof(PluginRequest))]
[JsonSerializable(typeof(PluginVerdict))]
[JsonSerializable(typeof(PluginHttpAnswer))]
[JsonSerializable(typeof(PluginServerEvent))]
[JsonSerializable(typeof(PluginSocketOpened))]
[JsonSerializable(typeof(PluginAttachment))]
[JsonSerializable(typeof(PluginFile))]
[JsonSerializable(typeof(PluginRunStart))]
[JsonSerializable(typeof(PluginRun))]
[JsonSerializable(typeof(PluginErrorData))]
[JsonSerializable(typeof(CommonErrorData))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(long))]
[JsonSerializable(typeof(long?))]
[JsonSerializable(typeof(Guid))]
[JsonSerializable(typeof(object))]
internal sealed partial class PluginJson : JsonSerializerContext
{
    /// <summary>The options of both ends.</summary>
    public static JsonSerializerOptions WireOptions =>
        new(Default.Options)
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            TypeInfoResolver = JsonTypeInfoResolver.Combine(Default, new RequestIdResolver()),
        };
}
