using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Transfers;

/// <summary>Transfers over a store in memory and a folder of their own. A second one over the same two is the host after a crash.</summary>
internal sealed class TransfersUnderTest : IDisposable
{
    private static int s_connections;

    public TransfersUnderTest(MemoryStore store, string folder, ManualTime time, Action<TransferOptions>? configure = null)
    {
        Options = new TransferOptions { Folder = folder, MinFreeBytes = 1 };
        configure?.Invoke(Options);
        Store = store;
        Time = time;
        Quota = new TransferQuota(Options);
        Spool = new Spool(store, Quota, Options, time, NullLogger<Spool>.Instance);
        Uploads = new Uploads(store, Spool, Quota, new TransferEvents(null, time), Options, time, NullLogger<Uploads>.Instance);
        Downloads = new Downloads(store, Spool, new TransferEvents(null, time), new DownloadOptions(), time, NullLogger<Downloads>.Instance);
        Sweeper = new TransferSweeper(store, Spool, Uploads, Quota, Options, time, NullLogger<TransferSweeper>.Instance);
    }

    public TransferOptions Options { get; }

    public MemoryStore Store { get; }

    public ManualTime Time { get; }

    public TransferQuota Quota { get; }

    public Spool Spool { get; }

    public Uploads Uploads { get; }

    public Downloads Downloads { get; }

    public TransferSweeper Sweeper { get; }

    public static IClientConnection Connection(string token = "first") =>
        new FakeConnection($"t{Interlocked.Increment(ref s_connections)}", new Caller(token, Scopes.Write, Door.Listener));

    public static TransferClient Peer(string account = "Primary", string holder = "first", string? clientId = "bridge", IClientConnection? connection = null) =>
        new("bncr", account, holder, clientId, connection ?? Connection());

    public static UploadRequest Request(string id, byte[] file, int chunk, bool withHash = true, string? name = "a.bin", string? mime = null) => new()
    {
        TransferId = id,
        FileName = name,
        Binary = true,
        MimeType = mime,
        FileSize = file.Length,
        ChunkSize = chunk,
        TotalChunks = (file.Length + chunk - 1) / chunk,
        Sha256 = withHash ? Convert.ToHexString(SHA256.HashData(file)) : null,
    };

    public static ChunkPiece Piece(byte[] file, int chunk, int index)
    {
        var bytes = file.AsMemory(index * chunk, Math.Min(chunk, file.Length - (index * chunk)));
        return new ChunkPiece(index, (long)index * chunk, bytes.Length, Convert.ToHexStringLower(SHA256.HashData(bytes.Span)), bytes, IsBase64: false);
    }

    public static byte[] RandomBytes(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public async Task<TransferStatus> UploadAsync(TransferClient client, string id, byte[] file, int chunk = 1000, string? name = "a.bin", string? mime = null)
    {
        var status = await Uploads.InitAsync(client, Request(id, file, chunk, name: name, mime: mime));
        for (var i = 0; i < status.TotalChunks; i++) await Uploads.ChunkAsync(client, id, Piece(file, chunk, i));
        return await Uploads.CompleteAsync(client, id, null);
    }

    public void Dispose()
    {
        Uploads.Dispose();
        Sweeper.Dispose();
        Spool.Dispose();
    }
}
