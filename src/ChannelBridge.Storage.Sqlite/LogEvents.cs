namespace ChannelBridge.Storage.Sqlite;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int SqliteStoreOpened = 13001;
    public const int SqliteStoreFaultyEngine = 13002;
    public const int CheckpointerFailed = 13003;
    public const int GroupWriterWriterDied = 13004;
    public const int WriterConnectionMigrated = 13005;
    public const int WriterConnectionReopened = 13006;
    public const int WriterConnectionRollbackFailed = 13007;
    public const int WriterConnectionCheckpointIncomplete = 13008;
    public const int WriterConnectionCheckpointFailed = 13009;
}
