using ChannelBridge.Core.Access;
using ChannelBridge.Core.Channels;
using ChannelBridge.Core.Storage;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>What all sessions share.</summary>
internal sealed class LeaseContext(IStore store, TimeProvider time, IGatewayAdmission? gateway)
{
    public PushLedger Ledger { get; } = new();

    public Guid StoreId => store.StoreId;

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
