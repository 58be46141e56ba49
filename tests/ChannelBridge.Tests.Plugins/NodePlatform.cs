using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.WebSockets;
using System.Text;
using ChannelBridge.Plugins.Testing;

namespace ChannelBridge.Tests.Plugins;

/// <summary>People at the WebSockets of the sample in Node, who come back when their connection is lost.</summary>
internal sealed class NodePlatform : IPlatform, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (ClientWebSocket Socket, Task Reading)> _people = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _lock = new();
    private ImmutableList<PlatformMessage> _heard = [];
    private ChannelHost? _host;

    public string Channel => "nodechat";

    public string Account => "Main";

    public PlatformTraits Traits => PlatformTraits.None;

    public IReadOnlyList<PlatformMessage> Heard => _heard;

    public async Task AttachAsync(ChannelHost host, CancellationToken cancellationToken)
    {
        _host = host;
        foreach (var name in _people.Keys.ToList())
        {
            await LeaveAsync(name);
            await ComeAsync(name, cancellationToken);
        }
    }

    public async Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (!_people.ContainsKey(conversation)) await ComeAsync(conversation, cancellationToken);
            var message = Encoding.UTF8.GetBytes(text);
            await Arrival.OfAsync(
                _host!, () => _people[conversation].Socket.SendAsync(message, WebSocketMessageType.Text, true, cancellationToken), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void RefuseNext(bool forGood) => throw new NotSupportedException("a WebSocket takes everything");

    public void Block(bool blocked) => throw new NotSupportedException("a WebSocket takes everything");

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _people.Keys.ToList()) await LeaveAsync(name);
        _turn.Dispose();
    }

    private async Task ComeAsync(string name, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_host!.Token}");
        await socket.ConnectAsync(new Uri($"ws://{_host.Url.Authority}/nodechat/{name}"), cancellationToken);
        _people[name] = (socket, Task.Run(() => ReadAsync(socket), CancellationToken.None));
    }

    private async Task LeaveAsync(string name)
    {
        if (!_people.TryRemove(name, out var person)) return;
        person.Socket.Abort();
        await person.Reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        person.Socket.Dispose();
    }

    private async Task ReadAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) return;
                length += part.Count;
            }
            while (!part.EndOfMessage);
            lock (_lock) _heard = _heard.Add(new PlatformMessage(Encoding.UTF8.GetString(buffer, 0, length), _heard.Count));
        }
    }
}
