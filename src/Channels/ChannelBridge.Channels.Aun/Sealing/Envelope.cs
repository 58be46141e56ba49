using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>A sealed payload as it travels.</summary>
internal sealed record Envelope
{
    /// <summary>The type of an envelope, and of a message whose payload is one.</summary>
    public const string SealedType = "e2ee.encrypted";

    /// <summary>The type of a message that brings an envelope for each device.</summary>
    public const string SeveralType = "e2ee.multi_device";

    /// <summary>The one version.</summary>
    public const string Version = "1";

    /// <summary>The one suite.</summary>
    public const string SuiteName = "P256_HKDF_SHA256_AES_256_GCM";

    /// <summary>Sealed with a prekey.</summary>
    public const string PrekeyMode = "prekey_ecdh_v2";

    /// <summary>Sealed with the identities' keys alone.</summary>
    public const string LongTermMode = "long_term_key";

    /// <summary>The bytes of a nonce.</summary>
    public const int NonceLength = 12;

    /// <summary>The bytes of a tag.</summary>
    public const int TagLength = 16;

    /// <summary>The largest payload that a message may have; what is sealed can't be more.</summary>
    public const int LongestText = 1024 * 1024;

    /// <summary>The authenticated data, which has mode, suite, prekey, own key and the sender's fingerprint once more.</summary>
    public required EnvelopeAad Aad { get; init; }

    /// <summary>The nonce.</summary>
    public required byte[] Nonce { get; init; }

    /// <summary>The sealed text.</summary>
    public required byte[] Ciphertext { get; init; }

    /// <summary>Its tag.</summary>
    public required byte[] Tag { get; init; }

    /// <summary>The sender's signature, in DER.</summary>
    public required byte[] Signature { get; init; }

    /// <summary>True when a payload is to be opened.</summary>
    public static bool IsOne(JsonElement payload) => payload.ValueKind == JsonValueKind.Object && Is(payload, "type", SealedType);

    /// <summary>
    /// The word of a payload that is sealed in a way that isn't spoken here (messages of groups, later versions), or null: such a message is no text for an agent.
    /// </summary>
    public static string? OtherKind(JsonElement payload) =>
        payload.ValueKind == JsonValueKind.Object && payload.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String
        && type.GetString() is { } word && word != SealedType && word.StartsWith("e2ee.", StringComparison.Ordinal)
            ? word
            : null;

    /// <summary>Reads one.</summary>
    /// <exception cref="SealingException">It isn't one, or isn't spoken here, or its parts disagree.</exception>
    public static Envelope Read(JsonElement json)
    {
        if (!IsOne(json)) throw new SealingException(SealingFault.Malformed, "the payload is no envelope");
        if (!Is(json, "version", Version)) throw new SealingException(SealingFault.Unsupported, $"only version {Version} of envelopes is spoken here");
        if (!Is(json, "suite", SuiteName)) throw new SealingException(SealingFault.Unsupported, $"only the suite {SuiteName} is spoken here");
        if (!Is(json, "encryption_mode", PrekeyMode) && !Is(json, "encryption_mode", LongTermMode))
            throw new SealingException(SealingFault.Unsupported, $"only the modes {PrekeyMode} and {LongTermMode} are spoken here");
        if (!json.TryGetProperty("sender_signature"u8, out _)) throw new SealingException(SealingFault.SignatureWrong, "the envelope isn't signed");
        var aad = EnvelopeAad.Read(json.TryGetProperty("aad"u8, out var found) ? found : default);
        if (!Is(json, "encryption_mode", aad.Mode) || aad.Suite != SuiteName) throw Mismatch("its mode and suite");
        if (!Is(json, "ephemeral_public_key", aad.EphemeralKey)) throw Mismatch("the message's own key");
        if (!Is(json, "sender_cert_fingerprint", aad.SenderFingerprint)) throw Mismatch("the sender's certificate");
        if (aad.Mode == PrekeyMode ? aad.PrekeyId is null || !Is(json, "prekey_id", aad.PrekeyId) : aad.PrekeyId is not null || Has(json, "prekey_id"))
            throw Mismatch("the prekey");
        return new Envelope
        {
            Aad = aad,
            Nonce = Bytes(json, "nonce", NonceLength, NonceLength),
            Ciphertext = Bytes(json, "ciphertext", 0, LongestText),
            Tag = Bytes(json, "tag", TagLength, TagLength),
            Signature = Bytes(json, "sender_signature", 8, 128),
        };
    }

    /// <summary>Writes it.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, SealedType);
        writer.WriteString("version"u8, Version);
        writer.WriteString("encryption_mode"u8, Aad.Mode);
        writer.WriteString("suite"u8, Aad.Suite);
        if (Aad.PrekeyId is { } prekey) writer.WriteString("prekey_id"u8, prekey);
        writer.WriteString("ephemeral_public_key"u8, Aad.EphemeralKey);
        writer.WriteBase64String("nonce"u8, Nonce);
        writer.WriteBase64String("ciphertext"u8, Ciphertext);
        writer.WriteBase64String("tag"u8, Tag);
        writer.WriteBase64String("sender_signature"u8, Signature);
        writer.WriteString("sender_cert_fingerprint"u8, Aad.SenderFingerprint);
        writer.WritePropertyName("aad"u8);
        writer.WriteRawValue(Aad.ToBytes());
        writer.WriteEndObject();
    }

    /// <summary>A writer of JSON that leaves base64 and names as they are.</summary>
    public static Utf8JsonWriter NewWriter(Stream stream) => new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private static bool Is(JsonElement json, string name, string text) =>
        json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.String && found.ValueEquals(text);

    private static bool Has(JsonElement json, string name) => json.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null;

    private static SealingException Mismatch(string what) => new(SealingFault.AadMismatch, $"the envelope and its aad disagree about {what}");

    private static byte[] Bytes(JsonElement json, string name, int shortest, int longest) =>
        json.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.String
        && P256.TryReadBase64(found.GetString(), longest, out var bytes) && bytes.Length >= shortest
            ? bytes
            : throw new SealingException(SealingFault.Malformed, $"{name} is missing or no base64 of its length");
}
