using System.Globalization;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The host's inbox, from a plugin's process.</summary>
internal sealed class HostInbox(IPluginHost host, IReadOnlyList<string> agents) : IInbox
{
    public async ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default)
    {
        var key = dedupeKey.ToString("x32", CultureInfo.InvariantCulture);
        var window = Math.Max(1, (long)dedupeWindow.TotalMilliseconds);
        var accepted = await host.AcceptAsync(SdkMapping.ToWire(message, agents), key, window, HostRecords.ToWire(records), cancellationToken)
            .TranslateAsync().ConfigureAwait(false);
        return new InboxReceipt(accepted.Id, accepted.Duplicate);
    }
}
