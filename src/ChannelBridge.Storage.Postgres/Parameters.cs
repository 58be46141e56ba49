using ChannelBridge.Protocol;
using Npgsql;
using NpgsqlTypes;

namespace ChannelBridge.Storage.Postgres;

/// <summary>
/// Makes the parameters of statements. Text is made storable here, as the last line of defence: half an emoji can't be encoded, which leaves the
/// connection in the middle of a message, and NUL fails the statement and the group that it is in.
/// </summary>
internal static class Parameters
{
    /// <summary>A value of any type that the driver knows; text and arrays of text are made storable.</summary>
    public static NpgsqlParameter<T> Of<T>(T value) => new()
    {
        TypedValue = value switch
        {
            string text => (T)(object)SoundText.Storable(text),
            string?[] texts => (T)(object)Array.ConvertAll(texts, text => text is null ? null : SoundText.Storable(text)),
            _ => value,
        },
    };

    /// <summary>Text, or NULL.</summary>
    public static NpgsqlParameter OrNull(string? text) =>
        new() { Value = text is null ? DBNull.Value : SoundText.Storable(text), NpgsqlDbType = NpgsqlDbType.Text };
}
