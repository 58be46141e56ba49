using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Sealing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// An account's messages in their order. What is pushed counts when it is the next one; else the log is pulled from the stored number. A number that is missing holds up what comes
/// behind it until the gateway says that it won't come. A message is the same by its id, whatever number a gateway gives it.
/// </summary>
/// <param name="accountId">The account.</param>
/// <param name="desk">Takes single messages.</param>
/// <param name="inOrder">False: other instances get some of the messages, so that missing numbers mean nothing.</param>
/// <param name="options">How long calls may take.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class BacklogReader(
    string accountId, MessageDesk desk, bool inOrder, AunConnectorOptions options, TimeProvider time, ILogger<BacklogReader> logger)
{
    private const int PageSize = 200;
    private const int MostWaiting = 256;
    private const long MostBytes = 8 << 20;
    private static readonly TimeSpan FirstHoleWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestHoleWait = TimeSpan.FromSeconds(30);
    private readonly Channel<Work> _work = System.Threading.Channels.Channel.CreateBounded<Work>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    // Which were taken lately: a gateway that pushes what was pulled is no news, and no second receipt.
    private readonly BoundedCache<(long Seq, string Id), bool> _taken = new(2048);
    private long _bytes;
    private int _pullWanted;
    private long? _cursor;
    private bool _isRead;
    private int _holeTries;
    private bool _wentBack;
    private bool _isAckDue;
    private (long From, long To)? _hole;

    /// <summary>The number up to which everything was taken.</summary>
    public long Cursor => _cursor ?? 0;

    /// <summary>Numbers that are missing and waited for, or null.</summary>
    public (long From, long To)? Hole => _hole;

    /// <summary>A connection is there: what has waited is pulled first.</summary>
    public void Connected(GatewaySocket socket)
    {
        _wentBack = false;
        Volatile.Write(ref _pullWanted, 0);
        WantPull(socket);
    }

    /// <summary>A message was pushed; never waits.</summary>
    public void Push(GatewaySocket socket, JsonElement message)
    {
        var size = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(message).Length;
        if (Interlocked.Add(ref _bytes, size) <= MostBytes && _work.Writer.TryWrite(new Work(socket, message, size))) return;
        Interlocked.Add(ref _bytes, -size);
        Interlocked.Increment(ref desk.Counts.Overflowed);
        WantPull(socket);
    }

    /// <summary>Works until <see cref="Complete"/>, or until it is told to give up.</summary>
    public async Task RunAsync(CancellationToken giveUp)
    {
        try
        {
            await foreach (var work in _work.Reader.ReadAllAsync(giveUp).ConfigureAwait(false))
            {
                Interlocked.Add(ref _bytes, -work.Size);
                // What an ended connection has pushed is pulled by the next one.
                if (work.Socket.IsOpen) await DoAsync(work, giveUp).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            // The host doesn't wait any longer.
        }
    }

    /// <summary>No more will come.</summary>
    public void Complete() => _work.Writer.TryComplete();

    private void WantPull(GatewaySocket socket)
    {
        if (Interlocked.Exchange(ref _pullWanted, 1) != 0) return;
        if (_work.Writer.TryWrite(new Work(socket, default, 0))) return;
        // No room: whoever reads next sees the wish.
        Volatile.Write(ref _pullWanted, 2);
    }

    private async Task DoAsync(Work work, CancellationToken giveUp)
    {
        try
        {
            if (!_isRead)
            {
                _cursor = await desk.CursorAsync(giveUp).ConfigureAwait(false);
                _isRead = true;
            }

            var pulls = work.Message.ValueKind == JsonValueKind.Undefined || Volatile.Read(ref _pullWanted) == 2;
            if (work.Message.ValueKind != JsonValueKind.Undefined && !await PushedAsync(work.Message, giveUp).ConfigureAwait(false)) pulls = true;
            if (pulls)
            {
                Volatile.Write(ref _pullWanted, 0);
                await PullAsync(work.Socket, giveUp).ConfigureAwait(false);
            }

            // One ack for all that wait.
            if (_isAckDue && !_work.Reader.TryPeek(out _)) await AckAsync(work.Socket, giveUp).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // The connection has ended, or the gateway can't pull: tried again soon, or by the next connection.
            LogNotPulled(logger, accountId, fault.Message);
            Later(work.Socket, giveUp);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogFailed(logger, fault, accountId);
            Later(work.Socket, giveUp);
        }
    }

    /// <summary>A pushed message; false when it must be pulled.</summary>
    private async ValueTask<bool> PushedAsync(JsonElement message, CancellationToken giveUp)
    {
        if (GatewayMessage.SeqOf(message) is not { } seq || seq <= _cursor) return await OldNumberAsync(message, pushed: true, giveUp).ConfigureAwait(false);
        if (_cursor is not { } cursor) return false;
        if (inOrder && seq != cursor + 1) return _hole is not null;
        if (!await desk.TakeAsync(message, pushed: true, seq, giveUp).ConfigureAwait(false)) return false;
        _taken.Set((seq, IdOf(message)), true);
        _cursor = seq;
        _isAckDue = true;
        // What was missing came after all: what waits behind it is pulled.
        return _hole is null;
    }

    private async Task PullAsync(GatewaySocket socket, CancellationToken giveUp)
    {
        while (socket.IsOpen)
        {
            var after = _cursor ?? 0;
            var page = await socket.CallAsync(
                "message.pull",
                writer =>
                {
                    writer.WriteNumber("after_seq"u8, after);
                    writer.WriteNumber("limit"u8, PageSize);
                },
                options.CallTimeout,
                giveUp).ConfigureAwait(false);
            var acked = Wire.Whole(page, "server_ack_seq") ?? 0;
            var latest = Wire.Whole(page, "latest_seq");
            // An identity that was used before has read so far.
            _cursor ??= Math.Max(0, acked);
            if (latest < _cursor && !_wentBack)
            {
                // The gateway counts anew. Ids tell what is new; once for a connection, or a liar would have us pull for ever.
                _wentBack = true;
                Interlocked.Increment(ref desk.Counts.WentBack);
                LogWentBack(logger, accountId, _cursor.Value, latest.Value);
                _cursor = 0;
                await desk.StoreAsync(0, giveUp).ConfigureAwait(false);
                continue;
            }

            var before = _cursor.Value;
            var count = 0;
            var held = false;
            foreach (var message in Wire.List(page, "messages"))
            {
                count++;
                if (!await PulledAsync(message, acked, giveUp).ConfigureAwait(false))
                {
                    held = true;
                    break;
                }
            }

            if (_cursor > before) await AckAsync(socket, giveUp).ConfigureAwait(false);
            if (held)
            {
                Later(socket, giveUp);
                return;
            }

            _hole = null;
            _holeTries = 0;
            if (count == 0 || _cursor <= before || _cursor >= latest) return;
        }
    }

    /// <summary>A pulled message; false when one before it is missing.</summary>
    private async ValueTask<bool> PulledAsync(JsonElement message, long acked, CancellationToken giveUp)
    {
        if (GatewayMessage.SeqOf(message) is not { } seq || seq <= _cursor)
        {
            await OldNumberAsync(message, pushed: false, giveUp).ConfigureAwait(false);
            return true;
        }

        var cursor = _cursor ?? 0;
        if (inOrder && seq != cursor + 1)
        {
            if (acked < seq - 1)
            {
                if (_hole is null) LogHole(logger, accountId, cursor + 1, seq - 1);
                _hole = (cursor + 1, seq - 1);
                return false;
            }

            Interlocked.Add(ref desk.Counts.HolesPassed, seq - 1 - cursor);
            LogHolePassed(logger, accountId, cursor + 1, seq - 1);
        }

        await desk.TakeAsync(message, pushed: false, seq, giveUp).ConfigureAwait(false);
        _taken.Set((seq, IdOf(message)), true);
        _cursor = seq;
        return true;
    }

    /// <summary>Without a number, or under one that was taken: its id says whether it is new.</summary>
    private async ValueTask<bool> OldNumberAsync(JsonElement message, bool pushed, CancellationToken giveUp)
    {
        var (seq, id) = (GatewayMessage.SeqOf(message), IdOf(message));
        if (seq is { } number && (id.Length == 0 || _taken.TryGet((number, id), out _)))
        {
            Interlocked.Increment(ref desk.Counts.Duplicates);
            return true;
        }

        if (!await desk.TakeAsync(message, pushed, null, giveUp).ConfigureAwait(false)) return false;
        if (seq is { } known) _taken.Set((known, id), true);
        return true;
    }

    private static string IdOf(JsonElement message) => Wire.Text(message, "message_id", 1024) ?? "";

    private async ValueTask AckAsync(GatewaySocket socket, CancellationToken giveUp)
    {
        var seq = Cursor;
        _isAckDue = false;
        await socket.CallAsync("message.ack", writer => writer.WriteNumber("seq"u8, seq), options.CallTimeout, giveUp).ConfigureAwait(false);
    }

    /// <summary>Pulls again after a while, as long as the connection holds.</summary>
    private void Later(GatewaySocket socket, CancellationToken giveUp)
    {
        var wait = FirstHoleWait * Math.Pow(2, Math.Min(_holeTries++, 10));
        _ = WaitAsync(wait < LongestHoleWait ? wait : LongestHoleWait);

        async Task WaitAsync(TimeSpan by)
        {
            try
            {
                await Task.WhenAny(Task.Delay(by, time, giveUp), socket.Ended).ConfigureAwait(false);
                if (socket.IsOpen) WantPull(socket);
            }
            catch (OperationCanceledException)
            {
                // The host stops.
            }
        }
    }

    private readonly record struct Work(GatewaySocket Socket, JsonElement Message, int Size);

    [LoggerMessage(LogEvents.ConnectorHole, LogLevel.Warning,
        "AUN account {Account}: the gateway's messages {First} to {Last} are missing; those behind them wait until it says that they won't come.")]
    private static partial void LogHole(ILogger logger, string account, long first, long last);

    [LoggerMessage(LogEvents.ConnectorHolePassed, LogLevel.Warning, "AUN account {Account}: the gateway's messages {First} to {Last} never came; it says that they won't.")]
    private static partial void LogHolePassed(ILogger logger, string account, long first, long last);

    [LoggerMessage(LogEvents.ConnectorWentBack, LogLevel.Warning,
        "AUN account {Account}: the gateway's numbers went back from {Before} to {Now}; its log is read from its beginning, and what was taken before isn't taken again.")]
    private static partial void LogWentBack(ILogger logger, string account, long before, long now);

    [LoggerMessage(LogEvents.ConnectorNotPulled, LogLevel.Information, "AUN account {Account}: messages weren't pulled or acked, it is tried again: {Reason}.")]
    private static partial void LogNotPulled(ILogger logger, string account, string reason);

    [LoggerMessage(LogEvents.ConnectorDeskFailed, LogLevel.Error, "AUN account {Account}: taking messages has failed in an unexpected way; it is tried again.")]
    private static partial void LogFailed(ILogger logger, Exception fault, string account);
}
