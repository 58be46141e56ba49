using System.Globalization;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>What members have said about topics. Who has said nothing of one hears it.</summary>
internal sealed class SubscriptionBook(IRecords records, JujiEndpointOptions options, TimeProvider time)
{
    private const string Namespace = "juji-endpoint.subscription";
    private const int Page = 1000;
    private static readonly byte[] Yes = "true"u8.ToArray();
    private static readonly byte[] No = "false"u8.ToArray();

    /// <summary>The topics that there are.</summary>
    public IReadOnlyList<string> Topics => options.Topics;

    /// <summary>Who doesn't want a topic: what all members have said is gone through once, for a broadcast is for all of them.</summary>
    public async ValueTask<HashSet<long>> UnwantedByAsync(string topic, CancellationToken cancellationToken)
    {
        var found = new HashSet<long>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                var slash = record.Key.IndexOf('/', StringComparison.Ordinal);
                if (record.Key.AsSpan(slash + 1).SequenceEqual(topic) && !record.Value.Span.SequenceEqual(Yes))
                    found.Add(long.Parse(record.Key.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture));
            }

            if (page.Count < Page) return found;
            after = page[^1].Key;
        }
    }

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
        var found = await records.ListRecordsAsync(Namespace, AgentBook.KeyText(agentId), null, Page, cancellationToken).ConfigureAwait(false);
        return [.. found.Select(static record => (record.Key[(record.Key.IndexOf('/', StringComparison.Ordinal) + 1)..], record.Value.Span.SequenceEqual(Yes), record.UpdatedAt))];
    }

    private static string KeyOf(long agentId, string topic) => $"{AgentBook.KeyText(agentId)}/{topic}";
}
