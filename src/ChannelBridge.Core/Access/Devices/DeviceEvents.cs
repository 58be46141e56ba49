using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Events;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>Tells operators who watch what happens to devices. No tokens and no keys.</summary>
internal sealed class DeviceEvents(TimeProvider time, IEventHub? hub = null)
{
    /// <summary>A device waits for an approval.</summary>
    public void Requested(DeviceRequest request) => Publish(EventNames.DevicePairRequested, json =>
    {
        json.WriteString("requestId"u8, request.RequestId);
        json.WriteString("deviceId"u8, request.Claim.DeviceId);
        json.WriteString("reason"u8, request.Reason);
        json.WriteString("role"u8, DeviceMethods.Role);
        json.WriteStartArray("scopes"u8);
        foreach (var scope in request.Scopes) json.WriteStringValue(scope);
        json.WriteEndArray();
    });

    /// <summary>A request was approved or rejected, or a device approved by itself.</summary>
    public void Resolved(string? requestId, string deviceId, string decision) => Publish(EventNames.DevicePairResolved, json =>
    {
        if (requestId is not null) json.WriteString("requestId"u8, requestId);
        json.WriteString("deviceId"u8, deviceId);
        json.WriteString("decision"u8, decision);
    });

    /// <summary>Something else of a device has changed.</summary>
    public void Changed(string deviceId, string change) => Publish(EventNames.DevicePairChanged, json =>
    {
        json.WriteString("deviceId"u8, deviceId);
        json.WriteString("change"u8, change);
    });

    private void Publish(string name, Action<Utf8JsonWriter> write)
    {
        if (hub is not { HasSubscribers: true }) return;
        var payload = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            write(json);
            json.WriteNumber("ts"u8, time.GetUtcNow().ToUnixTimeMilliseconds());
            json.WriteEndObject();
        }

        hub.Publish(name, payload.WrittenMemory);
    }
}
