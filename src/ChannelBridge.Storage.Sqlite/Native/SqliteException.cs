namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>What the engine answered when it couldn't do something. Doesn't leave this assembly: see <see cref="StoreErrors"/>.</summary>
internal sealed class SqliteException(int code, string message) : Exception($"SQLite error {code}: {message}")
{
    /// <summary>The extended result code, e.g. 1034 (fsync failed).</summary>
    public int ExtendedCode { get; } = code;

    /// <summary>The primary result code, e.g. <see cref="Sqlite3.IoError"/>.</summary>
    public int Code => ExtendedCode & 0xFF;
}
