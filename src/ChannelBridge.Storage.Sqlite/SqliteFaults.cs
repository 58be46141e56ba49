namespace ChannelBridge.Storage.Sqlite;

/// <summary>Where tests make the store fail. Production uses <see cref="None"/>, which does nothing.</summary>
internal class SqliteFaults
{
    /// <summary>No faults.</summary>
    public static readonly SqliteFaults None = new();

    /// <summary>Called on the writer thread before a group begins; may block, or change the connection by <paramref name="execute"/>.</summary>
    public virtual void BeforeGroup(Action<string> execute)
    {
    }

    /// <summary>Called instead of a commit; <paramref name="commit"/> does it. Throws to make it fail before or after.</summary>
    public virtual void Commit(Action commit) => commit();

    /// <summary>Called instead of a flush; <paramref name="flush"/> does it. Throws to make it fail; on the thread that flushes.</summary>
    public virtual void Flush(Action flush) => flush();

    /// <summary>Called before the writer's connection is opened again after a failure.</summary>
    public virtual void BeforeReopen()
    {
    }
}
