using System.Diagnostics;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>A client of an account on one connection, and while it is the account's primary, the target of its pushes.</summary>
internal sealed class BncrSession(
    BncrAccount account, IClientConnection connection, string eventPrefix, LeaseContext context) : IPushTarget, IFileSink
{
    private const int MaxInline = 16 << 20;
    private static readonly TimeSpan PlatformRetry = TimeSpan.FromMinutes(1);

    private volatile bool _acks;
    private string? _clientId;
    private bool _displaced;

    public BncrAccount Account => account;

    public IClientConnection Connection => connection;

    /// <summary>Whose session it is; a later change of the connection's caller doesn't change it.</summary>
    public Caller Caller { get; } = connection.Caller;

    public string EventPrefix => eventPrefix;

    public string PushEvent { get; } = eventPrefix + EventPrefixes.Push;

    /// <summary>What the client calls itself, or null while it hasn't said.</summary>
    public string? ClientId
    {
        get => Volatile.Read(ref _clientId);
        set => Volatile.Write(ref _clientId, value);
    }

    /// <summary>The lease's id, or null for a client that never asked for one (<c>bncr.inbound</c> without <c>bncr.connect</c>).</summary>
    public string? LeaseId { get; init; }

    /// <summary>The lease's number: newer is higher. 0 without a lease.</summary>
    public long Epoch { get; init; }

    /// <summary>True: this host granted the lease. False: the client showed one of an earlier run, or none.</summary>
    public bool Granted { get; init; }

    /// <summary>Up to which size the client wants files inside the message, or null.</summary>
    public int? InlineMediaBytes { get; init; }

    /// <summary>When it connected (Unix milliseconds).</summary>
    public long ConnectedAt { get; init; }

    /// <summary>When its last call came (Unix milliseconds).</summary>
    public long LastSeenAt { get; set; }

    /// <summary>True: the client said that it acks, or is known to.</summary>
    public bool Acks
    {
        get => _acks;
        set => _acks = value;
    }

    /// <summary>True once it was looked up whether the client is known to ack.</summary>
    public bool AcksKnown { get; set; }

    /// <summary>Ends the watch over the connection's end.</summary>
    public CancellationTokenRegistration Watch { get; set; }

    public string ConnectionId => connection.Id;

    public DateTimeOffset LastReceivedAt => connection.LastReceivedAt;

    public CancellationToken Closed => connection.Closed;

    public bool ClosedByClient => connection.ClosedByClient;

    public bool RequiresAck => AckRule.Mode switch
    {
        BncrAckMode.True => true,
        BncrAckMode.False => false,
        _ => _acks,
    };

    /// <summary>Whether it must ack, and who says so: the gateway's settings for its clients, the host's for others.</summary>
    public (BncrAckMode Mode, string Source) AckRule => context.AckRule(account, Caller.Door);

    public bool IsPrimary => ReferenceEquals(account.Primary, this);

    public long Rank => Epoch;

    public string? Holder => Caller.Door is Door.Gateway ? Caller.Name + "@gateway" : Caller.Name;

    /// <summary>Called when a newer client on another host takes the account's pushes, and when it has left.</summary>
    public Action<BncrSession, bool>? Displaced { get; init; }

    public void OnDisplaced(bool displaced)
    {
        if (Interlocked.Exchange(ref _displaced, displaced) != displaced) Displaced?.Invoke(this, displaced);
    }

    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (!IsPrimary) return Count(PushOutcome.Gone);
        if (!MaySee(item.Message.SessionKey))
        {
            // Not given to a client that may not see it, nor kept back in silence: it fails like a push that its client refuses.
            throw new BridgeException(ErrorCodes.Forbidden, "the account's client has an access token that doesn't cover the message's platform")
            {
                Retryable = true,
                RetryAfter = PlatformRetry,
                Details = new System.Text.Json.Nodes.JsonObject { ["reason"] = Refusals.PlatformNotCovered },
            };
        }

        using var activity = Telemetry.Start("bncr.push", ActivityKind.Producer, item.Message.TraceParent);
        activity?.SetTag("messaging.message.id", item.Id);
        string? clientPath = null;
        byte[]? inline = null;
        if (item.Message.Attachment is { File: not null } file && context.Files is not null)
        {
            // An empty one would be nothing at all inside the message.
            if (file.Size > 0 && file.Size <= (InlineMediaBytes ?? context.InlinePushBytes))
            {
                inline = await context.Spool!.ReadAsync(file, MaxInline, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                clientPath = await context.Files.SendAsync(item.Id, item.Message, this, cancellationToken).ConfigureAwait(false);
                if (clientPath is null || !IsPrimary) return Count(PushOutcome.Gone);
            }
        }

        var needsAck = RequiresAck;
        // Before the write: the client's ack may be here before the flush is reported.
        context.Ledger.Record(item.Id, new LastPush(account, connection.Id, Caller, needsAck, activity?.Id ?? item.Message.TraceParent));
        var buffer = new PooledBuffer(1024 + item.Message.Text.Length);
        var keep = true;
        try
        {
            PushRenderer.Render(buffer, item, context.StoreId, clientPath, inline);
            var outcome = await connection.PushAsync(PushEvent, buffer.Written, cancellationToken).ConfigureAwait(false);
            keep = false;
            if (outcome is PushOutcome.Flushed) account.Stats.Pushed(context.Now);
            else context.Ledger.Forget(item.Id);
            return Count(outcome);
        }
        finally
        {
            // A push that was given up may still be on its way out of this buffer; then it is left to the collector.
            if (!keep) buffer.Dispose();
        }
    }

    /// <summary>Whether the client's token covers the platform of a conversation.</summary>
    public bool MaySee(string sessionKey) => Caller.Platforms is null || (Target.TryParse(sessionKey, out var lane) && Caller.MayUsePlatform(lane.Route.Platform));

    public bool IsWanted => IsPrimary;

    public ValueTask<PushOutcome> InitAsync(FileOffer offer, CancellationToken cancellationToken) =>
        SendAsync(EventPrefixes.FileInit, output => FileEvent.Init(output, offer, connection.TakesBinary, context.Now), cancellationToken);

    public ValueTask<PushOutcome> ChunkAsync(FileOffer offer, int index, ReadOnlyMemory<byte> bytes, bool binary, CancellationToken cancellationToken)
    {
        if (!binary && connection.TakesContent) return ContentAsync(offer, index, bytes, cancellationToken);
        if (!binary) return SendAsync(EventPrefixes.FileChunk, output => FileEvent.Chunk(output, offer, index, bytes.Span, context.Now), cancellationToken);
        return BinaryAsync(offer, index, bytes, cancellationToken);
    }

    public ValueTask<PushOutcome> CompleteAsync(FileOffer offer, CancellationToken cancellationToken) =>
        SendAsync(EventPrefixes.FileComplete, output => FileEvent.End(output, offer, null, context.Now), cancellationToken);

    public ValueTask<PushOutcome> AbortAsync(FileOffer offer, string reason, CancellationToken cancellationToken) =>
        SendAsync(EventPrefixes.FileAbort, output => FileEvent.End(output, offer, reason, context.Now), cancellationToken);

    private async ValueTask<PushOutcome> SendAsync(string suffix, Action<PooledBuffer> render, CancellationToken cancellationToken)
    {
        var buffer = new PooledBuffer(1024);
        render(buffer);
        var outcome = await connection.PushAsync(eventPrefix + suffix, buffer.Written, cancellationToken).ConfigureAwait(false);
        // One that was given up may still be on its way out of this buffer; then it is left to the collector.
        buffer.Dispose();
        return outcome;
    }

    private async ValueTask<PushOutcome> BinaryAsync(FileOffer offer, int index, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        using var header = new PooledBuffer(512);
        FileEvent.Header(header, offer, index, bytes.Span);
        return await connection.PushBinaryAsync(header.Written.Span, bytes.Span, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<PushOutcome> ContentAsync(FileOffer offer, int index, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        using var payload = new PooledBuffer(512);
        FileEvent.ChunkWithoutBytes(payload, offer, index, bytes.Span, context.Now);
        return await connection.PushContentAsync(eventPrefix + EventPrefixes.FileChunk, payload.Written, "base64", bytes, cancellationToken).ConfigureAwait(false);
    }

    private static PushOutcome Count(PushOutcome outcome)
    {
        Telemetry.Pushes.Add(1, new KeyValuePair<string, object?>("channelbridge.outcome", outcome switch
        {
            PushOutcome.Flushed => "flushed",
            PushOutcome.Full => "full",
            _ => "gone",
        }));
        return outcome;
    }
}
