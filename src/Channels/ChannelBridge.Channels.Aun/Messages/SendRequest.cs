using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>What <c>message.send</c> asks for, checked.</summary>
internal sealed record SendRequest
{
    /// <summary>The largest payload in bytes.</summary>
    public const int MaxPayload = 1024 * 1024;

    /// <summary>Copies of one message, each list.</summary>
    public const int MostCopies = 64;

    /// <summary>The type of a message with copies.</summary>
    public const string CopiesType = "e2ee.multi_device";

    /// <summary>The type of a sealed message.</summary>
    public const string SealedType = "e2ee.encrypted";

    private const int MostDepth = 64;

    /// <summary>The receiver.</summary>
    public required string To { get; init; }

    /// <summary>The message's id; given or made.</summary>
    public required string MessageId { get; init; }

    /// <summary>Its type, or null.</summary>
    public string? Type { get; init; }

    /// <summary>True: what it carries is sealed.</summary>
    public bool Encrypted { get; init; }

    /// <summary>The payload.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>Copies for devices of the receiver, and for others of the sender; null: it is one message for all.</summary>
    public (IReadOnlyList<DeviceCopy> Receiver, IReadOnlyList<DeviceCopy> Own)? Copies { get; init; }

    /// <summary>The payload as it was sent.</summary>
    public ReadOnlySpan<byte> RawPayload => JsonMarshal.GetRawUtf8Value(Payload);

    /// <summary>Reads and checks it.</summary>
    /// <param name="parameters">The parameters.</param>
    /// <param name="from">Who sends.</param>
    /// <param name="device">The sender's device.</param>
    public static SendRequest Read(JsonElement parameters, string from, string device)
    {
        var to = Params.Text(parameters, "to", 255, RpcFault.Failed) is { Length: > 0 } named ? named : throw new RpcFault(RpcFault.Failed, "to is missing");
        if (!parameters.TryGetProperty("payload"u8, out var payload)) throw new RpcFault(RpcFault.Failed, "payload is missing");
        if (payload.ValueKind != JsonValueKind.Object) throw new RpcFault(RpcFault.Failed, "payload must be an object");
        var raw = JsonMarshal.GetRawUtf8Value(payload);
        if (raw.Length > MaxPayload) throw new RpcFault(RpcFault.Failed, $"payload has {raw.Length} bytes; at most {MaxPayload} are taken");
        if (IsTooDeep(raw)) throw new RpcFault(RpcFault.Failed, $"payload is nested more than {MostDepth} deep");
        var id = Params.Text(parameters, "message_id");
        var type = Params.Text(parameters, "type");
        var request = new SendRequest
        {
            To = to,
            MessageId = id is { Length: > 0 } ? id : Guid.NewGuid().ToString(),
            Type = type,
            Encrypted = Params.Flag(parameters, "encrypted"),
            Payload = payload,
        };
        return type == CopiesType ? request with { Type = SealedType, Encrypted = true, Copies = ReadCopies(request, from, device) } : request;
    }

    /// <summary>A list of copies as it is kept.</summary>
    public static byte[] Write(IReadOnlyList<DeviceCopy> copies)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartArray();
        foreach (var copy in copies)
        {
            writer.WriteStartObject();
            writer.WriteString("device_id"u8, copy.Device);
            writer.WritePropertyName("envelope"u8);
            writer.WriteRawValue(JsonMarshal.GetRawUtf8Value(copy.Envelope), skipInputValidation: true);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static (IReadOnlyList<DeviceCopy> Receiver, IReadOnlyList<DeviceCopy> Own) ReadCopies(SendRequest request, string from, string device)
    {
        var receiver = ReadList(request.Payload, "recipient_copies");
        if (receiver.Count == 0) throw new RpcFault(RpcFault.Failed, "payload.recipient_copies has no copy");
        foreach (var copy in receiver) CheckSealed(copy, request, from);
        // The sender's own device has written the message; a copy for it would come back as news.
        return (receiver, [.. ReadList(request.Payload, "self_copies").Where(copy => copy.Device != device)]);
    }

    // What is sealed names its receiver; a copy that names another one isn't this receiver's.
    private static void CheckSealed(DeviceCopy copy, SendRequest request, string from)
    {
        if (copy.Envelope.TryGetProperty("aad"u8, out var aad) && aad.ValueKind == JsonValueKind.Object
            && (Differs(aad, "to", request.To) || Differs(aad, "from", from) || Differs(aad, "message_id", request.MessageId)))
        {
            throw new RpcFault(RpcFault.Failed, "a copy in payload.recipient_copies is sealed for another receiver, sender or message");
        }
    }

    private static bool Differs(JsonElement aad, string name, string value) =>
        aad.TryGetProperty(name, out var named) && !(named.ValueKind == JsonValueKind.String && named.ValueEquals(value));

    private static List<DeviceCopy> ReadList(JsonElement payload, string name)
    {
        if (!payload.TryGetProperty(name, out var list) || list.ValueKind == JsonValueKind.Null) return [];
        if (list.ValueKind != JsonValueKind.Array) throw new RpcFault(RpcFault.Failed, $"payload.{name} must be a list");
        if (list.GetArrayLength() > MostCopies) throw new RpcFault(RpcFault.Failed, $"payload.{name} has at most {MostCopies} copies");
        var all = new List<DeviceCopy>(list.GetArrayLength());
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object || Params.Object(item, "envelope", RpcFault.Failed) is not { } envelope)
                throw new RpcFault(RpcFault.Failed, $"payload.{name} has an item without device_id and envelope");
            var device = Params.Text(item, "device_id", code: RpcFault.Failed) ?? "";
            if (all.Any(other => other.Device == device)) throw new RpcFault(RpcFault.Failed, $"payload.{name} has two copies for one device");
            all.Add(new DeviceCopy(device, envelope));
        }

        return all;
    }

    private static bool IsTooDeep(ReadOnlySpan<byte> json)
    {
        // Most have fewer brackets than may be nested.
        if (json.Count((byte)'{') + json.Count((byte)'[') <= MostDepth) return false;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 512 });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && reader.CurrentDepth >= MostDepth) return true;
        }

        return false;
    }
}

/// <summary>A sealed copy of a message.</summary>
/// <param name="Device">For which device.</param>
/// <param name="Envelope">The copy.</param>
internal readonly record struct DeviceCopy(string Device, JsonElement Envelope);
