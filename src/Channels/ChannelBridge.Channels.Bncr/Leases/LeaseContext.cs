using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>What all sessions share.</summary>
internal sealed class LeaseContext(
    IRecords records, TimeProvider time, IGatewayAdmission? gateway, IFileSender? files = null, ISpool? spool = null, int inlinePushBytes = 0)
{
    public PushLedger Ledger { get; } = new();

    /// <summary>Sends files to clients, or null where the host has no spool.</summary>
    public IFileSender? Files => files;

    public ISpool? Spool => spool;

    /// <summary>Files up to this size go inside the message.</summary>
    public int InlinePushBytes => inlinePushBytes;

    public Guid StoreId => records.StoreId;

    /// <summary>Unix milliseconds.</summary>
    public long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    public (BncrAckMode Mode, string Source) AckRule(BncrAccount account, Door door)
    {
        if (door is not Door.Gateway || gateway is null) return (account.Policy.AckMode, account.Policy.AckSource);
        return gateway.GetAccount(BncrChannel.ChannelId, account.DisplayId).RequireAck switch
        {
            true => (BncrAckMode.True, "channel"),
            false => (BncrAckMode.False, "channel"),
            null => (BncrAckMode.Auto, "default"),
        };
    }
}
