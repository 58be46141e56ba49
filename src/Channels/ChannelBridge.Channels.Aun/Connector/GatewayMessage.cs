using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>A message as a gateway hands it over, pushed or pulled.</summary>
internal sealed record GatewayMessage
{
    /// <summary>The sender, as the gateway says.</summary>
    public required string From { get; init; }

    /// <summary>The receiver, or empty.</summary>
    public required string To { get; init; }

    /// <summary>Its id; null where the gateway gives none.</summary>
    public required string? Id { get; init; }

    /// <summary>Its number in the receiver's log; null where it has none.</summary>
    public required long? Seq { get; init; }

    /// <summary>For which device it is; null or empty: for each.</summary>
    public required string? DeviceId { get; init; }

    /// <summary>For which slot.</summary>
    public required string? SlotId { get; init; }

    /// <summary>What it says.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>What makes it the same message, whatever its number.</summary>
    public UInt128 Key(string aid)
    {
        var what = Id is { } id ? $"id:{id}" : Seq is { } seq ? $"seq:{seq}" : $"text:{Payload.GetRawText()}";
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"aun\n{aid}\n{From}\n{what}")));
    }

    /// <summary>True when nothing but its content tells it from others.</summary>
    public bool IsAnonymous => Id is null && Seq is null;

    /// <summary>Reads one; null when it has no sender or no payload.</summary>
    public static GatewayMessage? Read(JsonElement json) =>
        Wire.Text(json, "from", 255) is { Length: > 0 } from && from.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        && json.TryGetProperty("payload"u8, out var payload) && payload.ValueKind == JsonValueKind.Object
            ? new GatewayMessage
            {
                From = from,
                To = Wire.Text(json, "to", 255) ?? "",
                Id = Wire.Text(json, "message_id", 1024) is { Length: > 0 } id ? id : null,
                Seq = SeqOf(json),
                DeviceId = Wire.Text(json, "device_id", 255),
                SlotId = Wire.Text(json, "slot_id", 255),
                Payload = payload,
            }
            : null;

    /// <summary>The number of what may be no message at all.</summary>
    public static long? SeqOf(JsonElement json) => Wire.Whole(json, "seq") is > 0 and var seq ? seq : null;
}
