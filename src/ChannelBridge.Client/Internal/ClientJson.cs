using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace ChannelBridge.Client.Internal;

/// <summary>Source-generated serialisation of what the client itself writes.</summary>
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class ClientJson : JsonSerializerContext;
