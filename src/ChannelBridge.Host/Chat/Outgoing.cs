using System.Threading.Channels;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Chat;

/// <summary>
/// What was typed, on its way to the host: one after the other, in the order in which it was typed, also while the host is away.
/// </summary>
internal sealed class Outgoing(BncrBridgeClient bridge, string user, ChatScreen screen)
{
    private static readonly TimeSpan SoonEnough = TimeSpan.FromSeconds(1);

    // Bounded by what a person types while the host is away.
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _unanswered = [];
    private int _unsent;
    private TaskCompletionSource _idle = Completed();

    /// <summary>Lines that the host doesn't have yet.</summary>
    public int Unsent => Volatile.Read(ref _unsent);

    /// <summary>Since when the oldest message waits for its answer (<see cref="Environment.TickCount64"/>); null when none does.</summary>
    public long? WaitingSince
    {
        get
        {
            lock (_gate) return _unanswered.Count == 0 ? null : _unanswered.Values.Min();
        }
    }

    /// <summary>Takes a line.</summary>
    public void Add(string line)
    {
        lock (_gate)
        {
            if (Interlocked.Increment(ref _unsent) == 1) _idle =
                new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _lines.Writer.TryWrite(line);
    }

    /// <summary>An answer has come.</summary>
    public void Answered(string? replyToId)
    {
        lock (_gate) _unanswered.Remove(replyToId ?? "");
    }

    /// <summary>Waits until everything was sent; false when it takes longer.</summary>
    public async Task<bool> FlushAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        Task idle;
        lock (_gate) idle = _idle.Task;
        await Task.WhenAny(idle, Task.Delay(patience, cancellationToken)).ConfigureAwait(false);
        return Unsent == 0;
    }

    /// <summary>Sends until told to stop.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var line in _lines.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await SendAsync(line, cancellationToken).ConfigureAwait(false);
            lock (_gate)
            {
                if (Interlocked.Decrement(ref _unsent) == 0) _idle.TrySetResult();
            }
        }
    }

    private static TaskCompletionSource Completed()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }

    private async Task SendAsync(string line, CancellationToken cancellationToken)
    {
        var id = "chat-" + Guid.NewGuid().ToString("N");
        // Before it is sent: the answer may be faster than the receipt.
        lock (_gate) _unanswered[id] = Environment.TickCount64;
        try
        {
            var sending = bridge.SendAsync(new BncrInbound { Platform = "chat", UserId = user, Msg = line, MsgId = id, Stream = true },
                cancellationToken);
            await Task.WhenAny(sending, Task.Delay(SoonEnough, cancellationToken)).ConfigureAwait(false);
            var late = !sending.IsCompleted;
            if (late) screen.Say($"[yellow]not sent yet:[/] [grey]{Quote(line)}[/]");
            var result = await sending.ConfigureAwait(false);
            if (result.Accepted && late) screen.Say($"[green]sent:[/] [grey]{Quote(line)}[/]");
            if (result.Accepted) return;
            Answered(id);
            screen.Say($"[red]refused ({Quote(result.Reason ?? "no reason given")}):[/] [grey]{Quote(line)}[/]");
        }
        catch (ChannelBridgeClientException fault)
        {
            Answered(id);
            screen.Say($"[red]not sent ({Quote(fault.Message)}):[/] [grey]{Quote(line)}[/]");
        }
    }

    private static string Quote(string text)
    {
        text = PlainText.Line(text);
        var head = TextWidth.Head(text, 60);
        return Spectre.Console.Markup.Escape(head.Length < text.Length ? head + "…" : head);
    }
}
