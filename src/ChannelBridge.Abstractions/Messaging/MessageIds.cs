using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// Makes the ids of outbox entries: derived from channel, account and idempotency key, so that the same message always has the same id and one
/// unique index serves both look-up and deduplication.
/// </summary>
public static class MessageIds
{
    // The first 48 bits of a version 7 id are its time.
    private const int TimeBytes = 6;

    /// <summary>A new inbox id: RFC 9562 version 7, so ids of one time are neighbours. Unique, but no secret: its random part is not asked of the system.</summary>
    /// <param name="now">Its time, to the millisecond.</param>
    /// <param name="random">Where its other 74 bits come from.</param>
    public static Guid ForInbox(DateTimeOffset now, Random random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes[TimeBytes..]);
        Span<byte> time = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(time, now.ToUnixTimeMilliseconds());
        time[^TimeBytes..].CopyTo(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x70);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>The outbox id of an idempotency key.</summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="accountId">The account, in any case.</param>
    /// <param name="idempotencyKey">The key.</param>
    /// <param name="turn">
    /// The turn that the message answers; the same for the same key. The id begins with its time then: ids of one time are neighbours in the store's
    /// index, which costs a page for many of them instead of one for each.
    /// </param>
    public static Guid ForOutbox(string channel, string accountId, string idempotencyKey, Guid? turn = null) =>
        Make(channel, accountId, idempotencyKey, turn is { Version: 7 } timed ? timed : null);

    /// <summary>
    /// The outbox id of a key under which several accounts are told something together (<see cref="IOutbox.SendAllAsync"/>). All ids of one key begin alike, so
    /// they are neighbours, as those of one time are.
    /// </summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="accountId">The account, in any case.</param>
    /// <param name="idempotencyKey">The key.</param>
    public static Guid ForAll(string channel, string accountId, string idempotencyKey) =>
        Make(channel, accountId, idempotencyKey, Make(channel, "", idempotencyKey, beginning: null));

    /// <summary>The outbox id of a turn's reply, known before there is one.</summary>
    /// <param name="channel">The channel id.</param>
    /// <param name="accountId">The account, in any case.</param>
    /// <param name="turn">The inbox id.</param>
    /// <param name="ordinal">0 for the first reply.</param>
    public static Guid ForReply(string channel, string accountId, Guid turn, int ordinal) => ForOutbox(channel, accountId, ReplyKey(turn, ordinal), turn);

    /// <summary>The idempotency key of a turn's reply.</summary>
    /// <param name="turn">The inbox id.</param>
    /// <param name="ordinal">0 for the first reply.</param>
    public static string ReplyKey(Guid turn, int ordinal) => string.Create(CultureInfo.InvariantCulture, $"{turn:N}/{ordinal}");

    private static Guid Make(string channel, string accountId, string idempotencyKey, Guid? beginning)
    {
        var account = accountId.ToLowerInvariant();
        var size = Encoding.UTF8.GetMaxByteCount(channel.Length + account.Length + idempotencyKey.Length) + 2;
        var rented = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            var length = Encoding.UTF8.GetBytes(channel, rented);
            rented[length++] = 0;
            length += Encoding.UTF8.GetBytes(account, rented.AsSpan(length));
            rented[length++] = 0;
            length += Encoding.UTF8.GetBytes(idempotencyKey, rented.AsSpan(length));
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(rented.AsSpan(0, length), hash);
            // RFC 9562 version 8 (custom), so that it can't be taken for a random or a time-based id.
            if (beginning is { } first)
            {
                Span<byte> bytes = stackalloc byte[16];
                first.TryWriteBytes(bytes, bigEndian: true, out _);
                bytes[..TimeBytes].CopyTo(hash);
            }

            hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
            hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
            return new Guid(hash[..16], bigEndian: true);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
