using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace ChannelBridge.Storage.Common;

/// <summary>Writes an exported store.</summary>
internal sealed class ExchangeWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly IProgress<long>? _progress;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly ArrayBufferWriter<byte> _line = new(4096);
    private readonly Utf8JsonWriter _json;
    private long _rows;

    /// <param name="stream">Where to; stays open.</param>
    /// <param name="progress">Hears how many rows have been written.</param>
    public ExchangeWriter(Stream stream, IProgress<long>? progress)
    {
        _stream = stream;
        _progress = progress;
        _json = new Utf8JsonWriter(_line);
    }

    /// <summary>Writes the header.</summary>
    public void Begin(Guid storeId, string engine, long now)
    {
        _json.WriteStartArray();
        _json.WriteStringValue(ExchangeFormat.Name);
        _json.WriteNumberValue(ExchangeFormat.Version);
        _json.WriteStringValue(storeId);
        _json.WriteStringValue(engine);
        _json.WriteNumberValue(now);
        EndLine();
    }

    /// <summary>Writes a row: numbers, texts, ids, bytes and nulls, as the table's columns say.</summary>
    public void Row(ExchangeTable table, ReadOnlySpan<object?> values)
    {
        _json.WriteStartArray();
        _json.WriteStringValue(table.Name);
        foreach (var value in values)
        {
            switch (value)
            {
                case long number: _json.WriteNumberValue(number); break;
                case string text: _json.WriteStringValue(text); break;
                case Guid id: _json.WriteStringValue(id); break;
                case byte[] bytes: _json.WriteBase64StringValue(bytes); break;
                default: _json.WriteNullValue(); break;
            }
        }

        EndLine();
        _rows++;
        _progress?.Report(_rows);
    }

    /// <summary>Writes the end, by which a reader knows that nothing is missing.</summary>
    public void End()
    {
        var hash = Convert.ToHexStringLower(_hash.GetHashAndReset());
        _json.WriteStartArray();
        _json.WriteStringValue("end");
        _json.WriteNumberValue(_rows);
        _json.WriteStringValue(hash);
        EndLine();
        _stream.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _json.Dispose();
        _hash.Dispose();
    }

    private void EndLine()
    {
        _json.WriteEndArray();
        _json.Flush();
        _json.Reset();
        _line.Write("\n"u8);
        _hash.AppendData(_line.WrittenSpan);
        _stream.Write(_line.WrittenSpan);
        _line.ResetWrittenCount();
    }
}
