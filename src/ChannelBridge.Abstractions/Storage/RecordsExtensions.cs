namespace ChannelBridge.Abstractions.Storage;

/// <summary>Shorter forms of <see cref="IRecords"/>.</summary>
public static class RecordsExtensions
{
    /// <summary>Writes one record or sequence; see <see cref="IRecords.WriteAsync"/>.</summary>
    public static ValueTask WriteAsync(this IRecords records, RecordWrite write, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(records);
        return records.WriteAsync([write], cancellationToken);
    }
}
