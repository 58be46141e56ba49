using System.Text;

namespace ChannelBridge.Endpoints.Router;

/// <summary>Lets a table of names be asked with the UTF-8 bytes of a message, without making a string.</summary>
internal sealed class Utf8NameComparer : IEqualityComparer<string>, IAlternateEqualityComparer<ReadOnlySpan<byte>, string>
{
    public static readonly Utf8NameComparer Instance = new();

    public bool Equals(string? x, string? y) => string.Equals(x, y, StringComparison.Ordinal);

    public int GetHashCode(string obj) => GetHashCode(Encoding.UTF8.GetBytes(obj));

    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        // The table is fixed and small; any spread will do.
        var hash = 0x811c9dc5;
        foreach (var b in alternate) hash = (hash ^ b) * 0x01000193;
        return (int)hash;
    }

    public bool Equals(ReadOnlySpan<byte> alternate, string other) => Ascii.Equals(alternate, other.AsSpan()) || Encoding.UTF8.GetString(alternate) == other;

    public string Create(ReadOnlySpan<byte> alternate) => Encoding.UTF8.GetString(alternate);
}
