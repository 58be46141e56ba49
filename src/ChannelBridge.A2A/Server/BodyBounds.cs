using System.Text.Json;

namespace ChannelBridge.A2A.Server;

/// <summary>
/// How much structure a body may have: a small body of a hundred thousand members costs far more to take apart than to send.
/// </summary>
internal static class BodyBounds
{
    private const int MaxMembers = 10_000;
    private const int MaxValues = 50_000;

    /// <summary>What is wrong, or null. The body is JSON, or a <see cref="JsonException"/> says where it stops being that.</summary>
    public static string? Fault(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        var (members, values) = (0, 0);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName) members++;
            else values++;
            if (members > MaxMembers) return $"The body has more than {MaxMembers} members.";
            if (values > MaxValues) return $"The body has more than {MaxValues} values.";
        }

        return null;
    }
}
