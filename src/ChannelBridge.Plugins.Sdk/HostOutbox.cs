using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The host's outbox, from a plugin's process. Targets are kept here; the host is told that there is one, and pushes.</summary>
internal sealed class HostOutbox(IPluginHost host) : IOutbox
{
    private readonly ConcurrentDictionary<(string Channel, string Account), IPushTarget> _targets = new();
    private readonly Lock _lock = new();
    private Task _telling = Task.CompletedTask;

    /// <summary>Where an account's messages go, or null.</summary>
    public IPushTarget? Find(string channel, string accountId) => _targets.GetValueOrDefault((channel, accountId.ToLowerInvariant()));

    public async ValueTask<OutboxReceipt> SendAsync(
        OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        var sent = await host.SendAsync(SdkMapping.ToWire(message), idempotencyKey, HostRecords.ToWire(records), cancellationToken).TranslateAsync()
            .ConfigureAwait(false);
        return new OutboxReceipt(sent.Id, sent.Duplicate, sent.Seq);
    }

    public async ValueTask<AckResult> AckAsync(
        Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        var result = await host.AckAsync(
            new PluginAck
            {
                Id = ack.Id,
                Channel = ack.Channel,
                AccountId = ack.AccountId,
                Ok = ack.Ok,
                Fatal = ack.Fatal,
                Delivered = ack.Delivered,
                Error = ack.Error,
                RetryAfterMs = ack.RetryAfter is { } wait ? (long)wait.TotalMilliseconds : null,
            },
            HostRecords.ToWire(records), cancellationToken).TranslateAsync().ConfigureAwait(false);
        return result switch
        {
            "acked" => AckResult.Acked,
            "willRetry" => AckResult.WillRetry,
            "held" => AckResult.Held,
            "dead" => AckResult.MovedToDeadLetter,
            "mismatch" => AckResult.AccountMismatch,
            _ => AckResult.AlreadyAckedOrMissing,
        };
    }

    public void Attach(string channel, string accountId, IPushTarget target)
    {
        _targets[(channel, accountId.ToLowerInvariant())] = target;
        Tell(() => host.AttachAsync(channel, accountId, CancellationToken.None));
    }

    public void Detach(string channel, string accountId, IPushTarget target)
    {
        if (_targets.TryRemove(KeyValuePair.Create((channel, accountId.ToLowerInvariant()), target)))
            Tell(() => host.DetachAsync(channel, accountId, CancellationToken.None));
    }

    /// <summary>Always empty: the host keeps the counts, and shows them with the account.</summary>
    public Backlog GetBacklog(string channel, string accountId) => default;

    // In the order of the calls, and waited for by nobody: inside a host these don't wait either.
    private void Tell(Func<Task> call)
    {
        lock (_lock)
        {
            _telling = _telling.ContinueWith(_ => TellAsync(call), TaskScheduler.Default).Unwrap();
        }
    }

    private static async Task TellAsync(Func<Task> call)
    {
        try
        {
            await call().TranslateAsync().ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is Abstractions.Errors.BridgeException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"warn: {fault.Message}").ConfigureAwait(false);
        }
    }
}
