using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Gateway.Router;

namespace ChannelBridge.Gateway;

/// <summary>Source-generated serialisation of the doors' own records.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(NoParameters))]
[JsonSerializable(typeof(AuthenticateParameters))]
[JsonSerializable(typeof(AuthenticateResult))]
[JsonSerializable(typeof(PingResult))]
[JsonSerializable(typeof(DiscoverResult))]
internal sealed partial class GatewayJson : JsonSerializerContext;
