using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The parameters of <c>auth.connect</c>.</summary>
internal static class ConnectParameters
{
    /// <summary>Writes them.</summary>
    public static void Write(Utf8JsonWriter writer, string nonce, string token, string deviceId, AunAccountOptions account, string kind = "long")
    {
        writer.WriteString("nonce"u8, nonce);
        writer.WriteStartObject("auth"u8);
        writer.WriteString("method"u8, "kite_token");
        writer.WriteString("token"u8, token);
        writer.WriteEndObject();
        writer.WriteStartObject("protocol"u8);
        writer.WriteString("min"u8, "1.0");
        writer.WriteString("max"u8, "1.0");
        writer.WriteEndObject();
        writer.WriteStartObject("device"u8);
        writer.WriteString("id"u8, deviceId);
        writer.WriteString("type"u8, "sdk");
        writer.WriteEndObject();
        writer.WriteStartObject("client"u8);
        writer.WriteString("slot_id"u8, account.SlotId);
        writer.WriteEndObject();
        writer.WriteStartObject("delivery_mode"u8);
        var queue = account.DeliveryMode == AunDeliveryMode.Queue;
        var affinity = queue && account.Routing == AunRouting.SenderAffinity;
        writer.WriteString("mode"u8, queue ? "queue" : "fanout");
        writer.WriteString("routing"u8, !queue ? "" : affinity ? "sender_affinity" : "round_robin");
        writer.WriteNumber("affinity_ttl_ms"u8, affinity ? (long)account.AffinityTime.TotalMilliseconds : 0);
        writer.WriteEndObject();
        writer.WriteStartObject("options"u8);
        writer.WriteString("kind"u8, kind);
        writer.WriteEndObject();
        writer.WriteStartObject("capabilities"u8);
        writer.WriteBoolean("e2ee"u8, true);
        writer.WriteBoolean("group_e2ee"u8, false);
        writer.WriteEndObject();
    }
}
