using System.Security.Cryptography;
using System.Text.Json;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// Seals what a compaction stands for, so that a client keeps it without reading or changing it: AES-GCM under a key of this store. What another server sealed
/// isn't opened and goes to the agent as it is.
/// </summary>
internal sealed class CompactionSeal(IStore store, TimeProvider time)
{
    private const string Namespace = "response.key";
    private const string Key = "compaction";
    private const string Mark = "cb1.";
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private byte[]? _key;

    /// <summary>Seals items.</summary>
    public async ValueTask<string> SealAsync(IReadOnlyList<ResponseItem> items, CancellationToken cancellationToken)
    {
        var key = await TakeKeyAsync(cancellationToken).ConfigureAwait(false);
        var plain = ItemJson.Write(items);
        var sealedBytes = new byte[NonceBytes + TagBytes + plain.Length];
        RandomNumberGenerator.Fill(sealedBytes.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(sealedBytes.AsSpan(0, NonceBytes), plain, sealedBytes.AsSpan(NonceBytes + TagBytes), sealedBytes.AsSpan(NonceBytes, TagBytes));
        return Mark + Convert.ToBase64String(sealedBytes);
    }

    /// <summary>Opens what was sealed here; null for anything else.</summary>
    public async ValueTask<IReadOnlyList<ResponseItem>?> OpenAsync(string content, CancellationToken cancellationToken)
    {
        if (!content.StartsWith(Mark, StringComparison.Ordinal)) return null;
        var buffer = new byte[content.Length];
        if (!Convert.TryFromBase64Chars(content.AsSpan(Mark.Length), buffer, out var length) || length < NonceBytes + TagBytes) return null;
        var key = await TakeKeyAsync(cancellationToken).ConfigureAwait(false);
        var plain = new byte[length - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(buffer.AsSpan(0, NonceBytes), buffer.AsSpan(NonceBytes + TagBytes, plain.Length), buffer.AsSpan(NonceBytes, TagBytes), plain);
        }
        catch (AuthenticationTagMismatchException)
        {
            throw ResponseErrors.Invalid("A compaction item was changed, or another host's store made it; begin a new conversation.", "input", "invalid_compaction");
        }

        using var document = JsonDocument.Parse(plain);
        return ItemJson.Read(document.RootElement);
    }

    private async ValueTask<byte[]> TakeKeyAsync(CancellationToken cancellationToken)
    {
        if (_key is { } known) return known;
        var record = await store.GetRecordAsync(Namespace, Key, cancellationToken).ConfigureAwait(false);
        if (record is null)
        {
            // Several hosts may make one at once; the first is the one.
            await store.CommitAsync(
                new RecordPut { Namespace = Namespace, Key = Key, Value = RandomNumberGenerator.GetBytes(32), ExpectedVersion = 0, At = time.GetUtcNow().ToUnixTimeMilliseconds() },
                cancellationToken).ConfigureAwait(false);
            record = await store.GetRecordAsync(Namespace, Key, cancellationToken).ConfigureAwait(false);
        }

        return _key = record!.Value.ToArray();
    }
}
