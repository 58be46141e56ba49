using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// What the idempotency keys of <c>send</c> were used for, as long as receipts are kept: the same key with another target or text is a mistake of the caller,
/// who must not be told that it was sent. Of one host, one call of a key at a time.
/// </summary>
internal sealed class SentKeys(IRecords records, MessagingOptions options, TimeProvider time)
{
    private const string Namespace = "core.sent";

    // The keys of calls that are under way. A call may take its time, because it fetches a file: only others of the same key wait for it.
    private readonly ConcurrentDictionary<string, Task> _taken = new(StringComparer.Ordinal);

    /// <summary>Takes a key of a caller for a message.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.Conflict"/>: it was used for another one.</exception>
    public async ValueTask<Use> TakeAsync(string idempotencyKey, Caller caller, IReadOnlyList<string?> message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(caller);
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{caller.Name}\n{idempotencyKey}")));
        var print = Fingerprint(message);
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        while (_taken.GetOrAdd(key, over.Task) is var other && other != over.Task) await other.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var known = await records.GetRecordAsync(Namespace, key, cancellationToken).ConfigureAwait(false);
            if (known is not null && !known.Value.Span.SequenceEqual(print))
            {
                throw new BridgeException(ErrorCodes.Conflict,
                    "send: params.idempotencyKey was used for a message with another target or text; nothing was sent. Use a new key for a new message.");
            }

            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            var put = new RecordPut { Namespace = Namespace, Key = key, Value = print, ExpiresAt = now + (long)options.ReceiptRetention.TotalMilliseconds, At = now };
            return new Use([put], () => Free(key, over));
        }
        catch
        {
            Free(key, over);
            throw;
        }
    }

    private void Free(string key, TaskCompletionSource over)
    {
        _taken.TryRemove(key, out _);
        over.SetResult();
    }

    private static byte[] Fingerprint(IReadOnlyList<string?> message)
    {
        var text = new StringBuilder();
        foreach (var part in message) text.Append(part?.Length ?? -1).Append(':').Append(part);
        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>A key that is taken until this is disposed.</summary>
    internal sealed class Use(IReadOnlyList<RecordWrite> written, Action free) : IDisposable
    {
        /// <summary>What is written with the message.</summary>
        public IReadOnlyList<RecordWrite> Records => written;

        public void Dispose() => free();
    }
}
