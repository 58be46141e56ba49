using System.Security.Cryptography;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Pki;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>Makes the agents of the settings with their keys, which lie beside the endpoint's own.</summary>
internal static class HeldAgents
{
    /// <summary>Makes them.</summary>
    public static IReadOnlyDictionary<string, HeldAgent> Make(AunOptions options, Authority authority, IPeerKeys peers, IRecords records, TimeProvider time)
    {
        // The same device on all hosts of a folder, since they share the keys and the prekeys.
        var device = "channelbridge-" + Convert.ToHexStringLower(SHA256.HashData(authority.TokenKey.ExportSubjectPublicKeyInfo()))[..12];
        var all = new Dictionary<string, HeldAgent>(StringComparer.Ordinal);
        foreach (var (name, agent) in options.Agents)
        {
            var aid = name.ToLowerInvariant();
            using var key = authority.HeldKey(aid);
            var keys = new IdentityKeys(aid, key);
            all[aid] = new HeldAgent(aid, agent, keys, new Sealer(keys, device, peers, records, options.RequireForwardSecrecy, time, TimeSpan.Zero, namesDevices: true));
        }

        return all;
    }
}
