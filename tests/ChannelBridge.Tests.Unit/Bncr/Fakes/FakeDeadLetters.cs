using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Bncr.Fakes;

/// <summary>Removes from the store and notes nothing.</summary>
internal sealed class FakeDeadLetters(IStore store) : IDeadLetters
{
    public async ValueTask<bool> DiscardAsync(Guid id, Caller caller, CancellationToken cancellationToken = default)
    {
        var discard = new OutboxDiscard { Id = id };
        await store.CommitAsync(discard, cancellationToken);
        return discard.Discarded;
    }
}
