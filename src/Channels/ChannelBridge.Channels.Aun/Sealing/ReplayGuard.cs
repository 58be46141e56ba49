using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>
/// Which sealed messages an identity has accepted: the last 50,000 in memory, and all of a week on disk. A message is remembered in the commit that accepts it: one that was opened
/// and lost in a crash may come again.
/// </summary>
internal sealed class ReplayGuard(string aid, IRecords records, TimeProvider time)
{
    /// <summary>Where they stand in the store.</summary>
    public const string Namespace = "aun.seen";

    /// <summary>How many are in memory.</summary>
    public const int MostInMemory = 50_000;

    /// <summary>How long they are on disk.</summary>
    public static readonly TimeSpan KeepFor = TimeSpan.FromDays(7);

    private readonly BoundedCache<string, byte> _seen = new(MostInMemory);

    /// <summary>True when the message was accepted before.</summary>
    public async ValueTask<bool> IsKnownAsync(string sender, string messageId, CancellationToken cancellationToken)
    {
        var key = KeyOf(sender, messageId);
        if (_seen.TryGet(key, out _)) return true;
        if (await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false) is null) return false;
        _seen.Set(key, 0);
        return true;
    }

    /// <summary>What is written in the commit that accepts a message.</summary>
    public RecordWrite Remember(string sender, string messageId)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return new RecordPut
        {
            Namespace = Namespace,
            Key = KeyOf(sender, messageId),
            Value = "1"u8.ToArray(),
            ExpiresAt = now + (long)KeepFor.TotalMilliseconds,
            At = now,
        };
    }

    /// <summary>A stranger's texts of any length as a key of one.</summary>
    private string KeyOf(string sender, string messageId) =>
        $"{aid}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{sender}:{messageId}")))}";
}
