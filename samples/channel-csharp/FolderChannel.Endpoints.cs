using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace FolderSample;

/// <content>
/// The same conversations over HTTP: <c>POST /folder/NAME</c> says something, <c>GET /folder/NAME/events</c> is told the answers as they come, and the WebSocket
/// <c>/folder/NAME/socket</c> does both. The host checks the token, the origin, the rates and the body's bound before any of this is called.
/// </content>
public sealed partial class FolderChannel
{
    private const int MostWaiting = 64;
    private static readonly EndpointAccess Access = EndpointAccess.Scope(Scopes.Write);
    private readonly ConcurrentDictionary<(string Name, Guid Reader), Channel<PushItem>> _readers = new();

    public string Channel => Id;

    public IEnumerable<HttpEndpoint> Http =>
    [
        new() { Verbs = ["POST"], Path = "/folder/{name}", Access = Access, MaxBodyBytes = 64 * 1024, Rate = EndpointRate.PerMinute(120), Handler = TakeAsync },
        new() { Verbs = ["GET"], Path = "/folder/{name}/events", Access = Access, Handler = StreamAsync },
    ];

    public IEnumerable<SocketEndpoint> Sockets => [new() { Path = "/folder/{name}/socket", Access = Access, MaxMessageBytes = 64 * 1024, Handler = ServeAsync }];

    private async ValueTask TakeAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var name = NameOf(exchange.Request);
        var text = Text(await exchange.ReadBodyAsync(cancellationToken));
        // With the client's own key the same message again is the same message; without one each is a new one.
        var key = exchange.Request.Header("Idempotency-Key") ?? Guid.NewGuid().ToString();
        var receipt = await AcceptAsync(name, text, $"http\n{name}\n{key}", cancellationToken);
        // Only now: 202 says that it is on disk.
        var answer = new { id = receipt.Id, duplicate = receipt.Duplicate };
        await exchange.AnswerAsync(HttpAnswer.Json(JsonSerializer.SerializeToUtf8Bytes(answer), 202), cancellationToken);
    }

    private async ValueTask StreamAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        using var reader = Listen(NameOf(exchange.Request));
        var events = await exchange.BeginEventsAsync(cancellationToken: cancellationToken);
        await foreach (var item in reader.Items.ReadAllAsync(cancellationToken))
        {
            var data = JsonSerializer.SerializeToUtf8Bytes(new { text = item.Message.Text });
            if (!await events.WriteAsync(new ServerEvent(data, "answer", item.Id.ToString()), cancellationToken)) return;
        }
    }

    private async Task ServeAsync(ISocketPeer peer, CancellationToken cancellationToken)
    {
        var name = NameOf(peer.Request);
        using var reader = Listen(name);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, peer.Closed);
        var answering = AnswerAsync(peer, reader, end.Token);
        try
        {
            while (await peer.ReceiveAsync(end.Token) is { } message)
            {
                await AcceptAsync(name, Text(message.Content), $"socket\n{peer.Id}\n{Guid.NewGuid()}", end.Token);
            }
        }
        catch (BridgeException fault)
        {
            // What is wrong with the message is wrong with the client; a close says so.
            peer.Close(1008, fault.Message);
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
        finally
        {
            await end.CancelAsync();
            await answering;
        }
    }

    private static async Task AnswerAsync(ISocketPeer peer, Reader reader, CancellationToken end)
    {
        try
        {
            await foreach (var item in reader.Items.ReadAllAsync(end)) await peer.SendAsync(Encoding.UTF8.GetBytes(item.Message.Text), cancellationToken: end);
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    /// <summary>Whoever reads a conversation hears of what is in the folder already; one that reads too slowly misses answers here and finds them there.</summary>
    private void Tell(PushItem item)
    {
        foreach (var ((name, _), items) in _readers)
        {
            if (name == item.Message.Route) items.Writer.TryWrite(item);
        }
    }

    private Reader Listen(string name)
    {
        var key = (name, Guid.NewGuid());
        var items = System.Threading.Channels.Channel.CreateBounded<PushItem>(MostWaiting);
        _readers[key] = items;
        return new Reader(items.Reader, () => _readers.TryRemove(key, out _));
    }

    /// <summary>A name from an address is a stranger's text, and becomes a part of a session key.</summary>
    private static string NameOf(EndpointRequest request) =>
        request.PathValue("name") is { Length: > 0 and <= 64 } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? name
            : throw BridgeException.Invalid("the conversation's name must be 1 to 64 letters, digits, '-' or '_'");

    private string Text(ReadOnlyMemory<byte> body)
    {
        var text = Encoding.UTF8.GetString(body.Span).Trim();
        if (text.Length == 0) throw BridgeException.Invalid("the message is empty: send it as text");
        return text.Length <= _options.MaxText ? text : throw new BridgeException(ErrorCodes.PayloadTooLarge, $"a message has at most {_options.MaxText} characters");
    }

    private sealed class Reader(ChannelReader<PushItem> items, Action leave) : IDisposable
    {
        public ChannelReader<PushItem> Items => items;

        public void Dispose() => leave();
    }
}
