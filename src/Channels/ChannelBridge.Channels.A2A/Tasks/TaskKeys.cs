using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>Whose a conversation's id is.</summary>
internal enum ContextOwner
{
    /// <summary>The peer has chosen it; it means something among its own only.</summary>
    Named,

    /// <summary>Made here for this peer.</summary>
    Own,

    /// <summary>It looks like one that was made here, but not for this peer.</summary>
    Foreign,
}

/// <summary>
/// The ids that peers see. All of them are bound to the peer by a hash with the store's own id, so that whose they are is told without asking the store:
/// another peer's takes exactly as long as one that nobody has.
/// </summary>
internal sealed class TaskKeys(IRecords records, Random random)
{
    private const string ContextPrefix = "ctx-";
    private const int RandomBytes = 12;
    private const int SealBytes = 8;
    private const int ContextLength = 4 + (2 * (RandomBytes + SealBytes));

    /// <summary>The task of a peer's first message: the same message is the same task.</summary>
    public string TaskOf(string peer, string messageId)
    {
        var hash = Hash("task", peer, messageId);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true).ToString();
    }

    /// <summary>What makes it the same message of a peer; a message that continues a task is another one.</summary>
    public UInt128 DedupeKeyOf(string peer, string taskId, string messageId) => BitConverter.ToUInt128(Hash("message", peer, $"{taskId}\0{messageId}"));

    /// <summary>A new conversation of a peer.</summary>
    public string NewContext(string peer)
    {
        Span<byte> bytes = stackalloc byte[RandomBytes + SealBytes];
        random.NextBytes(bytes[..RandomBytes]);
        Seal(peer, bytes[..RandomBytes]).CopyTo(bytes[RandomBytes..]);
        return ContextPrefix + Convert.ToHexStringLower(bytes);
    }

    /// <summary>Whose an id is.</summary>
    public ContextOwner OwnerOf(string peer, string contextId)
    {
        if (contextId.Length != ContextLength || !contextId.StartsWith(ContextPrefix, StringComparison.Ordinal)) return ContextOwner.Named;
        Span<byte> bytes = stackalloc byte[RandomBytes + SealBytes];
        if (Convert.FromHexString(contextId.AsSpan(ContextPrefix.Length), bytes, out _, out var written) is not System.Buffers.OperationStatus.Done || written != bytes.Length)
            return ContextOwner.Named;
        return CryptographicOperations.FixedTimeEquals(Seal(peer, bytes[..RandomBytes]), bytes[RandomBytes..]) ? ContextOwner.Own : ContextOwner.Foreign;
    }

    /// <summary>A page token: where a list goes on, for this peer and this filter only.</summary>
    public string PageToken(string peer, string filter, string after, int total)
    {
        var text = $"{total}\n{after}";
        var content = Encoding.UTF8.GetBytes(text);
        return Base64Url.EncodeToString([.. Hash("page", peer, $"{filter}\0{text}").AsSpan(0, SealBytes), .. content]);
    }

    /// <summary>Reads a page token. Null: it isn't this peer's, or not of this list.</summary>
    public (string After, int Total)? ReadPageToken(string peer, string filter, string token)
    {
        if (token.Length > 400 || !Base64Url.IsValid(token)) return null;
        var bytes = Base64Url.DecodeFromChars(token);
        if (bytes.Length <= SealBytes) return null;
        var text = Encoding.UTF8.GetString(bytes.AsSpan(SealBytes));
        if (!CryptographicOperations.FixedTimeEquals(Hash("page", peer, $"{filter}\0{text}").AsSpan(0, SealBytes), bytes.AsSpan(0, SealBytes))) return null;
        var parts = text.Split('\n');
        return parts.Length == 2 && int.TryParse(parts[0], out var total) ? (parts[1], total) : null;
    }

    private ReadOnlySpan<byte> Seal(string peer, ReadOnlySpan<byte> bytes) => Hash("context", peer, Convert.ToHexStringLower(bytes)).AsSpan(0, SealBytes);

    private byte[] Hash(string kind, string peer, string text) =>
        HMACSHA256.HashData(records.StoreId.ToByteArray(), Encoding.UTF8.GetBytes($"a2a/{kind}\0{peer}\0{text}"));
}
