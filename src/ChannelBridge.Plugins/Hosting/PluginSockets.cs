using System.Buffers;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// WebSockets of one channel of a plugin, each over two streams. The credit of a stream is the back-pressure: a plugin that doesn't read makes
/// the client wait, and a client that doesn't read the plugin.
/// </summary>
internal sealed partial class PluginSockets(string channel, PluginLink link, ILogger logger)
{
    private const int Restarting = 1012;
    private const int MaxName = 200;

    public async Task ServeAsync(ISocketPeer peer, CancellationToken cancellationToken)
    {
        try
        {
            var live = link.RequireLive();
            using var incoming = live.Streams.Open();
            var request = PluginMapping.ToWire(peer.Request, PluginMapping.ToWire(channel, peer.Caller, peer.Request.Id));
            var opened = await live.Plugin.OpenSocketAsync(request, incoming.Id, peer.Subprotocol, cancellationToken).TranslateAsync().ConfigureAwait(false);
            using var outgoing = live.Streams.Take(opened.Outgoing);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var receiving = ReceiveAsync(peer, incoming, end.Token);
            var sending = SendAsync(peer, outgoing, end.Token);
            // The plugin's side decides: it ends its stream when it has read how the connection ended, or wants no more.
            try
            {
                await sending.ConfigureAwait(false);
            }
            finally
            {
                await end.CancelAsync().ConfigureAwait(false);
                await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (BridgeException gone) when (gone.Code is ErrorCodes.Unavailable)
        {
            peer.Close(Restarting, "the plugin restarts; connect again");
        }
        catch (BridgeException refused)
        {
            LogRefused(logger, channel, refused.Code);
            var code = refused.Code is ErrorCodes.InvalidRequest or ErrorCodes.Forbidden ? 1008 : refused.Code is ErrorCodes.Busy ? 1013 : 1011;
            peer.Close(code, PluginText.Cut(refused.Message, 100));
        }
        catch (OperationCanceledException)
        {
            // The connection has ended, or the host stops.
        }
    }

    private static async Task ReceiveAsync(ISocketPeer peer, PluginStreamWriter incoming, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>();
        while (await peer.ReceiveAsync(cancellationToken).ConfigureAwait(false) is { } message)
        {
            var letter = message.IsBinary ? SocketItem.Binary : SocketItem.Text;
            await incoming.WriteItemAsync(SocketItem.Write(buffer, letter, message.Content.Span), cancellationToken).ConfigureAwait(false);
        }

        var ended = peer.End ?? new SocketEnd(1006, "", ByPeer: false);
        await incoming.WriteItemAsync(SocketItem.WriteClose(buffer, ended.Code, ended.Reason), cancellationToken).ConfigureAwait(false);
        incoming.Complete();
    }

    private async Task SendAsync(ISocketPeer peer, PluginStreamReader outgoing, CancellationToken cancellationToken)
    {
        await foreach (var item in outgoing.ReadItemsAsync(SocketItem.MaxBytes, cancellationToken).ConfigureAwait(false))
        {
            if (item.IsEmpty) continue;
            var content = item[1..];
            switch (item.Span[0])
            {
                case SocketItem.Text or SocketItem.Binary:
                    var outcome = await peer.SendAsync(content, item.Span[0] == SocketItem.Binary, cancellationToken).ConfigureAwait(false);
                    // A client that reads too slowly has missed something: it is the connection that ends, not the order.
                    if (outcome == PushOutcome.Full) peer.Close(1013, "read faster");
                    break;
                case SocketItem.Close:
                    var (code, reason) = SocketItem.ReadClose(content.Span);
                    peer.Close(code is >= 1000 and <= 1014 and not (1004 or 1005 or 1006) or >= 3000 and <= 4999 ? code : 1000, PluginText.Cut(reason, 120));
                    break;
                case SocketItem.Known when peer.Caller is null:
                    peer.Authenticate(new Caller(PluginMapping.CallerName(channel, PluginText.Cut(Encoding.UTF8.GetString(content.Span), MaxName)), Scopes.None, Door.Channel));
                    break;
                case SocketItem.Failed:
                    peer.AuthenticationFailed(content.IsEmpty ? null : PluginText.Cut(Encoding.UTF8.GetString(content.Span), MaxName));
                    break;
            }
        }
    }

    [LoggerMessage(EventId = LogEvents.PluginSocketRefused, Level = LogLevel.Information, Message = "A WebSocket of channel {Channel} is closed: its plugin answered {Code}")]
    private static partial void LogRefused(ILogger logger, string channel, string code);
}
