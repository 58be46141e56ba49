using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>Records that ride along in the commit of a message.</summary>
internal static class Riding
{
    /// <summary>A message's write and the records that are written if it takes place.</summary>
    public static IReadOnlyList<StoreWrite> Along(this IReadOnlyList<RecordWrite>? records, StoreWrite write)
    {
        if (records is not { Count: > 0 }) return [write];
        foreach (var record in records) record.With = write;
        return [write, .. records];
    }
}
