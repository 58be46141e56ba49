using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using ChannelBridge.Protocol;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>
/// A prepared statement: bind (parameters count from 1), step, read columns (from 0), reset. Values are copied by the engine at binding, so
/// spans needn't outlive the call.
/// </summary>
internal sealed unsafe class SqliteStatement(SqliteDatabase database, nint handle) : IDisposable
{
    private const int StackLimit = 512;

    // A copy of a large payload isn't kept between two uses of a statement.
    private const int LargeBlob = 64 * 1024;

    // SQLITE_STMTSTATUS_REPREPARE
    private const int PreparedAnewCounter = 5;

    private nint _handle = handle;
    private bool _large;

    /// <summary>How often the engine has prepared it anew: its schema has changed, or a value that its plan may depend on.</summary>
    public int PreparedAnew => Sqlite3.StatementStatus(_handle, PreparedAnewCounter, 0);

    /// <summary>Binds a number.</summary>
    public SqliteStatement Bind(int index, long value)
    {
        Check(Sqlite3.BindInt64(_handle, index, value));
        return this;
    }

    /// <summary>Binds bytes; none are NULL, which reads back as none.</summary>
    public SqliteStatement Bind(int index, ReadOnlySpan<byte> value)
    {
        BindBlob(index, value);
        _large |= value.Length > LargeBlob;
        return this;
    }

    /// <summary>Binds an id as its 16 bytes in network order, so that ids sort as their text does.</summary>
    public SqliteStatement Bind(int index, Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        BindBlob(index, bytes);
        return this;
    }

    /// <summary>Binds a key as its 16 bytes, highest first, so that keys sort as numbers do.</summary>
    public SqliteStatement BindKey(int index, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        BindBlob(index, bytes);
        return this;
    }

    /// <summary>Binds text, or NULL.</summary>
    public SqliteStatement Bind(int index, string? value)
    {
        if (value is null)
        {
            Check(Sqlite3.BindNull(_handle, index));
            return this;
        }

        // The same text as on PostgreSQL, which has no NUL.
        value = SoundText.Storable(value);
        var size = Encoding.UTF8.GetMaxByteCount(value.Length);
        var rented = size > StackLimit ? ArrayPool<byte>.Shared.Rent(size) : null;
        var buffer = rented ?? stackalloc byte[StackLimit];
        var length = Encoding.UTF8.GetBytes(value, buffer);
        int code;
        fixed (byte* start = buffer) code = Sqlite3.BindText(_handle, index, start, length, Sqlite3.Transient);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        Check(code);
        return this;
    }

    /// <summary>Binds NULL.</summary>
    public SqliteStatement BindNull(int index)
    {
        Check(Sqlite3.BindNull(_handle, index));
        return this;
    }

    /// <summary>Goes to the next row; false when there is none.</summary>
    public bool Step()
    {
        var code = Sqlite3.Step(_handle);
        if (code == Sqlite3.Row) return true;
        if (code == Sqlite3.Done) return false;
        var failure = database.Failure(code);
        Reset();
        throw failure;
    }

    /// <summary>Makes the statement ready for its next use.</summary>
    public void Reset()
    {
        // The result repeats the last step's error, which has been thrown already.
        Sqlite3.Reset(_handle);
        if (!_large) return;
        Sqlite3.ClearBindings(_handle);
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
    public long GetInt64(int column) => Sqlite3.ColumnInt64(_handle, column);

    /// <summary>A column's bytes, valid until the next step or reset; NULL is none.</summary>
    public ReadOnlySpan<byte> GetBytes(int column) => new(Sqlite3.ColumnBlob(_handle, column), Sqlite3.ColumnBytes(_handle, column));

    /// <summary>A copy of a column's bytes; NULL is none.</summary>
    public ReadOnlyMemory<byte> GetCopy(int column)
    {
        var bytes = GetBytes(column);
        return bytes.IsEmpty ? ReadOnlyMemory<byte>.Empty : bytes.ToArray();
    }

    /// <summary>A column's size in bytes.</summary>
    public int GetSize(int column) => Sqlite3.ColumnBytes(_handle, column);

    /// <summary>A column as an id.</summary>
    public Guid GetGuid(int column) => new(GetBytes(column), bigEndian: true);

    /// <summary>A column as a key.</summary>
    public UInt128 GetUInt128(int column) => BinaryPrimitives.ReadUInt128BigEndian(GetBytes(column));

    /// <summary>A column as text; NULL is empty.</summary>
    public string GetText(int column) => Encoding.UTF8.GetString(GetBytes(column));

    /// <summary>A column as text, or null.</summary>
    public string? GetTextOrNull(int column) => Sqlite3.ColumnType(_handle, column) == Sqlite3.NullType ? null : GetText(column);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_handle != 0) Sqlite3.Finalize(_handle);
        _handle = 0;
    }

    private void BindBlob(int index, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            Check(Sqlite3.BindNull(_handle, index));
            return;
        }

        fixed (byte* start = value) Check(Sqlite3.BindBlob(_handle, index, start, value.Length, Sqlite3.Transient));
    }

    private void Check(int code)
    {
        if (code != Sqlite3.Ok) throw database.Failure(code);
    }
}
