using System.Runtime.InteropServices;
using System.Text;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Terminal;
using Spectre.Console;

namespace ChannelBridge.Host.Chat;

/// <summary>
/// A conversation in a terminal: what the agent says appears while it grows, what was typed is sent until the host has it.
/// </summary>
internal sealed class InteractiveChat
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);
    private static readonly string[] LeaseEvents =
        ["bncr.lease.lost", "plugin.bncr.lease.lost", "bncr.lease.regained", "plugin.bncr.lease.regained"];

    private readonly BncrBridgeClient _bridge;
    private readonly string _user;
    private readonly string _account;
    private readonly LineInput _input = new();
    private readonly ChatScreen _screen;
    private readonly Outgoing _outgoing;
    private readonly Lock _gate = new();
    private GrowingAnswer _growing;
    private string? _stream;
    private volatile string _trouble = "";
    private volatile bool _replaced;

    /// <summary>Makes it; the bridge is connected.</summary>
    public InteractiveChat(BncrBridgeClient bridge, string user, string account)
    {
        (_bridge, _user, _account) = (bridge, user, account);
        _screen = new ChatScreen(AnsiConsole.Console, _input);
        _outgoing = new Outgoing(bridge, user, _screen);
        _growing = new GrowingAnswer(_screen.Columns);
    }

    /// <summary>Runs until <c>/quit</c>, the end of the input, or Ctrl+C; gives the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var keys = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        _bridge.Client.StateChanged += (_, change) => TellState(change.State);
        using var watch = new TurnWatch(_bridge.Client, _account);
        watch.Changed = () => _trouble = watch.Trouble ?? "";
        using var leases = _bridge.Client.Subscribe(LeaseEvents);
        await watch.SubscribeAsync(stop.Token).ConfigureAwait(false);
        var version = _bridge.Client.Server?.Version is { Length: > 0 } known ? $" (version {PlainText.Line(known)})" : "";
        _screen.Say($"[grey]connected{Markup.Escape(version)} as {Markup.Escape(PlainText.Line(_user))}, account "
            + $"{Markup.Escape(PlainText.Line(_account))}; type and press Enter, /help tells more, /quit ends[/]");
        Task[] work =
        [
            ReadPushesAsync(stop.Token), ReadPartialsAsync(stop.Token), ReadLeasesAsync(leases, stop.Token), watch.RunAsync(stop.Token),
                _outgoing.RunAsync(stop.Token), ShowStatusAsync(stop.Token),
        ];
        var code = ExitCodes.Ok;
        try
        {
            await ReadLinesAsync(stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            code = ExitCodes.Interrupted;
        }

        _screen.Close();
        if (_outgoing.Unsent is > 0 and var unsent) await Console.Error.WriteLineAsync($"{Messages(unsent)} not sent")
            .ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return code;
    }

    private static string Messages(int count) => count == 1 ? "1 message was" : $"{count} messages were";

    private async Task ReadLinesAsync(CancellationToken cancellationToken)
    {
        while (await NextLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Trim().Length == 0) continue;
            if (line.Trim() is "/help" or "/?")
            {
                TellHelp();
            }
            else if (!ChatText.Ends(line))
            {
                if (_replaced) await TakeBackAsync(cancellationToken).ConfigureAwait(false);
                _outgoing.Add(line);
            }
            else if (await MayEndAsync(cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }

        await _outgoing.FlushAsync(TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks before what was typed is dropped.</summary>
    private async Task<bool> MayEndAsync(CancellationToken cancellationToken)
    {
        while (!await _outgoing.FlushAsync(TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false))
        {
            _screen.Say($"[yellow]{Messages(_outgoing.Unsent)} not sent yet. Type w to wait, d to drop and quit, c to go on chatting:[/]");
            switch ((await NextLineAsync(cancellationToken).ConfigureAwait(false))?.Trim().ToLowerInvariant())
            {
                case "d" or "drop" or null or "/quit" or "/exit":
                    return true;
                case "w" or "wait":
                    _screen.Say("[grey]waiting for the host; Ctrl+C ends[/]");
                    await _outgoing.FlushAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    return false;
            }
        }

        return true;
    }

    private async Task<string?> NextLineAsync(CancellationToken cancellationToken)
    {
        // Nothing ends a read of the terminal but a key, or the end of the process.
        if (!_screen.IsLive) return await Task.Run(Console.ReadLine, CancellationToken.None).WaitAsync(cancellationToken)
            .ConfigureAwait(false);
        _screen.Redraw();
        while (true)
        {
            var key = await Task.Run(static () => Console.ReadKey(intercept: true), CancellationToken.None).WaitAsync(
                cancellationToken).ConfigureAwait(false);
            switch (_input.Take(key))
            {
                case LineResult.Entered:
                    return _screen.Enter();
                case LineResult.Ended:
                    return null;
                default:
                    // What was pasted is drawn once.
                    if (!Console.KeyAvailable) _screen.Redraw();
                    break;
            }
        }
    }

    private async Task ReadPushesAsync(CancellationToken cancellationToken)
    {
        await foreach (var push in _bridge.ReadPushesAsync(cancellationToken).ConfigureAwait(false))
        {
            var text = ChatText.Of(push);
            lock (_gate)
            {
                if (push.StreamId is null || push.StreamId != _stream) _growing = new GrowingAnswer(_screen.Columns);
                Write(text, ended: true);
                _stream = null;
                _trouble = "";
                _growing = new GrowingAnswer(_screen.Columns);
            }

            if (push.Message.Kind is null or "final") _outgoing.Answered(push.ReplyToId);
            ShowStatus();
            await _bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReadPartialsAsync(CancellationToken cancellationToken)
    {
        await foreach (var partial in _bridge.ReadPartials(cancellationToken).ConfigureAwait(false))
        {
            lock (_gate)
            {
                if (partial.StreamId != _stream)
                {
                    _growing = new GrowingAnswer(_screen.Columns);
                    _stream = partial.StreamId;
                }

                if (partial.Aborted)
                {
                    if (!_growing.IsFresh) _screen.Say("[yellow]this answer broke off; what stands above is void[/]");
                    _growing.Forget();
                }
                else if (partial.Text is { } text)
                {
                    _trouble = "";
                    Write(PlainText.Clean(text), ended: false);
                }
            }

            ShowStatus();
        }
    }

    /// <summary>Writes what is new of an answer.</summary>
    private void Write(string text, bool ended)
    {
        var first = _growing.IsFresh;
        var lines = _growing.Take(text, ended, out var anew);
        if (anew && lines.Count > 0) _screen.Say("[yellow]the agent has changed its answer; it is:[/]");
        var output = new StringBuilder();
        foreach (var line in lines)
        {
            if (output.Length > 0) output.Append('\n');
            output.Append(first || (anew && output.Length == 0) ? "[bold blue]agent>[/] " : "").Append(Markup.Escape(line));
            first = false;
        }

        if (output.Length > 0) _screen.Say(output.ToString());
    }

    private async Task ReadLeasesAsync(ClientSubscription leases, CancellationToken cancellationToken)
    {
        await foreach (var incoming in leases.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            var lost = incoming.Name.EndsWith("lost", StringComparison.Ordinal);
            if (lost == _replaced) continue;
            _replaced = lost;
            _screen.Say(lost
                ? $"[yellow]another client has taken over the account {Markup.Escape(_account)}: answers go there now. Your next line "
                    + $"takes it back; --account NAME gives each chat its own.[/]"
                : $"[green]this chat has the account {Markup.Escape(_account)} again[/]");
        }
    }

    private async Task TakeBackAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _bridge.TakeAccountAsync(cancellationToken).ConfigureAwait(false);
            _replaced = false;
            _screen.Say($"[green]this chat has taken the account {Markup.Escape(_account)} back[/]");
        }
        catch (ChannelBridgeClientException fault)
        {
            _screen.Say($"[red]the account can't be taken back: {Markup.Escape(PlainText.Line(fault.Message))}[/]");
        }
    }

    private async Task ShowStatusAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Tick);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false)) ShowStatus();
    }

    private void ShowStatus()
    {
        string status;
        lock (_gate)
        {
            var waits = _outgoing.WaitingSince is { } since ? (Environment.TickCount64 - since) / 1000 : -1;
            if (_bridge.Client.State != ClientState.Connected) status = _outgoing.Unsent is > 0 and var unsent
                ? $"not connected; {Messages(unsent)} not sent yet" : "not connected";
            else if (_growing.Open.Length > 0) status = (_growing.IsFresh ? "agent> " : "") + PlainText.Line(_growing.Open);
            else if (_trouble.Length > 0) status = waits > 0 ? $"{_trouble} ({waits} s)" : _trouble;
            else status = waits > 0 ? $"the agent works on it ({waits} s)" : "";
        }

        _screen.SetStatus(status);
    }

    private void TellState(ClientState state)
    {
        var markup = state switch
        {
            ClientState.Reconnecting => "[yellow]the connection is lost; trying again. What you type meanwhile is sent later.[/]",
            ClientState.Connected => "[green]connected[/]",
            ClientState.Failed => "[red]the host refuses the connection for good; /quit and look at its log[/]",
            _ => null,
        };
        if (markup is not null) _screen.Say(markup);
    }

    private void TellHelp() => _screen.Say(
        """
        [grey]/help            this list
        /quit, /exit     ends the chat; Ctrl+D on an empty line does the same
        arrow keys       move in the line and bring earlier lines back; Ctrl+A, Ctrl+E, Ctrl+U, Ctrl+K, Ctrl+W as in a shell
        any other line   goes to the agent, also one that begins with a slash, such as /stop[/]
        """);
}
