using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Core.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Core.Settings;

/// <summary>Takes the policies of delivery that channels have in the settings.</summary>
internal static class ChannelDeliveries
{
    /// <summary>Takes those of every channel of a container.</summary>
    public static void Read(IServiceProvider provider, MessagingOptions options)
    {
        if (provider.GetService<ISettingsSource>() is not { } source) return;
        var reader = new SettingsReader(source, provider.GetService<HostFacts>());
        foreach (var channel in provider.GetServices<ChannelSettings>()) Take(channel, reader, options);
    }

    /// <summary>Takes those of one channel; what is wrong is told to the reader.</summary>
    public static void Take(ChannelSettings channel, SettingsReader reader, MessagingOptions options)
    {
        // What the host's code has said of the channel is where its keys start from.
        var delivery = channel.ReadDelivery(reader, options.Delivery.TryGetValue(channel.Channel, out var given) ? given : options.DefaultDelivery);
        options.Delivery[channel.Channel] = delivery.Channel;
        foreach (var (account, policy) in delivery.Accounts) options.AccountDelivery[(channel.Channel, account)] = policy;
    }
}
