using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using ChannelBridge.Plugins.Streams;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// The endpoints of one channel of a manifest: the doors check who comes in, how often and with how much, and what is let in is a call into
/// the plugin's process. While there is no process they answer 503.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle nobody asks for holds nothing.")]
internal sealed class PluginEndpoints : IEndpointSource
{
    // Answers come whole, so that a status can still say that one broke off: so many large ones are held at a time.
    private const int MostLargeAnswers = 16;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly PluginLink _link;
    private readonly PluginSockets _sockets;
    private readonly SemaphoreSlim _large = new(MostLargeAnswers, MostLargeAnswers);

    private PluginEndpoints(string channel, IEnumerable<ManifestEndpoint> endpoints, IEnumerable<ManifestSocket> sockets, PluginLink link, ILogger logger)
    {
        Channel = channel;
        _link = link;
        _sockets = new PluginSockets(channel, link, logger);
        Http = [.. endpoints.Select(Make)];
        Sockets = [.. sockets.Select(Make)];
    }

    public string Channel { get; }

    public IEnumerable<HttpEndpoint> Http { get; }

    public IEnumerable<SocketEndpoint> Sockets { get; }

    /// <summary>The endpoints of a manifest, by channel: the one whose id begins the path, else the first.</summary>
    public static IEnumerable<PluginEndpoints> Of(PluginManifest manifest, PluginLink link, ILogger logger)
    {
        string ChannelOf(string path) =>
            manifest.Channels.FirstOrDefault(channel => path.StartsWith($"/{channel.Id}/", StringComparison.Ordinal))?.Id ?? manifest.Channels[0].Id;
        foreach (var channel in manifest.Channels)
        {
            var endpoints = manifest.Endpoints.Where(endpoint => ChannelOf(endpoint.Path) == channel.Id).ToArray();
            var sockets = manifest.Sockets.Where(socket => ChannelOf(socket.Path) == channel.Id).ToArray();
            if (endpoints.Length + sockets.Length > 0) yield return new PluginEndpoints(channel.Id, endpoints, sockets, link, logger);
        }
    }

    private HttpEndpoint Make(ManifestEndpoint endpoint) => new()
    {
        Verbs = endpoint.Verbs,
        Path = endpoint.Path,
        Access = AccessOf(endpoint.Access),
        Place = PlaceOf(endpoint.Place),
        Body = endpoint.Body == "json" ? BodyFormat.Json : BodyFormat.Bytes,
        MaxBodyBytes = endpoint.MaxBodyBytes,
        Rate = endpoint.Rate is { } rate ? new EndpointRate(rate.PerSecond, rate.Burst) : null,
        AnyOrigin = endpoint.AnyOrigin,
        Handler = AnswerAsync,
    };

    private SocketEndpoint Make(ManifestSocket socket) => new()
    {
        Path = socket.Path,
        Access = AccessOf(socket.Access),
        Place = PlaceOf(socket.Place),
        Subprotocols = socket.Subprotocols,
        NeedsSubprotocol = socket.Subprotocols.Count > 0,
        MaxMessageBytes = socket.MaxMessageBytes,
        MaxMessageBytesBefore = Math.Min(socket.MaxMessageBytes, 64 * 1024),
        Rate = socket.Rate is { } rate ? new EndpointRate(rate.PerSecond, rate.Burst) : null,
        AnyOrigin = socket.AnyOrigin,
        Handler = _sockets.ServeAsync,
    };

    private static EndpointPlace PlaceOf(string place) =>
        place switch { "own" => EndpointPlace.Own, "both" => EndpointPlace.Both, _ => EndpointPlace.Listener };

    private EndpointAccess AccessOf(string access) => access switch
    {
        "anonymous" => EndpointAccess.Anonymous,
        "plugin" => EndpointAccess.ByChannel(AuthorizeAsync),
        _ => EndpointAccess.Scope(ScopeNames.Parse(access)),
    };

    private async ValueTask<AccessVerdict> AuthorizeAsync(EndpointRequest request, CancellationToken cancellationToken)
    {
        var verdict = await _link.Require().AuthorizeAsync(PluginMapping.ToWire(request, null), cancellationToken).TranslateAsync().ConfigureAwait(false);
        if (verdict.Name is { Length: > 0 and <= 200 } name)
        {
            // Under the channel's name: rates and the audit of the host's own tokens aren't the plugin's to use.
            return AccessVerdict.Allow(new Caller(PluginMapping.CallerName(Channel, name), Scopes.None, Door.Channel));
        }

        var refused = AccessVerdict.Refuse(verdict.Message is { Length: > 0 } message ? PluginCut(message) : "Access refused.", verdict.Identity);
        return refused with { Status = verdict.Status is 403 ? 403 : 401, Challenge = verdict.Challenge };
    }

    private async ValueTask AnswerAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var live = _link.RequireLive();
        var content = exchange.Request.Verb is "GET" or "HEAD" ? default : await exchange.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
        var text = TextOf(content);
        using var body = text is null && content.Length > 0 ? live.Streams.Open() : null;
        var sending = body is null ? Task.CompletedTask : SendAsync(body, content, cancellationToken);
        try
        {
            var request = PluginMapping.ToWire(exchange.Request, PluginMapping.ToWire(Channel, exchange.Caller, exchange.Request.Id));
            var answer = await live.Plugin.AnswerHttpAsync(request, text, body?.Id, cancellationToken).TranslateAsync().ConfigureAwait(false);
            if (answer.Events is { } events) await TellAsync(exchange, answer, live.Streams.Take(events), cancellationToken).ConfigureAwait(false);
            else await AnswerAsync(exchange, answer, live.Streams, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // What the plugin didn't read ends here, and the bytes are the exchange's.
            body?.Dispose();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AnswerAsync(HttpExchange exchange, PluginHttpAnswer answer, PluginStreams streams, CancellationToken cancellationToken)
    {
        using var reader = answer.Body is { } body ? streams.Take(body) : null;
        if (answer.Status is < 200 or > 599) throw new BridgeException(ErrorCodes.Internal, "the plugin answered a status that isn't one");
        var plain = new HttpAnswer
        {
            Status = answer.Status,
            ContentType = answer.ContentType,
            Headers = Headers(answer),
            ETag = answer.ETag,
        };
        if (reader is null)
        {
            await exchange.AnswerAsync(plain with { Content = Encoding.UTF8.GetBytes(answer.Text ?? "") }, cancellationToken).ConfigureAwait(false);
            return;
        }

        await _large.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var content = await ReadAsync(reader, cancellationToken).ConfigureAwait(false);
            await exchange.AnswerAsync(plain with { Content = content }, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _large.Release();
        }
    }

    private static async Task TellAsync(HttpExchange exchange, PluginHttpAnswer answer, PluginStreamReader reader, CancellationToken cancellationToken)
    {
        using (reader)
        {
            var start = new EventStreamStart { Headers = Headers(answer) };
            if (answer.HeartbeatMs is > 0 and var wait) start = start with { Heartbeat = TimeSpan.FromMilliseconds(Math.Clamp(wait, 1000, 3_600_000)) };
            var writer = await exchange.BeginEventsAsync(start, cancellationToken).ConfigureAwait(false);
            try
            {
                await foreach (var item in reader.ReadItemsAsync(cancellationToken: cancellationToken).ConfigureAwait(false))
                {
                    if (!await writer.WriteAsync(EventItem.Read(item.Span), cancellationToken).ConfigureAwait(false)) return;
                }
            }
            catch (BridgeException gone) when (gone.Code is ErrorCodes.Unavailable or ErrorCodes.Cancelled)
            {
                // The process is gone or gave it up: the stream ends, and its reader comes back.
            }
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(PluginStreamReader reader, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        var buffer = new byte[PluginProtocol.MaxFrameBytes];
        int read;
        while ((read = await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            if (all.Length + read > PluginProtocol.MaxAnswerBytes)
                throw new BridgeException(ErrorCodes.Internal, $"the plugin's answer has more than {PluginProtocol.MaxAnswerBytes} bytes");
            await all.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
        }

        return all.GetBuffer().AsMemory(0, (int)all.Length);
    }

    private static async Task SendAsync(PluginStreamWriter body, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await body.WriteAsync(content, cancellationToken).ConfigureAwait(false);
        body.Complete();
    }

    private static string? TextOf(ReadOnlyMemory<byte> content)
    {
        if (content.IsEmpty || content.Length > PluginProtocol.MaxTextBody) return null;
        try
        {
            return Strict.GetString(content.Span);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static List<KeyValuePair<string, string>> Headers(PluginHttpAnswer answer)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var header in answer.Headers ?? [])
        {
            var isName = header.Name is { Length: > 0 and <= 100 } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
            // A line end in a value would be another header.
            if (!isName || header.Value is null || header.Value.Any(char.IsControl))
                throw new BridgeException(ErrorCodes.Internal, "the plugin answered a header that can't be sent");
            headers.Add(KeyValuePair.Create(header.Name!, header.Value));
        }

        return headers;
    }

    private static string PluginCut(string text) => Supervision.PluginText.Cut(text, 300);
}
