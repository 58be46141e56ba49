using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Bncr.Fakes;

/// <summary>An inbox that remembers keys for ever and can be told to wait or fail.</summary>
internal sealed class FakeInbox : IInbox
{
    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, Guid> _known = [];

    public List<(InboundMessage Message, UInt128 Key, TimeSpan Window)> Accepted { get; } = [];

    public Func<Task>? Before { get; set; }

    public InboundMessage Last => Accepted[^1].Message;

    public async ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message,
        UInt128 dedupeKey,
        TimeSpan dedupeWindow,
        IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default)
    {
        if (Before is { } hook) await hook();
        lock (_gate)
        {
            if (_known.TryGetValue(dedupeKey, out var known)) return new InboxReceipt(known, true);
            var id = _known[dedupeKey] = Guid.NewGuid();
            Accepted.Add((message, dedupeKey, dedupeWindow));
            return new InboxReceipt(id, false);
        }
    }
}
