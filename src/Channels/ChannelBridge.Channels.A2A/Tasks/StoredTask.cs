using System.Buffers;
using System.Text.Json;
using ChannelBridge.A2A;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>A task as its record has it.</summary>
internal sealed record StoredTask
{
    // Far longer than a message takes into the inbox, and no longer than its peer waits before it asks again.
    private static readonly TimeSpan NextHolds = TimeSpan.FromSeconds(30);

    /// <summary>Whose it is, in lower case.</summary>
    public required string Peer { get; init; }

    /// <summary>What only the host knows.</summary>
    public required TaskHead Head { get; init; }

    /// <summary>The task; without artifacts where they have a record of their own and weren't asked for.</summary>
    public required A2ATask Task { get; init; }

    /// <summary>The record's version; 0 before it is written.</summary>
    public long Version { get; init; }

    /// <summary>True when nothing follows.</summary>
    public bool Ended => TaskStates.IsTerminal(Task.Status.State);

    /// <summary>The message by which the task is about to go on, or null.</summary>
    /// <param name="now">Now.</param>
    public string? NextAt(DateTimeOffset now) => now.ToUnixTimeMilliseconds() - Head.NextAt < (long)NextHolds.TotalMilliseconds ? Head.Next : null;

    /// <summary>The record: one line of what only the host knows, then the task as 1.0 writes it.</summary>
    public ReadOnlyMemory<byte> Write()
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(output)) JsonSerializer.Serialize(writer, Head, RecordJson.Default.TaskHead);
        output.Write("\n"u8);
        A2ADialect.V10.Task.Write(output, Head.HasArtifacts ? Task with { Artifacts = [] } : Task);
        return output.WrittenMemory;
    }

    /// <summary>Reads a record.</summary>
    public static StoredTask Read(string peer, ReadOnlySpan<byte> value, long version)
    {
        var line = value.IndexOf((byte)'\n');
        return new StoredTask
        {
            Peer = peer,
            Head = JsonSerializer.Deserialize(value[..line], RecordJson.Default.TaskHead)!,
            Task = A2ADialect.V10.Task.Read(value[(line + 1)..]),
            Version = version,
        };
    }
}
