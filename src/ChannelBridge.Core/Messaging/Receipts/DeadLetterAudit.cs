using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>Makes the records of who replayed or removed which dead letter; they are committed together with the change.</summary>
internal static class DeadLetterAudit
{
    public const string Namespace = "audit.deadLetter";

    public static (RecordPut Record, byte[] Line) Make(OutboxEntry entry, string action, string by, long now, TimeSpan retention) =>
        Make(entry.Id, entry.Error, action, by, now, retention);

    public static (RecordPut Record, byte[] Line) Make(Guid id, string? reason, string action, string by, long now, TimeSpan retention)
    {
        var line = JsonSerializer.SerializeToUtf8Bytes(new AuditLine(now, action, by, id.ToString(), reason), ReceiptsJson.Default.AuditLine);
        var record = new RecordPut
        {
            Namespace = Namespace,
            // The newest first in the order of keys.
            Key = $"{long.MaxValue - now:D19}-{id:N}",
            Value = line,
            ExpiresAt = now + (long)retention.TotalMilliseconds,
            At = now,
        };
        return (record, line);
    }
}
