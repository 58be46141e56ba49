using System.Net.WebSockets;
using System.Text;
using ChannelBridge.Endpoints.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>What all connections together may hold: each within its own limits, a crowd of them would still take more than the machine has.</summary>
public sealed class MessageMemoryTests
{
    private const int Half = 600 * 1024;

    [Fact]
    public async Task LargeMessage_OthersHoldTheMemory_IsBusyByItsIdAndServedAfterwards()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MessageMemory = 1024 * 1024);
        var runtime = host.Services.GetRequiredService<EndpointRuntime>();
        await using var holder = await host.ConnectAsync();
        await using var client = await host.ConnectAsync();
        var large = Encoding.UTF8.GetBytes($$"""{"type":"req","id":"large","method":"test.echo","params":{"text":"{{new string('x', Half)}}"} }""");
        // The first half and more of a message whose end doesn't come.
        await holder.Socket.SendAsync(large.AsMemory(0, Half), WebSocketMessageType.Text, endOfMessage: false, CancellationToken.None);
        await Wait.UntilAsync(() => runtime.IncomingMemory.Taken >= Half - 4096);

        await client.SendAsync(large);
        var busy = await client.ReceiveAsync();
        Assert.Equal("large", (string?)busy["id"]);
        Assert.Equal("BUSY", (string?)busy["error"]!["code"]);
        Assert.True((bool)busy["error"]!["retryable"]!);
        Assert.True((bool)(await client.CallAsync("small", "ping"))["ok"]!);

        await holder.Socket.SendAsync(large.AsMemory(Half), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        Assert.Equal(Half, ((string)(await holder.ReceiveAsync())["payload"]!["text"]!).Length);
        await Wait.UntilAsync(() => runtime.IncomingMemory.Taken <= 0);
        await client.SendAsync(large);
        Assert.True((bool)(await client.ReceiveAsync())["ok"]!);
    }

    [Fact]
    public async Task LargeMessage_OverTheSocket_IsBusyByItsIdAndServed()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MessageMemory = 1024 * 1024);
        var runtime = host.Services.GetRequiredService<EndpointRuntime>();
        await using var holder = await host.LocalAsync();
        await using var client = await host.LocalAsync();
        var large = SocketClient.Frame($$"""{"jsonrpc":"2.0","method":"test.echo","params":{"text":"{{new string('x', Half)}}"},"id":"large"}""");
        await holder.SendRawAsync(large[..Half]);
        await Wait.UntilAsync(() => runtime.IncomingMemory.Taken >= Half - 8192);

        await client.SendRawAsync(large);
        var busy = (await client.ReceiveAsync())!;
        Assert.Equal("large", (string?)busy["id"]);
        Assert.Equal("BUSY", (string?)busy["error"]!["data"]!["code"]);
        Assert.True((bool)(await client.RpcAsync(1, "ping"))["result"]!["pong"]!);

        await holder.SendRawAsync(large[Half..]);
        Assert.Equal(Half, ((string)(await holder.ReceiveAsync())!["result"]!["text"]!).Length);
        await Wait.UntilAsync(() => runtime.IncomingMemory.Taken <= 0);
    }

    [Fact]
    public async Task Unauthenticated_HoldTheirShare_NextOneIsTurnedAwayAndOthersAreServed()
    {
        await using var host = await WireHost.StartAsync(limits => limits.MessageMemory = 1024 * 1024);
        var runtime = host.Services.GetRequiredService<EndpointRuntime>();
        var half = Encoding.UTF8.GetBytes("{\"type\":\"req\",\"id\":\"" + new string('x', 50_000));
        var strangers = new List<WireClient>();
        try
        {
            for (var i = 0; i < 2; i++)
            {
                strangers.Add(new WireClient(await host.OpenAsync("/")));
                await strangers[^1].Socket.SendAsync(half, WebSocketMessageType.Text, endOfMessage: false, CancellationToken.None);
            }

            await Wait.UntilAsync(() => runtime.PreauthMemory.Taken >= 2 * 40_000);
            strangers.Add(new WireClient(await host.OpenAsync("/")));
            await strangers[^1].ReceiveAsync();
            await strangers[^1].SendAsync(half);
            Assert.Contains("1013", await strangers[^1].ReceiveCloseAsync(), StringComparison.Ordinal);

            await using var client = await host.ConnectAsync();
            Assert.True((bool)(await client.CallAsync("a", "test.echo", $$"""{"text":"{{new string('y', Half)}}"}"""))["ok"]!);
        }
        finally
        {
            foreach (var stranger in strangers) await stranger.DisposeAsync();
        }
    }

    [Fact]
    public async Task SlowReaders_ManyAtOnce_ShareTheMemoryAndOthersAreServed()
    {
        const int Memory = 1024 * 1024;
        const int Size = 64 * 1024;
        await using var host = await WireHost.StartAsync(limits => limits.MessageMemory = Memory);
        var runtime = host.Services.GetRequiredService<EndpointRuntime>();
        var readers = new List<WireClient>();
        try
        {
            for (var i = 0; i < 8; i++)
            {
                readers.Add(await host.ConnectAsync());
                // Some of it fits into the system's own buffers; the rest waits in the host, or is refused.
                await readers[^1].RequestAsync("push", "test.push", $$"""{"count":400,"size":{{Size}},"wait":false}""");
            }

            await using var client = await host.ConnectAsync();
            for (var i = 0; i < 20; i++)
                Assert.True((bool)(await client.CallAsync($"{i}", "test.echo", $$"""{"text":"{{new string('y', Size)}}"}"""))["ok"]!);
            // An answer, and a push to somebody for whom nothing else waits, are never refused.
            Assert.InRange(runtime.OutgoingMemory.Taken, 0, Memory + readers.Count * 2 * Size);
        }
        finally
        {
            foreach (var reader in readers) await reader.DisposeAsync();
        }

        await Wait.UntilAsync(() => runtime.OutgoingMemory.Taken <= 0);
    }
}
