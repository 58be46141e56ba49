using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Aun.Connector;

/// <content>What goes on beside a connection: pings, young tokens, young prekeys.</content>
internal sealed partial class AunLink
{
    private static readonly TimeSpan RefusedPause = TimeSpan.FromMinutes(10);
    private long _refusedAt;

    /// <summary>Publishes the newest prekey. A gateway that has no use for it is one without sealed messages, and is asked less often.</summary>
    private async Task PublishAsync(GatewaySocket socket, CancellationToken end)
    {
        _published = null;
        try
        {
            var prekey = await _sealer!.PrekeyAsync(end).ConfigureAwait(false);
            await socket.CallAsync(
                "message.e2ee.put_prekey",
                writer =>
                {
                    writer.WriteString("prekey_id"u8, prekey.Id);
                    writer.WriteString("public_key"u8, prekey.PublicKey);
                    writer.WriteString("signature"u8, prekey.Signature);
                    writer.WriteNumber("created_at"u8, prekey.CreatedAt!.Value);
                    writer.WriteString("device_id"u8, prekey.DeviceId);
                    writer.WriteString("cert_fingerprint"u8, prekey.CertFingerprint);
                },
                _connector.CallTimeout,
                end).ConfigureAwait(false);
            (_published, _refusedAt) = (prekey.Id, 0);
        }
        catch (BridgeException fault)
        {
            if (fault is AunCallException { Retryable: false }) _refusedAt = time.GetTimestamp();
            LogNoPrekey(logger, accountId, fault.Message);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The connection has ended.
        }
    }

    private async Task BeatAsync(GatewaySocket socket, CancellationToken end)
    {
        try
        {
            if (_heartbeat <= TimeSpan.Zero) return;
            using var timer = new PeriodicTimer(_heartbeat, time);
            var missed = 0;
            while (await timer.WaitForNextTickAsync(end).ConfigureAwait(false))
            {
                try
                {
                    await socket.CallAsync("meta.ping", static _ => { }, _heartbeat, end).ConfigureAwait(false);
                    missed = 0;
                }
                catch (AunCallException)
                {
                    // An answer, though not a friendly one.
                    missed = 0;
                }
                catch (BridgeException)
                {
                    if (++missed < 2) continue;
                    socket.Abort("the gateway left two pings unanswered");
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    /// <summary>Keeps tokens and prekeys young. Three refreshes that fail end the connection, so that the next one logs in anew.</summary>
    private async Task RenewAsync(GatewaySocket socket, GatewayLogin login, CancellationToken end)
    {
        try
        {
            using var timer = new PeriodicTimer(_connector.Upkeep, time);
            var failures = 0;
            while (await timer.WaitForNextTickAsync(end).ConfigureAwait(false))
            {
                if ((await _sealer!.PrekeyAsync(end).ConfigureAwait(false)).Id != _published && (_refusedAt == 0 || time.GetElapsedTime(_refusedAt) > RefusedPause))
                    await PublishAsync(socket, end).ConfigureAwait(false);
                if (_tokens is not { Refresh: { } refresh } tokens || LeftOf(tokens) > _connector.RefreshBefore) continue;
                try
                {
                    if (await login.RefreshAsync(refresh, end).ConfigureAwait(false) is { } next)
                    {
                        Keep(next);
                        failures = 0;
                        continue;
                    }
                }
                catch (BridgeException)
                {
                    // Counted below.
                }

                if (++failures < 3) continue;
                Keep(null);
                socket.Abort("the tokens can't be refreshed");
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
        catch (BridgeException fault)
        {
            socket.Abort($"the prekeys can't be kept: {fault.Message}");
        }
    }

    private void Keep(AunTokens? tokens)
    {
        _tokens = tokens;
        _folder!.SaveTokens(tokens);
    }
}
