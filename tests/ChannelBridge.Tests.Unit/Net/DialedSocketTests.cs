using System.Net.WebSockets;
using System.Text;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Core.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Net;

/// <summary>A connection that was dialed, before a server that sends back what it hears.</summary>
public sealed class DialedSocketTests : IAsyncLifetime
{
    private readonly WebApplication _app = Server();
    private IDialedSocket _socket = null!;
    private long _ponged;

    public async Task InitializeAsync()
    {
        await _app.StartAsync();
        var request = new DialRequest { Url = new Uri(_app.Urls.First().Replace("http", "ws", StringComparison.Ordinal)), Ponged = number => Volatile.Write(ref _ponged, number) };
        _socket = await new WebSocketDialer().DialAsync(request);
    }

    public async Task DisposeAsync()
    {
        await _socket.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task Several_SentTogether_ArriveEachByItself_InOrder_BesideOthersAndPings()
    {
        // More than is held back at once, single ones that are more than that, and an empty one.
        string[] together = [.. Enumerable.Range(0, 300).Select(static number => $"{number}:{new string('x', number % 7 == 0 ? 20_000 : number)}"), ""];
        var sending = _socket.SendAsync([.. together.Select(static text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text))], CancellationToken.None).AsTask();
        var alone = _socket.SendAsync("alone"u8.ToArray(), CancellationToken.None).AsTask();
        var ping = _socket.PingAsync(7, CancellationToken.None).AsTask();
        var heard = new List<string>();
        while (heard.Count < together.Length + 1) heard.Add(await HearAsync());
        await Task.WhenAll(sending, alone, ping);
        Assert.Equal(together, heard.Where(static text => text != "alone"));
        await _socket.SendAsync([], CancellationToken.None);
        await _socket.SendAsync(["last"u8.ToArray()], CancellationToken.None);
        Assert.Equal("last", await HearAsync());
        await Wait.UntilAsync(() => Volatile.Read(ref _ponged) == 7);
    }

    [Fact]
    public async Task GivenUpAmongSeveral_TheGoodbyeStillArrives()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _socket.SendAsync(["a"u8.ToArray(), "b"u8.ToArray()], cancelled.Token));
        await _socket.SendAsync("c"u8.ToArray(), CancellationToken.None);
        Assert.Equal("c", await HearAsync());
        var closing = _socket.CloseAsync();
        Assert.Null(await _socket.ReceiveAsync(CancellationToken.None));
        await closing;
        Assert.Equal(1000, _socket.CloseCode);
    }

    private async Task<string> HearAsync() => Encoding.UTF8.GetString((await _socket.ReceiveAsync(CancellationToken.None).AsTask().WaitAsync(Wait.Limit))!.Value.Span);

    private static WebApplication Server()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.UseWebSockets();
        app.Map("/", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[64 * 1024];
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
                if (part.MessageType == WebSocketMessageType.Close) break;
                await socket.SendAsync(buffer.AsMemory(0, part.Count), WebSocketMessageType.Text, part.EndOfMessage, context.RequestAborted);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        });
        return app;
    }
}
