using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Core.Messaging;

/// <summary>A message ready to be committed to the outbox, with the pooled bytes that its write refers to until then.</summary>
internal sealed class PreparedReply(OutboxAppend append, OutboundMessage message, PooledBuffer payload) : IDisposable
{
    public OutboxAppend Append => append;

    public OutboundMessage Message => message;

    public void Dispose() => payload.Dispose();
}
