using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using SQLitePCL;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// A prepared statement: bind (parameters count from 1), step, read columns (from 0), reset. Values are copied by the engine at binding, so
/// spans needn't outlive the call.
/// </summary>
internal sealed class SqliteStatement(SqliteDatabase database, sqlite3_stmt handle) : IDisposable
{
    private const int StackLimit = 512;

    // A copy of a large payload isn't kept between two uses of a statement.
    private const int LargeBlob = 64 * 1024;

    private bool _large;

    /// <summary>Binds a number.</summary>
    public SqliteStatement Bind(int index, long value)
    {
        Check(raw.sqlite3_bind_int64(handle, index, value));
        return this;
    }

    /// <summary>Binds bytes; none are NULL, which reads back as none.</summary>
    public SqliteStatement Bind(int index, ReadOnlySpan<byte> value)
    {
        Check(value.IsEmpty ? raw.sqlite3_bind_null(handle, index) : raw.sqlite3_bind_blob(handle, index, value));
        _large |= value.Length > LargeBlob;
        return this;
    }

    /// <summary>Binds an id as its 16 bytes in network order, so that ids sort as their text does.</summary>
    public SqliteStatement Bind(int index, Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        Check(raw.sqlite3_bind_blob(handle, index, bytes));
        return this;
    }

    /// <summary>Binds a key as its 16 bytes, highest first, so that keys sort as numbers do.</summary>
    public SqliteStatement BindKey(int index, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        Check(raw.sqlite3_bind_blob(handle, index, bytes));
        return this;
    }

    /// <summary>Binds text, or NULL.</summary>
    public SqliteStatement Bind(int index, string? value)
    {
        if (value is null)
        {
            Check(raw.sqlite3_bind_null(handle, index));
            return this;
        }

        if (value.Length == 0)
        {
            // An empty span has no address, which the engine would take for NULL.
            Check(raw.sqlite3_bind_text(handle, index, utf8z.FromSpan("\0"u8)));
            return this;
        }

        var size = Encoding.UTF8.GetMaxByteCount(value.Length);
        var rented = size > StackLimit ? ArrayPool<byte>.Shared.Rent(size) : null;
        var buffer = rented ?? stackalloc byte[StackLimit];
        var length = Encoding.UTF8.GetBytes(value, buffer);
        var code = raw.sqlite3_bind_text(handle, index, buffer[..length]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        Check(code);
        return this;
    }

    /// <summary>Binds NULL.</summary>
    public SqliteStatement BindNull(int index)
    {
        Check(raw.sqlite3_bind_null(handle, index));
        return this;
    }

    /// <summary>Goes to the next row; false when there is none.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(handle);
        if (code == raw.SQLITE_ROW) return true;
        if (code == raw.SQLITE_DONE) return false;
        var failure = database.Failure(code);
        Reset();
        throw failure;
    }

    /// <summary>Makes the statement ready for its next use.</summary>
    public void Reset()
    {
        // The result repeats the last step's error, which has been thrown already.
        raw.sqlite3_reset(handle);
        if (!_large) return;
        raw.sqlite3_clear_bindings(handle);
        _large = false;
    }

    /// <summary>Runs a statement that returns no rows and makes it ready for its next use.</summary>
    public void Run()
    {
        while (Step())
        {
        }

        Reset();
    }

    /// <summary>A column as a number; NULL is 0.</summary>
    public long GetInt64(int column) => raw.sqlite3_column_int64(handle, column);

    /// <summary>A column's bytes, valid until the next step or reset; NULL is none.</summary>
    public ReadOnlySpan<byte> GetBytes(int column) => raw.sqlite3_column_blob(handle, column);

    /// <summary>A copy of a column's bytes; NULL is none.</summary>
    public ReadOnlyMemory<byte> GetCopy(int column)
    {
        var bytes = raw.sqlite3_column_blob(handle, column);
        return bytes.IsEmpty ? ReadOnlyMemory<byte>.Empty : bytes.ToArray();
    }

    /// <summary>A column's size in bytes.</summary>
    public int GetSize(int column) => raw.sqlite3_column_bytes(handle, column);

    /// <summary>A column as an id.</summary>
    public Guid GetGuid(int column) => new(raw.sqlite3_column_blob(handle, column), bigEndian: true);

    /// <summary>A column as a key.</summary>
    public UInt128 GetUInt128(int column) => BinaryPrimitives.ReadUInt128BigEndian(raw.sqlite3_column_blob(handle, column));

    /// <summary>A column as text; NULL is empty.</summary>
    public string GetText(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(handle, column));

    /// <summary>A column as text, or null.</summary>
    public string? GetTextOrNull(int column) => raw.sqlite3_column_type(handle, column) == raw.SQLITE_NULL ? null : GetText(column);

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK) throw database.Failure(code);
    }
}
