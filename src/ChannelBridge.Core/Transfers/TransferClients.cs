using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Core.Transfers;

/// <summary>What the engine makes of a client.</summary>
internal static class TransferClients
{
    extension(TransferClient client)
    {
        /// <summary>The key under which the client's account is counted and kept.</summary>
        public string AccountKey => Spool.KeyOf(client.Channel, client.Account);
    }
}
