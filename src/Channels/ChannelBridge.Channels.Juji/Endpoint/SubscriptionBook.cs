using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>What members have said about topics. Who has said nothing of one hears it.</summary>
internal sealed class SubscriptionBook(IRecords records, JujiEndpointOptions options, TimeProvider time)
{
    private const string Namespace = "juji-endpoint.subscription";
    private static readonly byte[] Yes = "true"u8.ToArray();
    private static readonly byte[] No = "false"u8.ToArray();

    /// <summary>The topics that there are.</summary>
    public IReadOnlyList<string> Topics => options.Topics;

    /// <summary>True unless the member doesn't want the topic.</summary>
    public async ValueTask<bool> WantsAsync(long agentId, string topic, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Namespace, KeyOf(agentId, topic), cancellationToken).ConfigureAwait(false) is not { } stored || stored.Value.Span.SequenceEqual(Yes);

    /// <summary>Notes what a member wants.</summary>
    /// <exception cref="BridgeException">There is no such topic.</exception>
    public async ValueTask SetAsync(long agentId, string topic, bool wanted, CancellationToken cancellationToken)
    {
        if (!options.Topics.Contains(topic, StringComparer.Ordinal)) throw BridgeException.Invalid("there is no such topic; GET /message/topics lists them");
        await records.WriteAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = KeyOf(agentId, topic),
                Value = wanted ? Yes : No,
                Index = AgentBook.KeyText(agentId),
                At = time.GetUtcNow().ToUnixTimeMilliseconds(),
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What a member has said, by topic.</summary>
    public async ValueTask<IReadOnlyList<(string Topic, bool Wanted, long At)>> ListAsync(long agentId, CancellationToken cancellationToken)
    {
        // No more than there are topics, or were.
        var found = await records.ListRecordsAsync(Namespace, AgentBook.KeyText(agentId), null, 1000, cancellationToken).ConfigureAwait(false);
        return [.. found.Select(static record => (record.Key[(record.Key.IndexOf('/', StringComparison.Ordinal) + 1)..], record.Value.Span.SequenceEqual(Yes), record.UpdatedAt))];
    }

    private static string KeyOf(long agentId, string topic) => $"{AgentBook.KeyText(agentId)}/{topic}";
}
