using System.Buffers.Text;
using System.Text.Json;

namespace ChannelBridge.Protocol.JsonRpc;

/// <summary>
/// The id of a JSON-RPC message as raw JSON text, so that every legal id (a string, an integer of any size, a fraction, null) comes back
/// exactly as it was sent. It may be a slice of the message it was read from.
/// </summary>
/// <param name="raw">The raw JSON text; empty means that the message has no id.</param>
public readonly struct JsonRpcId(ReadOnlyMemory<byte> raw) : IEquatable<JsonRpcId>
{
    private static readonly byte[] NullText = "null"u8.ToArray();

    /// <summary>No id: a notification.</summary>
    public static JsonRpcId None => default;

    /// <summary>The id <c>null</c>, which answers a message whose own id is unknown.</summary>
    public static JsonRpcId Null { get; } = new(NullText);

    /// <summary>The raw JSON text.</summary>
    public ReadOnlyMemory<byte> Raw { get; } = raw;

    /// <summary>True when the message has no id.</summary>
    public bool IsNone => Raw.IsEmpty;

    /// <summary>True for <c>null</c>.</summary>
    public bool IsNull => Raw.Span.SequenceEqual("null"u8);

    /// <summary>An id of this host's own requests.</summary>
    public static JsonRpcId FromInteger(long value)
    {
        Span<byte> text = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, text, out var length);
        return new JsonRpcId(text[..length].ToArray());
    }

    /// <summary>Reads an integer id.</summary>
    public bool TryGetInteger(out long value)
    {
        var span = Raw.Span;
        return Utf8Parser.TryParse(span, out value, out var consumed) && consumed == span.Length;
    }

    /// <summary>A copy that outlives the message.</summary>
    public JsonRpcId ToOwned() => new(Raw.ToArray());

    /// <summary>Ids are equal when their text is: <c>1</c> and <c>"1"</c> differ.</summary>
    public bool Equals(JsonRpcId other) => Raw.Span.SequenceEqual(other.Raw.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is JsonRpcId other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Raw.Span);
        return hash.ToHashCode();
    }

    /// <summary>The raw text.</summary>
    public override string ToString() => System.Text.Encoding.UTF8.GetString(Raw.Span);

    /// <summary>Same text.</summary>
    public static bool operator ==(JsonRpcId left, JsonRpcId right) => left.Equals(right);

    /// <summary>Other text.</summary>
    public static bool operator !=(JsonRpcId left, JsonRpcId right) => !left.Equals(right);

    internal static bool IsLegal(JsonTokenType token) => token is JsonTokenType.String or JsonTokenType.Number or JsonTokenType.Null;
}
