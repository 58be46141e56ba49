using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// Seals what clients keep for us without reading or changing it (compactions, reasoning): AES-GCM under a key of this store, bound to its
/// owner. What another server sealed isn't opened and goes to the agent as it is.
/// </summary>
internal sealed class ItemSeal(IStore store, TimeProvider time)
{
    private const string Namespace = "response.key";
    private const string Key = "compaction";

    /// <summary>Compactions of versions that didn't bind them to an owner: what was given out is taken back.</summary>
    private const string Unbound = "cb1.";

    /// <summary>The mark of compactions.</summary>
    public const string Compaction = "cb2.";

    /// <summary>The mark of reasoning.</summary>
    public const string Reasoning = "cbr1.";

    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private byte[]? _key;

    /// <summary>Seals items.</summary>
    public async ValueTask<string> SealAsync(
        string mark, IReadOnlyList<ResponseItem> items, string owner, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken).ConfigureAwait(false);
        return Seal(mark, items, owner);
    }

    /// <summary>Takes the key, so that <see cref="Seal"/> can be called.</summary>
    public async ValueTask PrepareAsync(CancellationToken cancellationToken) => await TakeKeyAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Seals items at once; the key must have been taken.</summary>
    public string Seal(string mark, IReadOnlyList<ResponseItem> items, string owner)
    {
        var plain = ItemJson.WriteKept(items);
        var sealedBytes = new byte[NonceBytes + TagBytes + plain.Length];
        RandomNumberGenerator.Fill(sealedBytes.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(_key!, TagBytes);
        aes.Encrypt(
            sealedBytes.AsSpan(0, NonceBytes),
            plain,
            sealedBytes.AsSpan(NonceBytes + TagBytes),
            sealedBytes.AsSpan(NonceBytes, TagBytes),
            Bind(mark, owner));
        return mark + Convert.ToBase64String(sealedBytes);
    }

    /// <summary>Opens what was sealed here for this owner; null for what another server has sealed.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException"><c>INVALID_REQUEST</c>: it was changed, or is another owner's.</exception>
    public async ValueTask<IReadOnlyList<ResponseItem>?> OpenAsync(string content, string owner, CancellationToken cancellationToken)
    {
        var mark = content.StartsWith(Compaction, StringComparison.Ordinal) ? Compaction
            : content.StartsWith(Reasoning, StringComparison.Ordinal) ? Reasoning
            : content.StartsWith(Unbound, StringComparison.Ordinal) ? Unbound
            : null;
        if (mark is null) return null;
        var buffer = new byte[content.Length];
        if (!Convert.TryFromBase64Chars(content.AsSpan(mark.Length), buffer, out var length) || length < NonceBytes + TagBytes) return null;
        var key = await TakeKeyAsync(cancellationToken).ConfigureAwait(false);
        var plain = new byte[length - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(
                buffer.AsSpan(0, NonceBytes),
                buffer.AsSpan(NonceBytes + TagBytes, plain.Length),
                buffer.AsSpan(NonceBytes, TagBytes),
                plain,
                mark == Unbound ? [] : Bind(mark, owner));
        }
        catch (AuthenticationTagMismatchException)
        {
            throw mark == Reasoning
                ? ResponseErrors.Invalid(
                    "A reasoning item's encrypted_content was changed, is another token's, or another host's store made it; leave the item out.",
                    "input",
                    "invalid_encrypted_content")
                : ResponseErrors.Invalid(
                    "A compaction item was changed, is another token's, or another host's store made it; begin a new conversation.",
                    "input",
                    "invalid_compaction");
        }

        using var document = JsonDocument.Parse(plain, ResponseRequestReader.Deep);
        return ItemJson.Read(document.RootElement);
    }

    private static byte[] Bind(string mark, string owner) => Encoding.UTF8.GetBytes(mark + owner);

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
