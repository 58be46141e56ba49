using System.Text.Json.Serialization;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>The channel's wire and stored records. Unknown members are ignored: clients may add their own. A member that is there twice is refused.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(ConnectParams))]
[JsonSerializable(typeof(ConnectResult))]
[JsonSerializable(typeof(InboundParams))]
[JsonSerializable(typeof(InboundResult))]
[JsonSerializable(typeof(LeaseParams))]
[JsonSerializable(typeof(ActivityParams))]
[JsonSerializable(typeof(ActivityResult))]
[JsonSerializable(typeof(AckParams))]
[JsonSerializable(typeof(AckReply))]
[JsonSerializable(typeof(DiagnosticsResult))]
[JsonSerializable(typeof(RpcCallParams))]
[JsonSerializable(typeof(RpcCallResult))]
[JsonSerializable(typeof(RpcRequestEvent))]
[JsonSerializable(typeof(RpcResponseParams))]
[JsonSerializable(typeof(RpcResponseResult))]
[JsonSerializable(typeof(KeptStats))]
[JsonSerializable(typeof(ForgetResult))]
[JsonSerializable(typeof(ConversationsParams))]
[JsonSerializable(typeof(ConversationsResult))]
[JsonSerializable(typeof(DeadLetterParams))]
[JsonSerializable(typeof(DeadLetterPruneParams))]
[JsonSerializable(typeof(DeadLetterInspectResult))]
[JsonSerializable(typeof(DeadLetterPruneResult))]
[JsonSerializable(typeof(KnownRoute))]
internal sealed partial class BncrJson : JsonSerializerContext;
