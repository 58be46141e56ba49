using System.Net.WebSockets;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>
/// Sends events. On each connection every open request goes on behind the last event that the platform certainly has: an event may come twice, with the
/// same number, but none is left out.
/// </summary>
internal sealed partial class RequestDesk
{
    private static readonly TimeSpan ProofInterval = TimeSpan.FromSeconds(5);
    private const int MaxSettled = 10_000;
    private readonly HashSet<string> _settledHere = new(StringComparer.Ordinal);
    private IDialedSocket? _socket;
    private CancellationToken _connectionEnd;

    /// <inheritdoc/>
    public async Task Connected(IDialedSocket socket, CancellationToken end)
    {
        _proofs.Clear();
        lock (_gate)
        {
            _socket = socket;
            _connectionEnd = end;
            _settledHere.Clear();
            foreach (var request in _open.Values) Forward(request);
        }

        using var timer = new PeriodicTimer(ProofInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(end).ConfigureAwait(false))
            {
                if (!_proofs.IsPending && Open.Any(request => request.Unconfirmed > 0)) Beat(socket);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }

        List<OpenRequest> open;
        lock (_gate)
        {
            _socket = null;
            open = [.. _open.Values];
        }

        await Task.WhenAll(open.Select(request => request.Forward)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_options.OnDisconnect != DisconnectMode.Cancel || _stopped.IsCancellationRequested) return;
        foreach (var request in open.Where(request => request.Running)) await CancelAsync(request).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Beat(IDialedSocket socket)
    {
        var number = _proofs.Note(Open);
        if (_options.Ping is PingKind.Frame or PingKind.Both) _ = Quietly(socket.PingAsync(number, CancellationToken.None));
        if (_options.Ping is PingKind.Message or PingKind.Both)
        {
            var id = number.ToString(System.Globalization.CultureInfo.InvariantCulture);
            _ = Quietly(socket.SendAsync(Frame.Write("PING", Topics.ControlAnswers, id, null, null, null, []), _connectionEnd));
        }
    }

    /// <inheritdoc/>
    public void Ponged(long number)
    {
        foreach (var request in _proofs.Take(number)) _ = ConfirmedAsync(request);
        IDialedSocket? socket;
        lock (_gate) socket = _socket;
        if (socket is not null && !_proofs.IsPending && Open.Any(request => request.Terminal > request.Confirmed)) Beat(socket);
    }

    /// <summary>The platform has more of a request's answer: written down, and with the whole of it the request is done.</summary>
    private async Task ConfirmedAsync(OpenRequest request)
    {
        var done = request.Terminal >= 0 && request.Confirmed >= request.Terminal;
        if (done)
        {
            lock (_gate)
            {
                if (!_open.Remove(request.Stored.MessageId)) return;
                if (_settledHere.Count < MaxSettled) _settledHere.Add(request.Stored.MessageId);
            }
        }

        try
        {
            await _book.UpdateAsync(request.Stored with { Confirmed = request.Confirmed, Done = done }).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // After a restart some events are sent twice; nothing is lost.
            LogNotRecorded(_logger, _accountId, request.Stored.MessageId, fault.Code);
        }
    }

    /// <summary>True when the whole answer was confirmed on the present connection: then a message that comes again has nothing to ask for.</summary>
    private bool IsSettledHere(string messageId) => _settledHere.Contains(messageId);

    /// <summary>Begins to send a request's events on the present connection, behind what is confirmed. Called under the gate.</summary>
    private void Forward(OpenRequest request)
    {
        request.Forwarding?.Cancel();
        if (_socket is not { } socket) return;
        var end = CancellationTokenSource.CreateLinkedTokenSource(_connectionEnd);
        request.Forwarding = end;
        request.Forward = ForwardAsync(request, socket, request.Forward, end);
    }

    private async Task ForwardAsync(OpenRequest request, IDialedSocket socket, Task before, CancellationTokenSource end)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Yield();
        try
        {
            var source = await request.Source.WaitAsync(end.Token).ConfigureAwait(false);
            request.Sent = request.Confirmed;
            try
            {
                await foreach (var one in source.ReadAsync(request.Confirmed, end.Token).ConfigureAwait(false))
                {
                    await SendEventAsync(request, one, socket, end.Token).ConfigureAwait(false);
                }
            }
            catch (BridgeException fault) when (source.Final is not null)
            {
                // The events are gone, the answer isn't: its terminal event carries the whole of it.
                LogEventsGone(_logger, _accountId, request.Stored.MessageId, fault.Code);
                var final = await source.Final.WaitAsync(end.Token).ConfigureAwait(false);
                await SendEventAsync(request, EventSource.Terminal(final, request.Sent + 1), socket, end.Token).ConfigureAwait(false);
            }

            if (request.Terminal < 0 || request.Confirmed >= request.Terminal)
            {
                // There was nothing left to send: the platform has it all, and only the note of that was missing.
                request.Terminal = request.Confirmed;
                await ConfirmedAsync(request).ConfigureAwait(false);
            }
            else if (!_proofs.IsPending)
            {
                Beat(socket);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended, or the platform asked for another place to go on from.
        }
        catch (Exception fault) when (fault is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The reading loop notices the same and connects again.
        }
        catch (Exception fault)
        {
            LogForwardFailed(_logger, fault, _accountId, request.Stored.MessageId);
        }
        finally
        {
            lock (_gate)
            {
                if (request.Forwarding == end) request.Forwarding = null;
            }

            end.Dispose();
        }
    }

    private async Task SendEventAsync(OpenRequest request, Abstractions.Responses.StreamEvent one, IDialedSocket socket, CancellationToken end)
    {
        var stored = request.Stored;
        var frame = Frame.Write(
            "MESSAGE", Topics.BotMessages, stored.MessageId, stored.SessionId, stored.ResponseId, one.Sequence, EventSource.Dialect(one).Span);
        await socket.SendAsync(frame, end).ConfigureAwait(false);
        request.Sent = one.Sequence;
        if (one.IsTerminal) request.Terminal = one.Sequence;
        Interlocked.Exchange(ref _lastOutboundAt, _time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    /// <summary>Tells the platform that a message came to nothing. It isn't kept: when it is lost the platform delivers the message again.</summary>
    private async Task TellFailureAsync(string messageId, string? sessionId, string code, string message, CancellationToken stop)
    {
        var responseId = NewResponseId();
        await foreach (var one in EventSource.Failed(responseId, _agent, _time.GetUtcNow(), code, message).ReadAsync(-1, stop).ConfigureAwait(false))
        {
            await SendAsync(
                Frame.Write("MESSAGE", Topics.BotMessages, messageId, sessionId, responseId, one.Sequence, EventSource.Dialect(one).Span), stop).ConfigureAwait(false);
        }
    }

    /// <summary>Sends a message on the present connection; without one, or when it breaks, it is lost.</summary>
    private async Task SendAsync(byte[] frame, CancellationToken cancellationToken)
    {
        IDialedSocket? socket;
        CancellationToken end;
        lock (_gate) (socket, end) = (_socket, _connectionEnd);
        if (socket is null) return;
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, end);
        await Quietly(socket.SendAsync(frame, linked.Token)).ConfigureAwait(false);
    }

    private static async Task Quietly(ValueTask sending)
    {
        try
        {
            await sending.ConfigureAwait(false);
        }
        catch (Exception)
        {
            // A connection that can't be written to ends by itself.
        }
    }

    [LoggerMessage(LogEvents.RequestDeskNotRecorded, LogLevel.Warning,
        "InstaClaw account {Account}: how far the platform has the answer to {Message} couldn't be recorded ({Code}).")]
    private static partial void LogNotRecorded(ILogger logger, string account, string message, string code);

    [LoggerMessage(LogEvents.RequestDeskEventsGone, LogLevel.Warning,
        "InstaClaw account {Account}: the events of the answer to {Message} are gone ({Code}); its end is sent with the whole answer.")]
    private static partial void LogEventsGone(ILogger logger, string account, string message, string code);

    [LoggerMessage(LogEvents.RequestDeskForwardFailed, LogLevel.Error, "InstaClaw account {Account}: sending the answer to {Message} failed.")]
    private static partial void LogForwardFailed(ILogger logger, Exception fault, string account, string message);
}
