using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A.Json;

/// <summary>States of 1.0: a word, or its number, as every reader of protocol buffers' JSON takes it.</summary>
internal sealed class TaskStateConverter : JsonConverter<TaskState>
{
    public override TaskState Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.String => Spelling.State(reader.GetString()!) ?? throw new JsonException("There is no such task state."),
        JsonTokenType.Number when reader.TryGetInt32(out var number) && number is >= 0 and <= (int)TaskState.AuthRequired =>
            (TaskState)number,
        _ => throw new JsonException("A task state is a word."),
    };

    public override void Write(Utf8JsonWriter writer, TaskState value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Spelling.State(value));
}

/// <summary>Roles of 1.0: a word, or its number.</summary>
internal sealed class MessageRoleConverter : JsonConverter<MessageRole>
{
    public override MessageRole Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType switch
        {
            JsonTokenType.String => Spelling.Role(reader.GetString()!) ?? throw new JsonException("A role is ROLE_USER or ROLE_AGENT."),
            JsonTokenType.Number when reader.TryGetInt32(out var number) && number is >= 0 and <= (int)MessageRole.Agent =>
                (MessageRole)number,
            _ => throw new JsonException("A role is ROLE_USER or ROLE_AGENT."),
        };

    public override void Write(Utf8JsonWriter writer, MessageRole value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Spelling.Role(value));
}

/// <summary>Times: written in UTC with milliseconds, read as ISO 8601 with or without an offset.</summary>
internal sealed class TimestampConverter : JsonConverter<DateTimeOffset>
{
    private const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static string Text(DateTimeOffset value) =>
        value.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture);

    public static DateTimeOffset? Parse(string? text) => text is { Length: > 0 and <= 64 } && DateTimeOffset.TryParse(
        text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var value) ? value : null;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String && Parse(reader.GetString()) is { } value
            ? value
            : throw new JsonException("A time is written as in ISO 8601.");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[32];
        value.UtcDateTime.TryFormat(text, out var length, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..length]);
    }
}
