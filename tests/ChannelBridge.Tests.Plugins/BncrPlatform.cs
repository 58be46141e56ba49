using System.Collections.Immutable;
using System.Threading.Channels;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Plugins.Testing;

namespace ChannelBridge.Tests.Plugins;

/// <summary>A bridge of bncr on the host's listener, with this project's own client: what is said is kept until a host has it.</summary>
internal sealed class BncrPlatform : IPlatform, IAsyncDisposable
{
    private readonly Channel<BncrInbound> _said = System.Threading.Channels.Channel.CreateUnbounded<BncrInbound>();
    private readonly Lock _lock = new();
    private ImmutableList<PlatformMessage> _heard = [];
    private CancellationTokenSource _leave = new();
    private TaskCompletionSource _open = Opened();
    private Task _running = Task.CompletedTask;
    private bool? _refuse;
    private BncrInbound? _unsent;

    public string Channel => "bncr";

    public string Account => "Primary";

    public PlatformTraits Traits => PlatformTraits.Repeats | PlatformTraits.Refuses | PlatformTraits.Blocks;

    public IReadOnlyList<PlatformMessage> Heard => _heard;

    public string TargetOf(string conversation) => $"Bncr:tests:{conversation}";

    /// <summary>A host that starts anew has another address: the bridge comes to it.</summary>
    public async Task AttachAsync(ChannelHost host, CancellationToken cancellationToken)
    {
        await LeaveAsync();
        _leave = new CancellationTokenSource();
        var bridge = new BncrBridgeClient(new BncrBridgeOptions
        {
            AccountId = Account,
            Connection = { Endpoint = $"ws://{host.Url.Authority}", Token = host.Token },
        });
        await bridge.StartAsync(cancellationToken);
        _running = Task.Run(() => RunAsync(bridge, _leave.Token), CancellationToken.None);
    }

    public Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        _said.Writer.TryWrite(new BncrInbound { Platform = "tests", UserId = conversation, Msg = text, MsgId = id });
        return Task.CompletedTask;
    }

    public void RefuseNext(bool forGood)
    {
        lock (_lock) _refuse = forGood;
    }

    public void Block(bool blocked)
    {
        lock (_lock)
        {
            if (blocked) _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            else _open.TrySetResult();
        }
    }

    public async ValueTask DisposeAsync() => await LeaveAsync();

    private static TaskCompletionSource Opened()
    {
        var opened = new TaskCompletionSource();
        opened.SetResult();
        return opened;
    }

    private async Task LeaveAsync()
    {
        await _leave.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _leave.Dispose();
    }

    private async Task RunAsync(BncrBridgeClient bridge, CancellationToken leave)
    {
        await using (bridge)
        {
            var reading = ReadAsync(bridge, leave);
            var sending = SendAsync(bridge, leave);
            await Task.WhenAll(reading, sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAsync(BncrBridgeClient bridge, CancellationToken leave)
    {
        await foreach (var push in bridge.ReadPushesAsync(leave))
        {
            Task open;
            bool? refuse;
            lock (_lock) open = _open.Task;
            await open.WaitAsync(leave);
            lock (_lock)
            {
                refuse = _refuse;
                _refuse = null;
                if (refuse is null) _heard = _heard.Add(new PlatformMessage(push.Message.Msg ?? "", _heard.Count));
            }

            if (refuse is { } forGood) await bridge.RejectAsync(push, "refused", forGood, leave);
            else await bridge.AckAsync(push, leave);
        }
    }

    private async Task SendAsync(BncrBridgeClient bridge, CancellationToken leave)
    {
        while (true)
        {
            // One that no host has answered is brought to the next host, under its id.
            _unsent ??= await _said.Reader.ReadAsync(leave);
            await bridge.SendAsync(_unsent, leave);
            _unsent = null;
        }
    }
}
