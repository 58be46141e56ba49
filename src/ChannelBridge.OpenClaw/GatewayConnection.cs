using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.OpenClaw;

/// <summary>A client of the OpenClaw gateway, as the link speaks for it. Lives from its first request to its end or the link's.</summary>
internal sealed class GatewayConnection : IClientConnection, IDisposable
{
    private readonly EstablishedLink _link;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _closed = new();
    private long _lastReceived;

    public GatewayConnection(EstablishedLink link, string id, Caller caller, TimeProvider time)
    {
        _link = link;
        _time = time;
        Id = id;
        Caller = caller;
        Closed = _closed.Token;
        Heard();
    }

    public string Id { get; }

    public Caller Caller { get; }

    public CancellationToken Closed { get; }

    /// <summary>The gateway doesn't tell an orderly end from a broken one.</summary>
    public bool ClosedByClient => false;

    public DateTimeOffset LastReceivedAt => new(Volatile.Read(ref _lastReceived), TimeSpan.Zero);

    /// <summary>Notes that the client has spoken.</summary>
    public void Heard() => Volatile.Write(ref _lastReceived, _time.GetUtcNow().UtcTicks);

    /// <inheritdoc/>
    public bool TakesContent => _link.TakesBinary;

    public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        PushContentAsync(eventName, payload, "", default, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<PushOutcome> PushContentAsync(
        string eventName, ReadOnlyMemory<byte> payload, string member, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        if (Closed.IsCancellationRequested) return PushOutcome.Gone;
        var parameters = new ArrayBufferWriter<byte>(payload.Length + 128);
        using (var writer = new Utf8JsonWriter(parameters, new JsonWriterOptions { SkipValidation = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("connId"u8, Id);
            writer.WriteString("event"u8, eventName);
            writer.WritePropertyName("payload"u8);
            writer.WriteRawValue(payload.Span, skipInputValidation: true);
            if (!content.IsEmpty) writer.WriteString("contentAs"u8, member);
            writer.WriteEndObject();
        }

        try
        {
            if (!content.IsEmpty) _link.Traffic.Count(content.Length, binary: true);
            var answer = await _link.CallAsync("link.push", parameters.WrittenMemory, content, LinkJson.Relaxed.PushResult, cancellationToken).ConfigureAwait(false);
            return answer.Delivered ? PushOutcome.Flushed : PushOutcome.Gone;
        }
        catch (BridgeException fault)
        {
            return fault.Code == ErrorCodes.Busy ? PushOutcome.Full : PushOutcome.Gone;
        }
    }

    /// <summary>Ends the connection: its client or the link is gone.</summary>
    public void Close() => _closed.Cancel();

    public void Dispose() => _closed.Dispose();
}
