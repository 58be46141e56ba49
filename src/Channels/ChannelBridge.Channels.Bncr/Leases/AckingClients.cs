using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Routing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>Which clients have ever acked: one record per account and client id, written at the first ack.</summary>
internal sealed partial class AckingClients(IRecords records, TimeProvider time, ILogger<AckingClients> logger)
{
    public const string Namespace = "bncr.acker";

    private readonly GenerationCache<string, bool> _known = new(8192);

    /// <summary>Looks a session's client up, once per session and client id.</summary>
    public async ValueTask LoadAsync(BncrSession session, CancellationToken cancellationToken)
    {
        if (session.AcksKnown || session.Acks) return;
        var key = KeyOf(session);
        if (!_known.TryGet(key, out var acks))
        {
            acks = await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false) is not null;
            // Only what never changes is kept: another host may learn that the client acks.
            if (acks) _known.Set(key, acks);
        }

        if (acks) session.Acks = true;
        session.AcksKnown = true;
    }

    /// <summary>Remembers that a session's client acks. A failure to write costs nothing but that the next ack tries again.</summary>
    public async ValueTask RememberAsync(BncrSession session)
    {
        session.Acks = true;
        var key = KeyOf(session);
        if (_known.TryGet(key, out var known) && known) return;
        try
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await records.WriteAsync(
                new RecordPut { Namespace = Namespace, Key = key, Value = "{}"u8.ToArray(), Index = session.Account.Key, At = now }).ConfigureAwait(false);
            _known.Set(key, true);
        }
        catch (Exception fault)
        {
            LogNotWritten(logger, fault, session.Account.DisplayId);
        }
    }

    private static string KeyOf(BncrSession session) => $"{session.Account.Key}|{session.ClientId}";

    [LoggerMessage(EventId = LogEvents.AckingClientsNotWritten, Level = LogLevel.Warning, Message = "Couldn't record that a client of account {Account} acks")]
    private static partial void LogNotWritten(ILogger logger, Exception fault, string account);
}
