using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Writing;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>When the log is moved into the file, and how often that is tried while somebody is in the way.</summary>
public sealed class CheckpointerTests : IDisposable
{
    private const int LongLog = 1000;
    private readonly TempFolder _folder = new();
    private readonly SqliteDatabase _writer;
    private int _finishes;

    public CheckpointerTests()
    {
        File.WriteAllBytes(Path, []);
        _writer = SqliteDatabase.Open(Path, readOnly: false, TimeSpan.FromSeconds(5));
        _writer.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
        _writer.WatchLog();
    }

    private string Path => _folder.File("log.db");

    public void Dispose()
    {
        _writer.Dispose();
        _folder.Remove();
    }

    [Fact]
    public void Log_InUseByAReader_IsTriedAgainOncePerLogAndBegunAnewWhenTheReaderIsGone()
    {
        // Guards against a checkpoint at each commit for as long as a backup reads.
        using var checkpointer = new Checkpointer(SqliteDatabase.Open(Path, readOnly: false, TimeSpan.FromSeconds(5)), LongLog, NullLogger.Instance);
        while (_writer.LogFrames < LongLog - 100) Commit(checkpointer);
        using (var reader = SqliteDatabase.Open(Path, readOnly: true, TimeSpan.FromSeconds(5)))
        {
            reader.Execute("BEGIN; SELECT count(*) FROM t");
            while (_writer.LogFrames < 8 * LongLog) Commit(checkpointer);
            Assert.InRange(_finishes, 0, 8);
        }

        var longest = _writer.LogFrames;
        for (var commits = 0; commits < 20 * LongLog && _writer.LogFrames >= longest; commits++)
        {
            longest = _writer.LogFrames;
            Commit(checkpointer);
            Settle(checkpointer);
        }

        Assert.InRange(_writer.LogFrames, 1, LongLog);
    }

    [Fact]
    public void Log_NobodyInTheWay_StaysShort()
    {
        using var checkpointer = new Checkpointer(SqliteDatabase.Open(Path, readOnly: false, TimeSpan.FromSeconds(5)), LongLog, NullLogger.Instance);
        var begun = 0;
        for (var (commits, before) = (0, 0); commits < 100 * LongLog && begun < 3; commits++, before = _writer.LogFrames)
        {
            Commit(checkpointer);
            Settle(checkpointer);
            if (_writer.LogFrames < before) begun++;
        }

        Assert.Equal(3, begun);
    }

    /// <summary>These commits wait for no disk: on a busy machine they would leave the other thread far behind, which a real writer can't.</summary>
    private static void Settle(Checkpointer checkpointer) =>
        Assert.True(SpinWait.SpinUntil(() => !checkpointer.Running, TimeSpan.FromSeconds(60)));

    private void Commit(Checkpointer checkpointer)
    {
        _writer.Execute("INSERT INTO t(v) VALUES(zeroblob(3000))");
        checkpointer.Committed(_writer.LogFrames, () =>
        {
            _finishes++;
            _writer.Checkpoint();
        });
    }
}
