using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>The authenticated data of an envelope: what it says of its way, in one spelling on which both sides agree.</summary>
internal sealed record EnvelopeAad
{
    /// <summary>The sender.</summary>
    public required string From { get; init; }

    /// <summary>The receiver.</summary>
    public required string To { get; init; }

    /// <summary>The message's id.</summary>
    public required string MessageId { get; init; }

    /// <summary>When it was sealed (Unix ms).</summary>
    public required long Timestamp { get; init; }

    /// <summary>How.</summary>
    public required string Mode { get; init; }

    /// <summary>With which algorithms.</summary>
    public required string Suite { get; init; }

    /// <summary>The message's own public key, base64.</summary>
    public required string EphemeralKey { get; init; }

    /// <summary>For which certificate.</summary>
    public required string RecipientFingerprint { get; init; }

    /// <summary>By which certificate.</summary>
    public required string SenderFingerprint { get; init; }

    /// <summary>For which prekey, or null.</summary>
    public string? PrekeyId { get; init; }

    /// <summary>Reads it; members that aren't its own are passed over, as nothing uses them.</summary>
    /// <exception cref="SealingException">A member is missing or of another type.</exception>
    public static EnvelopeAad Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new SealingException(SealingFault.Malformed, "the envelope has no aad");
        return new EnvelopeAad
        {
            From = Text(json, "from"),
            To = Text(json, "to"),
            MessageId = Text(json, "message_id"),
            Timestamp = Whole(json, "timestamp"),
            Mode = Text(json, "encryption_mode"),
            Suite = Text(json, "suite"),
            EphemeralKey = Text(json, "ephemeral_public_key"),
            RecipientFingerprint = Text(json, "recipient_cert_fingerprint"),
            SenderFingerprint = Text(json, "sender_cert_fingerprint"),
            PrekeyId = json.TryGetProperty("prekey_id"u8, out var prekey) && prekey.ValueKind != JsonValueKind.Null ? Text(json, "prekey_id") : null,
        };
    }

    /// <summary>
    /// The bytes that are signed and authenticated: compact JSON, its members in the order of their names, nothing escaped but what JSON can't do without. .NET's
    /// writers escape more than that, hence the own one.
    /// </summary>
    public byte[] ToBytes()
    {
        var buffer = new ArrayBufferWriter<byte>(640);
        buffer.Write("{\"encryption_mode\":"u8);
        Write(buffer, Mode);
        buffer.Write(",\"ephemeral_public_key\":"u8);
        Write(buffer, EphemeralKey);
        buffer.Write(",\"from\":"u8);
        Write(buffer, From);
        buffer.Write(",\"message_id\":"u8);
        Write(buffer, MessageId);
        buffer.Write(",\"prekey_id\":"u8);
        if (PrekeyId is { } prekey) Write(buffer, prekey);
        else buffer.Write("null"u8);
        buffer.Write(",\"recipient_cert_fingerprint\":"u8);
        Write(buffer, RecipientFingerprint);
        buffer.Write(",\"sender_cert_fingerprint\":"u8);
        Write(buffer, SenderFingerprint);
        buffer.Write(",\"suite\":"u8);
        Write(buffer, Suite);
        buffer.Write(",\"timestamp\":"u8);
        buffer.Write(Encoding.ASCII.GetBytes(Timestamp.ToString(CultureInfo.InvariantCulture)));
        buffer.Write(",\"to\":"u8);
        Write(buffer, To);
        buffer.Write("}"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static string Text(JsonElement json, string name)
    {
        if (json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.String)
        {
            try
            {
                if (found.GetString() is { Length: <= 1024 } text) return text;
            }
            catch (InvalidOperationException)
            {
                // Half a surrogate pair.
            }
        }

        throw new SealingException(SealingFault.Malformed, $"aad.{name} is missing, too long, or no sound text");
    }

    private static long Whole(JsonElement json, string name) =>
        json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Number && found.TryGetInt64(out var number)
        && found.GetRawText() == number.ToString(CultureInfo.InvariantCulture)
            ? number
            : throw new SealingException(SealingFault.Malformed, $"aad.{name} is missing or no whole number");

    private static void Write(ArrayBufferWriter<byte> buffer, string text)
    {
        buffer.Write("\""u8);
        var rest = text.AsSpan();
        while (rest.IndexOfAny(Escaped) is >= 0 and var at)
        {
            Encoding.UTF8.GetBytes(rest[..at], buffer);
            buffer.Write(rest[at] switch
            {
                '"' => "\\\""u8,
                '\\' => "\\\\"u8,
                '\n' => "\\n"u8,
                '\r' => "\\r"u8,
                '\t' => "\\t"u8,
                '\b' => "\\b"u8,
                '\f' => "\\f"u8,
                var control => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)control:x4}")),
            });
            rest = rest[(at + 1)..];
        }

        Encoding.UTF8.GetBytes(rest, buffer);
        buffer.Write("\""u8);
    }

    private static readonly SearchValues<char> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(static c => (char)c), '"', '\\']);
}
