using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Plugins.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Plugins;

/// <summary>
/// Platforms that don't say whether a message was taken, and bring none again: what is said there counts as said when the host has it.
/// </summary>
internal static class Arrival
{
    /// <summary>The only account of the host's only channel.</summary>
    public static ChannelAccountStatus? StatusOf(ChannelHost host) =>
        host.Services.GetRequiredService<IRegistry>().Current.Of<IChannel>().Single().GetAccounts() is [var only, ..] ? only : null;

    /// <summary>Says something and completes when the host has a message more. One at a time.</summary>
    public static async Task OfAsync(ChannelHost host, Func<Task> say, CancellationToken cancellationToken)
    {
        long Mark() => StatusOf(host)?.LastInboundAt ?? 0;
        var before = Mark();
        // The mark has milliseconds.
        while (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() <= before) await Task.Delay(1, cancellationToken);
        await say();
        while (Mark() <= before) await Task.Delay(5, cancellationToken);
    }
}
