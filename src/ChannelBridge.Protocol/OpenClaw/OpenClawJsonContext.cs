using System.Text.Json.Serialization;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>Source-generated serialisation of the OpenClaw records.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HelloOk))]
[JsonSerializable(typeof(ConnectParams))]
public sealed partial class OpenClawJsonContext : JsonSerializerContext;
