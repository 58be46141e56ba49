using System.Collections.Concurrent;
using System.Text;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;

namespace ChannelBridge.Tests.Integration;

/// <summary>The .NET client against a real host, on every door, while that host is killed and comes back.</summary>
public sealed class ClientTests
{
    public static TheoryData<string> Doors => ["openclaw", "json-rpc", "socket"];

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Bridge_HostKilledAndBack_EveryMessageIsAnsweredOnceAndInOrder(string door)
    {
        var host = await HostProcess.StartAsync();
        try
        {
            var url = host.Url.AbsoluteUri;
            await using var bridge = new BncrBridgeClient(new BncrBridgeOptions { Connection = OptionsFor(door, host), BridgeId = $"bridge-{door}" });
            using var stop = new CancellationTokenSource();
            var shown = new ConcurrentQueue<string>();
            var answered = new ConcurrentDictionary<string, TaskCompletionSource>();
            await bridge.StartAsync();
            var running = bridge.RunAsync(
                (push, _) =>
                {
                    shown.Enqueue(push.ReplyToId!);
                    answered.GetOrAdd(push.ReplyToId!, _ => NewSignal()).TrySetResult();
                    return Task.CompletedTask;
                },
                stop.Token);
            for (var i = 1; i <= 3; i++) await SendAsync(bridge, i);
            await AnsweredAsync(answered, 3);

            for (var round = 0; round < 2; round++)
            {
                var first = (round * 10) + 4;
                // Accepted, perhaps not answered yet, when the host dies.
                for (var i = first; i < first + 5; i++) await SendAsync(bridge, i);
                await host.KillAsync();
                // Said while it is away: sent when it is back.
                var late = SendLaterAsync(bridge, first + 5, 5);
                host = await HostProcess.StartAsync(host.Data, url: url);
                await late.WaitAsync(HostProcess.Timeout);
                await AnsweredAsync(answered, first + 9);
            }

            Assert.Equal(ClientState.Connected, bridge.Client.State);
            Assert.Equal(Enumerable.Range(1, 23).Select(i => $"m{i}"), shown);
            await stop.CancelAsync();
            await running.ContinueWith(_ => { }, TaskScheduler.Default);
        }
        finally
        {
            await host.DisposeAsync();
        }

        static async Task SendLaterAsync(BncrBridgeClient bridge, int first, int count)
        {
            for (var i = first; i < first + count; i++) await SendAsync(bridge, i);
        }
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Calls_HostKilled_FailAsDocumentedAndLaterOnesSucceed(string door)
    {
        var host = await HostProcess.StartAsync();
        try
        {
            var url = host.Url.AbsoluteUri;
            var options = OptionsFor(door, host);
            options.Scopes = ["operator.admin"];
            await using var client = new ChannelBridgeClient(options);
            await client.ConnectAsync();
            await client.CallAsync("bncr.connect", """{"accountId":"calls","clientId":"calls"}"""u8.ToArray());
            using var asked = client.Subscribe("bncr.rpc.request");

            // A call that nobody answers is under way when the host dies.
            var lasting = client.CallAsync("bncr.rpc.call", """{"accountId":"calls","method":"wait","timeoutMs":60000}"""u8.ToArray());
            await foreach (var _ in asked) break;
            await host.KillAsync();
            var lost = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => lasting.WaitAsync(HostProcess.Timeout));
            Assert.Equal(ClientErrorCodes.ConnectionLost, lost.Code);
            Assert.True(lost.Retryable);

            // One that begins while the host is away waits for it.
            var waiting = client.CallAsync("ping");
            host = await HostProcess.StartAsync(host.Data, url: url);
            Assert.Contains("pong", Encoding.UTF8.GetString((await waiting.WaitAsync(HostProcess.Timeout)).Span), StringComparison.Ordinal);

            // What the host refuses has the host's code.
            var refused = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync("bncr.ack", "{}"u8.ToArray()));
            Assert.Equal("INVALID_REQUEST", refused.Code);
            Assert.False(refused.Retryable);
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Call_HostAwayTooLong_TimesOut(string door)
    {
        await using var host = await HostProcess.StartAsync();
        var options = OptionsFor(door, host);
        options.CallTimeout = TimeSpan.FromMilliseconds(300);
        await using var client = new ChannelBridgeClient(options);
        await client.ConnectAsync();
        await client.CallAsync("ping");
        await host.KillAsync();
        while (client.State == ClientState.Connected) await Task.Yield();
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.CallAsync("ping"));
        Assert.Equal(ClientErrorCodes.Timeout, fault.Code);
        Assert.True(fault.Retryable);
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Connect_WrongTokenOrNobodyThere_SaysWhich(string door)
    {
        await using var host = await HostProcess.StartAsync();
        var options = OptionsFor(door, host);
        options.TokenFile = null;
        options.Token = "a-token-that-nobody-knows";
        await using (var stranger = new ChannelBridgeClient(options))
        {
            var refused = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => stranger.ConnectAsync());
            Assert.Equal(ClientErrorCodes.Unauthorized, refused.Code);
            Assert.Equal(ClientState.Failed, stranger.State);
        }

        await host.KillAsync();
        await using var late = new ChannelBridgeClient(OptionsFor(door, host));
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => late.ConnectAsync());
        Assert.Equal(ClientErrorCodes.Unreachable, fault.Code);
        Assert.True(fault.Retryable);
    }

    private static ChannelBridgeClientOptions OptionsFor(string door, HostProcess host) => new()
    {
        Endpoint = door switch
        {
            "openclaw" => host.WebSocketUrl.AbsoluteUri,
            "json-rpc" => new Uri(host.WebSocketUrl, "/rpc").AbsoluteUri,
            _ => "unix:" + host.Socket,
        },
        TokenFile = Path.Combine(host.Data, "token"),
        ReconnectDelay = TimeSpan.FromMilliseconds(50),
        MaxReconnectDelay = TimeSpan.FromMilliseconds(500),
    };

    private static async Task SendAsync(BncrBridgeClient bridge, int number)
    {
        var accepted = await bridge.SendAsync(new BncrInbound { Platform = "test", UserId = "anna", Msg = $"message {number}", MsgId = $"m{number}" });
        Assert.True(accepted.Accepted, accepted.Reason);
    }

    private static Task AnsweredAsync(ConcurrentDictionary<string, TaskCompletionSource> answered, int last) => Task.WhenAll(
        Enumerable.Range(1, last).Select(i => answered.GetOrAdd($"m{i}", _ => NewSignal()).Task)).WaitAsync(HostProcess.Timeout);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
