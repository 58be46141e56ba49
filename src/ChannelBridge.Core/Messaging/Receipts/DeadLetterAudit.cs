using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>Makes the records of who replayed or removed which dead letter; they are committed together with the change.</summary>
internal static class DeadLetterAudit
{
    public const string Namespace = "audit.deadLetter";

    public static (RecordPut Record, byte[] Line) Make(OutboxEntry entry, string action, string by, long now, TimeSpan retention) =>
        Make(entry.Id, entry.Lane, entry.Error, action, by, now, retention);

    public static (RecordPut Record, byte[] Line) Make(Guid id, LaneKey lane, string? reason, string action, string by, long now, TimeSpan retention)
    {
        var said = new AuditLine(now, action, by, id.ToString(), reason);
        var line = JsonSerializer.SerializeToUtf8Bytes(said, ReceiptsJson.Default.AuditLine);
        // The message's own history needn't say whose it is.
        var whole = said with { Channel = lane.Channel, AccountId = lane.Account, SessionKey = lane.SessionKey };
        var record = new RecordPut
        {
            Namespace = Namespace,
            // The newest first in the order of keys.
            Key = $"{long.MaxValue - now:D19}-{id:N}",
            Value = JsonSerializer.SerializeToUtf8Bytes(whole, ReceiptsJson.Default.AuditLine),
            ExpiresAt = now + (long)retention.TotalMilliseconds,
            At = now,
        };
        return (record, line);
    }
}
