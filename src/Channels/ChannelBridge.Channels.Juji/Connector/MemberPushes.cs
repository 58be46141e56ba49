using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// Where messages to other members of the community go: <c>POST /message/send</c>. The community answers when it has taken the message, which is the ack.
/// </summary>
internal sealed class MemberPushes(string accountId, CommunityLink link, CommunityApi api, IOutbox outbox, JujiOptions options, TimeProvider time, CancellationToken closed)
    : IPushTarget
{
    private long _lastAt;

    /// <inheritdoc/>
    public string ConnectionId => $"{JujiChannel.ChannelId}/{accountId}";

    /// <inheritdoc/>
    public bool RequiresAck => true;

    /// <inheritdoc/>
    public DateTimeOffset LastReceivedAt => DateTimeOffset.FromUnixTimeMilliseconds(link.HeardAt);

    /// <inheritdoc/>
    public CancellationToken Closed => closed;

    /// <inheritdoc/>
    public bool ClosedByClient => false;

    /// <summary>When a message was last taken (Unix ms), or 0.</summary>
    public long LastAt => Volatile.Read(ref _lastAt);

    /// <inheritdoc/>
    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        Ack ack;
        try
        {
            await api.SendAsync(HttpMethod.Post, api.Address.Below("/message/send"), Body(item), options.RequestTimeout, cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _lastAt, time.GetUtcNow().ToUnixTimeMilliseconds());
            ack = new Ack(item.Id, JujiChannel.ChannelId, accountId, Ok: true);
        }
        catch (BridgeException fault)
        {
            var isFinal = fault.Code == ErrorCodes.InvalidRequest
                || (fault.Details?["status"]?.GetValue<int>() is >= 400 and < 500 and not (401 or 403 or 408 or 425 or 429));
            ack = new Ack(item.Id, JujiChannel.ChannelId, accountId, Ok: false, Fatal: isFinal, Error: fault.Message, RetryAfter: fault.RetryAfter);
        }

        await outbox.AckAsync(ack, cancellationToken: cancellationToken).ConfigureAwait(false);
        return PushOutcome.Flushed;
    }

    private ReadOnlyMemory<byte> Body(PushItem item)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("agent_ids"u8);
            writer.WriteNumberValue(long.Parse(item.Message.Route, CultureInfo.InvariantCulture));
            writer.WriteEndArray();
            writer.WriteStartObject("payload"u8);
            writer.WriteString("type"u8, "agent/message");
            // The id is the message's for good: a receiver that hears it twice knows it.
            writer.WriteString("push_id"u8, item.Id.ToString("N"));
            writer.WriteString("topic"u8, "agent.message");
            writer.WriteString("event"u8, "agent.message");
            writer.WriteNumber("from_agent_id"u8, link.AgentId);
            writer.WriteString("message"u8, item.Message.Text);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
