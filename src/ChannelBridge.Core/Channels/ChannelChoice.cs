using ChannelBridge.Abstractions.Channels;
namespace ChannelBridge.Core.Channels;

/// <summary>Which channel a call means.</summary>
internal static class ChannelChoice
{
    /// <summary>The channel of a name; without a name the only one that can be written to. Null: unknown, or there are several.</summary>
    public static IChannel? Find(IEnumerable<IChannel> channels, string? name)
    {
        var candidates = channels.Where(channel => name is null ? channel.CanSend : channel.Id == name).Take(2).ToArray();
        return candidates.Length == 1 ? candidates[0] : null;
    }
}
