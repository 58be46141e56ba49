using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>How an AID's messages reach its connections, in the one form in which two are compared.</summary>
/// <param name="IsQueue">True: exactly one connection gets a message. False: all do.</param>
/// <param name="HasAffinity">With a queue: a sender keeps its connection.</param>
/// <param name="AffinityMs">For how long; 0 without affinity.</param>
internal readonly record struct DeliveryMode(bool IsQueue, bool HasAffinity, long AffinityMs)
{
    private const long DefaultAffinityMs = 300_000;
    private const long MostAffinityMs = 86_400_000;

    /// <summary>All connections; what is meant when nothing is said.</summary>
    public static DeliveryMode Fanout => default;

    /// <summary>The word for it.</summary>
    public string Word => IsQueue ? "queue" : "fanout";

    /// <summary>Reads it: an object, or the word alone; nothing, null and empty texts mean the default.</summary>
    public static DeliveryMode Read(JsonElement parameters)
    {
        if (!parameters.TryGetProperty("delivery_mode"u8, out var value) || value.ValueKind == JsonValueKind.Null) return Fanout;
        if (value.ValueKind == JsonValueKind.String) return Of(Plain(value.GetString()), "", 0);
        if (value.ValueKind != JsonValueKind.Object) throw new RpcFault(RpcFault.Validation, "delivery_mode must be an object with mode, routing and affinity_ttl_ms");
        var mode = Plain(Params.Text(value, "mode", code: RpcFault.Validation));
        var routing = Plain(Params.Text(value, "routing", code: RpcFault.Validation));
        var affinity = value.TryGetProperty("affinity_ttl_ms"u8, out var ttl) && ttl.ValueKind == JsonValueKind.Number && ttl.TryGetDouble(out var number) ? number : 0;
        if (affinity is < 0 or > MostAffinityMs) throw new RpcFault(RpcFault.Validation, $"affinity_ttl_ms must be from 0 to {MostAffinityMs}");
        return Of(mode, routing, (long)affinity);
    }

    private static DeliveryMode Of(string mode, string routing, long affinity)
    {
        if (mode is "" or "fanout") return Fanout;
        if (mode != "queue") throw new RpcFault(RpcFault.Validation, "delivery_mode.mode must be fanout or queue");
        return routing switch
        {
            "" or "round_robin" => new DeliveryMode(true, false, 0),
            "sender_affinity" => new DeliveryMode(true, true, affinity > 0 ? affinity : DefaultAffinityMs),
            _ => throw new RpcFault(RpcFault.Validation, "delivery_mode.routing must be round_robin or sender_affinity"),
        };
    }

    private static string Plain(string? text) => text?.Trim().ToLowerInvariant() ?? "";
}
