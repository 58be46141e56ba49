using System.Buffers;
using ChannelBridge.Endpoints.Buffers;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Gathers the answers of a JSON-RPC batch, in the order in which they come; sent as one array when the last one is there.</summary>
internal sealed class BatchReply(int expected)
{
    private readonly Lock _gate = new();
    private readonly OutgoingMessage _reply = OutgoingMessage.Rent();
    private int _missing = expected;

    /// <summary>Takes an answer, or none for a notification. The last one gets the whole reply to send, or null when there is nothing to say.</summary>
    public OutgoingMessage? Add(ReadOnlySpan<byte> answer)
    {
        lock (_gate)
        {
            if (!answer.IsEmpty)
            {
                _reply.Write(_reply.Length == 0 ? "["u8 : ","u8);
                _reply.Write(answer);
            }

            if (--_missing > 0) return null;
            if (_reply.Length == 0)
            {
                _reply.Return();
                return null;
            }

            _reply.Write("]"u8);
            return _reply;
        }
    }
}
