using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The numbers of lanes whose messages don't come, because their time was over or the host gave them up: one record each, written in the commit that ends the
/// message, and removed when a push that tells of it has been settled. So a client learns of it after a reconnect and a restart, too.
/// </summary>
/// <remarks>The keys hold the lane's key, not its id: they stay right when a store is moved to another engine.</remarks>
internal static class SkipRecords
{
    /// <summary>The records' namespace.</summary>
    public const string Namespace = "core.skipped";

    private const int Page = 500;

    /// <summary>The record of a message that doesn't come.</summary>
    /// <param name="lane">Its lane.</param>
    /// <param name="seq">Its number.</param>
    /// <param name="state">What became of it: expired or dead.</param>
    /// <param name="now">Unix ms.</param>
    /// <param name="kept">For how long it is kept if nothing more is pushed in the lane.</param>
    public static RecordPut Put(LaneKey lane, long seq, DeliveryState state, long now, TimeSpan kept) => new()
    {
        Namespace = Namespace,
        Key = KeyOf(PrefixOf(lane), seq),
        Value = state == DeliveryState.Expired ? "expired"u8.ToArray() : "dead"u8.ToArray(),
        Index = IndexOf(lane.Channel, lane.Account),
        ExpiresAt = now + (long)kept.TotalMilliseconds,
        At = now,
    };

    /// <summary>Removes one.</summary>
    public static RecordDelete Delete(LaneKey lane, long seq) => new() { Namespace = Namespace, Key = KeyOf(PrefixOf(lane), seq) };

    /// <summary>True when there is any for the account.</summary>
    public static async ValueTask<bool> AnyAsync(IRecords records, string channel, string account, CancellationToken cancellationToken) =>
        (await records.ListRecordsAsync(Namespace, IndexOf(channel, account), null, 1, cancellationToken).ConfigureAwait(false)).Count > 0;

    /// <summary>The numbers of a lane, in order.</summary>
    public static async ValueTask<List<SkippedMessages>> ReadAsync(IRecords records, LaneKey lane, CancellationToken cancellationToken)
    {
        var all = new List<SkippedMessages>();
        var prefix = PrefixOf(lane);
        var after = prefix;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, IndexOf(lane.Channel, lane.Account), after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (!record.Key.StartsWith(prefix, StringComparison.Ordinal)) return all;
                var seq = long.Parse(record.Key.AsSpan(prefix.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                Add(all, seq, record.Value.Span.SequenceEqual("expired"u8) ? DeliveryState.Expired : DeliveryState.Dead);
            }

            if (page.Count < Page) return all;
            after = page[^1].Key;
        }
    }

    /// <summary>Adds a number that is higher than all that are there.</summary>
    public static void Add(List<SkippedMessages> all, long seq, DeliveryState state)
    {
        if (all.Count > 0 && all[^1] is var last && last.To >= seq) return;
        if (all.Count > 0 && all[^1].To == seq - 1 && all[^1].State == state) all[^1] = all[^1] with { To = seq };
        else all.Add(new SkippedMessages(seq, seq, state));
    }

    private static string PrefixOf(LaneKey lane) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{lane.Channel}\n{lane.Account}\n{lane.SessionKey}")).AsSpan(0, 16)) + ":";

    private static string KeyOf(string prefix, long seq) => prefix + seq.ToString("x16", CultureInfo.InvariantCulture);

    private static string IndexOf(string channel, string account) => $"{channel}/{account}";
}
