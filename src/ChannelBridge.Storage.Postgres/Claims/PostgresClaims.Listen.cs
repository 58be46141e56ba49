using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Claims;

/// <content>
/// The ear: notifications that spare the wait for the next look. The first letter says what: <c>t</c> lanes of this host have messages, <c>o</c> lanes of
/// accounts pushed from here have replies, <c>w</c> lanes want another host, <c>l</c> an account was taken, <c>f</c> one is free, <c>k</c> a host has left.
/// </content>
internal sealed partial class PostgresClaims
{
    private volatile CancellationTokenSource _listenAnew = new();
    private bool _listening;

    private async Task ListenAsync()
    {
        var pause = _options.ClaimTime / 8;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await ListenOnceAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested || _listenAnew.IsCancellationRequested)
            {
                // Stopping, or registered under another number.
            }
            catch (Exception fault)
            {
                if (_ear.Failed()) LogDeaf(fault);
            }

            Volatile.Write(ref _listening, false);
            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListenOnceAsync()
    {
        _listenAnew = new CancellationTokenSource();
        if (_lease is not { Host: var host }) return;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, _listenAnew.Token);
        var connection = await _store.Connections.OpenListenerAsync(either.Token).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            connection.Notification += (_, notification) => Hear(notification.Payload);
            await SayAsync(connection, $"LISTEN \"{_commands.CommonChannel}\"; LISTEN \"{_commands.HostPrefix}{host}\"", either.Token).ConfigureAwait(false);
            Volatile.Write(ref _listening, true);
            _ear.Succeeded();

            // What was said before nobody has heard.
            LookAround();
            while (true)
            {
                if (await connection.WaitAsync(_options.ClaimTime, either.Token).ConfigureAwait(false)) continue;
                // Silence, or a dead line?
                await SayAsync(connection, "SELECT 1", either.Token).ConfigureAwait(false);
            }
        }
    }

    private async Task SayAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_options.ClaimTime / 2);
        using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(timeout.Token).ConfigureAwait(false);
    }

    private void Hear(string payload)
    {
        if (payload.Length == 0) return;
        switch (payload[0])
        {
            case 't' or 'w':
                Note(_turnNews, payload);
                break;
            case 'o':
                Note(_pushNews, payload);
                break;
            case 'l':
                _checkPushes = true;
                break;
            case 'f':
                RetryPushes();
                break;
            case 'c':
                if (Guid.TryParseExact(payload.AsSpan(1), "N", out var turn)) _observer.OnTurnUrgent(turn);
                break;
            case 'k':
                LookAround();
                break;
        }

        Signal();
    }

    private static void Note(ConcurrentDictionary<long, byte> lanes, string payload)
    {
        foreach (var range in payload.AsSpan(1).Split(','))
        {
            if (long.TryParse(payload.AsSpan(1)[range], NumberStyles.None, CultureInfo.InvariantCulture, out var lane)) lanes[lane] = 0;
        }
    }
}
