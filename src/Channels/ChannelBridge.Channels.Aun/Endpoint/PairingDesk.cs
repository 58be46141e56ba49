using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>Codes that an operator makes for an AID: 8 characters, good once and for ten minutes. A code dies of five wrong ones.</summary>
internal sealed class PairingDesk(IRecords records, TimeProvider time)
{
    private const string Namespace = "aun.pairing";
    private const string Alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    private const int Length = 8;
    private const int MostFailures = 5;

    /// <summary>For how long a code is good.</summary>
    public static readonly TimeSpan Validity = TimeSpan.FromMinutes(10);

    /// <summary>Makes a code; one that was made before is good no more.</summary>
    public async ValueTask<(string Code, long Until)> MakeAsync(string aid, CancellationToken cancellationToken)
    {
        var code = RandomNumberGenerator.GetString(Alphabet, Length);
        var now = time.GetUtcNow();
        var until = (now + Validity).ToUnixTimeMilliseconds();
        await records.WriteAsync(Put(aid, new PairingRecord(HashOf(aid, code), until, 0), null), cancellationToken).ConfigureAwait(false);
        return (code, until);
    }

    /// <summary>Takes a code; true when it was good, and it is good no more then.</summary>
    public async ValueTask<bool> TakeAsync(string aid, string code, CancellationToken cancellationToken)
    {
        if (!AidName.IsSound(aid) || code.Length != Length) return false;
        if (await records.GetRecordAsync(Namespace, aid, cancellationToken).ConfigureAwait(false) is not { } stored) return false;
        var record = JsonSerializer.Deserialize(stored.Value.Span, EndpointJson.Default.PairingRecord)!;
        if (record.Failures >= MostFailures || record.Until <= time.GetUtcNow().ToUnixTimeMilliseconds()) return false;
        var right = CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(HashOf(aid, code.ToUpperInvariant())), Encoding.ASCII.GetBytes(record.Hash));
        var put = Put(aid, record with { Failures = right ? MostFailures : record.Failures + 1 }, stored.Version);
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return right && !put.Conflict;
    }

    private RecordPut Put(string aid, PairingRecord record, long? expected) => new()
    {
        Namespace = Namespace,
        Key = aid,
        Value = JsonSerializer.SerializeToUtf8Bytes(record, EndpointJson.Default.PairingRecord),
        ExpiresAt = record.Until,
        ExpectedVersion = expected,
        At = time.GetUtcNow().ToUnixTimeMilliseconds(),
    };

    private static string HashOf(string aid, string code) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes($"{aid}\n{code}")));
}
