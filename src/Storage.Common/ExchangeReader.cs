using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Storage.Common;

/// <summary>Reads an exported store and notices when it isn't whole.</summary>
internal sealed class ExchangeReader : IDisposable
{
    private readonly StreamReader _lines;
    private readonly IProgress<long>? _progress;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _line = [];

    /// <summary>Reads the header.</summary>
    /// <param name="stream">Where from; stays open.</param>
    /// <param name="progress">Hears how many rows have been read.</param>
    public ExchangeReader(Stream stream, IProgress<long>? progress)
    {
        _progress = progress;
        _lines = new StreamReader(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false),
            detectEncodingFromByteOrderMarks: false, leaveOpen: true);
        using var header = Next() ?? throw Bad("it is empty");
        var root = header.RootElement;
        if (root.GetArrayLength() < 3 || root[0].ValueKind != JsonValueKind.String || root[0].GetString() != ExchangeFormat.Name) throw Bad("it is no exported store");
        if (root[1].GetInt32() != ExchangeFormat.Version)
            throw Bad($"it is of version {root[1]}, and this program reads version {ExchangeFormat.Version}; use the version of ChannelBridge that wrote it, or a newer one");
        StoreId = root[2].GetGuid();
    }

    /// <summary>The id of the store that was exported.</summary>
    public Guid StoreId { get; }

    /// <summary>The rows, in order. When this ends without an exception, all of them were read as they were written.</summary>
    /// <exception cref="BridgeException">The file is cut off, damaged, or none of ours.</exception>
    public IEnumerable<(ExchangeTable Table, object?[] Values)> Rows()
    {
        for (var rows = 0L; ; rows++)
        {
            using var line = Next() ?? throw Bad($"it ends after {rows} rows without its last line: it was cut off");
            var root = line.RootElement;
            var name = root[0].GetString();
            if (name == "end")
            {
                if (root[1].GetInt64() != rows || root[2].GetString() != Convert.ToHexStringLower(_hash.GetCurrentHash()))
                    throw Bad("it was changed or damaged: its content doesn't match its last line");
                yield break;
            }

            var table = ExchangeFormat.Tables.FirstOrDefault(known => known.Name == name) ?? throw Bad($"row {rows + 1} is of a table that this program doesn't know");
            if (root.GetArrayLength() != table.Columns.Count + 1) throw Bad($"row {rows + 1} doesn't fit its table");
            var values = new object?[table.Columns.Count];
            for (var i = 0; i < values.Length; i++) values[i] = ValueOf(root[i + 1], table.Columns[i].Kind, rows + 1);
            _progress?.Report(rows + 1);
            yield return (table, values);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lines.Dispose();
        _hash.Dispose();
    }

    private static BridgeException Bad(string why) => BridgeException.Invalid($"The file can't be imported: {why}. Nothing was imported.");

    private static object? ValueOf(JsonElement element, ExchangeKind kind, long row)
    {
        if (element.ValueKind == JsonValueKind.Null) return null;
        try
        {
            return kind switch
            {
                ExchangeKind.Number => element.GetInt64(),
                ExchangeKind.Id => element.GetGuid(),
                ExchangeKind.Bytes => element.GetBytesFromBase64(),
                _ => element.GetString(),
            };
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException)
        {
            throw Bad($"row {row} holds a value that doesn't fit its column");
        }
    }

    private JsonDocument? Next()
    {
        // The last line tells the hash of those before it.
        _hash.AppendData(_line);
        if (_lines.ReadLine() is not { } line) return null;
        var bytes = new byte[Encoding.UTF8.GetByteCount(line) + 1];
        Encoding.UTF8.GetBytes(line, bytes);
        bytes[^1] = (byte)'\n';
        try
        {
            var document = JsonDocument.Parse(bytes);
            if (document.RootElement.ValueKind != JsonValueKind.Array || document.RootElement.GetArrayLength() == 0) throw Bad("a line of it is no array");
            _line = bytes;
            return document;
        }
        catch (JsonException)
        {
            throw Bad("a line of it is no JSON: it is no exported store, or it is damaged");
        }
    }
}
