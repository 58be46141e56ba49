using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Endpoints.Router;

namespace ChannelBridge.Endpoints;

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
internal sealed partial class EndpointJson : JsonSerializerContext;
