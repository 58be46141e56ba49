using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Events;

namespace ChannelBridge.Core.Transfers;

/// <summary>Tells who watches how far transfers are, and counts them.</summary>
internal sealed class TransferEvents(IEventHub? hub, TimeProvider time)
{
    public void Changed(
        string channel, string account, string transferId, string direction, string? fileName, string state, long done, TransferMeter meter)
    {
        if (state != "open") Telemetry.Transfers.Add(1, new("channelbridge.direction", direction), new("channelbridge.state", state));
        if (hub is not { HasSubscribers: true }) return;
        var payload = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteString("transferId"u8, transferId);
            json.WriteString("direction"u8, direction);
            json.WriteString("channel"u8, channel);
            json.WriteString("accountId"u8, account);
            if (fileName is not null) json.WriteString("fileName"u8, fileName);
            json.WriteString("state"u8, state);
            json.WriteNumber("bytes"u8, done);
            json.WriteNumber("totalBytes"u8, meter.Total);
            json.WriteNumber("bytesPerSecond"u8, Math.Round(meter.Rate));
            if (meter.Left(done) is { } left) json.WriteNumber("leftMs"u8, (long)left.TotalMilliseconds);
            json.WriteNumber("at"u8, time.GetUtcNow().ToUnixTimeMilliseconds());
            json.WriteEndObject();
        }

        hub.Publish(EventNames.FileProgress, payload.WrittenMemory);
    }
}
