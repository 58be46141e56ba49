using System.Buffers;
using System.Text.Json;
using ChannelBridge.Channels.Bncr.Leases;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Writes <c>lease.lost</c> and <c>lease.regained</c>: <c>{accountId, leaseId, connectionEpoch, reason, byClientId?, ts}</c>.</summary>
internal static class LeaseEvent
{
    public static void Render(IBufferWriter<byte> output, BncrSession session, string reason, string? byClientId, long now)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("accountId"u8, session.Account.DisplayId);
        json.WriteString("leaseId"u8, session.LeaseId);
        json.WriteNumber("connectionEpoch"u8, session.Epoch);
        json.WriteString("reason"u8, reason);
        if (byClientId is not null) json.WriteString("byClientId"u8, byClientId);
        json.WriteNumber("ts"u8, now);
        json.WriteEndObject();
    }
}
