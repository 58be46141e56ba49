using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Storage;
using ChannelBridge.Tests.Unit.Support;
using static ChannelBridge.Tests.Unit.Transfers.TransfersUnderTest;

namespace ChannelBridge.Tests.Unit.Transfers;

public sealed class UploadTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly MemoryStore _store;
    private readonly TransferClient _client = Peer();
    private readonly byte[] _file = RandomBytes(7, 2500);

    public UploadTests() => _store = new MemoryStore(_time);

    public void Dispose() => _folder.Remove();

    private TransfersUnderTest Host(Action<TransferOptions>? configure = null) => new(_store, _folder.File("spool"), _time, configure);

    private static Task<BridgeException> RefusedAsync(ValueTask<ChunkTaken> call) => Assert.ThrowsAsync<BridgeException>(() => call.AsTask());

    private static Task<BridgeException> RefusedAsync(ValueTask<TransferStatus> call) => Assert.ThrowsAsync<BridgeException>(() => call.AsTask());

    private static string Reason(BridgeException fault) => fault.Details!["reason"]!.GetValue<string>();

    [Fact]
    public async Task Wrong_chunks_are_refused_and_change_nothing()
    {
        using var host = Host();
        await host.Uploads.InitAsync(_client, Request("t", _file, 1000));
        var good = Piece(_file, 1000, 0);
        foreach (var (piece, reason, legacy) in new (ChunkPiece, string, string?)[]
        {
            (good with { Index = -1 }, "chunk-out-of-range", null),
            (good with { Index = 3 }, "chunk-out-of-range", null),
            (good with { Index = long.MaxValue }, "chunk-out-of-range", null),
            (good with { Offset = 500 }, "offset-mismatch", null),
            (good with { Offset = -1 }, "offset-mismatch", null),
            (good with { Size = 99 }, "chunk-size-mismatch", "chunk size mismatch expected=99 got=1000"),
            (good with { Data = _file.AsMemory(0, 1001), Size = null, Sha256 = null }, "chunk-size-mismatch", "chunk size mismatch expected=1000 got=1001"),
            (good with { Data = _file.AsMemory(0, 5), Size = null, Sha256 = null }, "chunk-size-mismatch", "chunk size mismatch expected=1000 got=5"),
            (good with { Data = _file.AsMemory(1, 1000) }, "chunk-hash-mismatch", "chunk sha256 mismatch"),
            (good with { Sha256 = "zz" }, "invalid-sha256", null),
            (good with { IsBase64 = true, Data = "!!!!"u8.ToArray() }, "invalid-base64", "invalid base64"),
        })
        {
            var fault = await RefusedAsync(host.Uploads.ChunkAsync(_client, "t", piece));
            Assert.Equal(reason, Reason(fault));
            Assert.Equal(legacy, fault.LegacyText);
        }

        Assert.Equal(0, (await host.Uploads.StatusAsync(_client, "t")).Received);
        Assert.False((await host.Uploads.ChunkAsync(_client, "t", good)).Duplicate);
        Assert.True((await host.Uploads.ChunkAsync(_client, "t", good)).Duplicate);
        var other = (byte[])_file.Clone();
        other[3] ^= 1;
        Assert.Equal("chunk-differs", Reason(await RefusedAsync(host.Uploads.ChunkAsync(_client, "t", Piece(other, 1000, 0)))));
    }

    [Fact]
    public async Task Wrong_declarations_are_refused_before_anything_is_made()
    {
        using var host = Host(options => options.MaxChunks = 1000);
        foreach (var (request, code, reason) in new[]
        {
            (Request("t", _file, 1000) with { FileSize = -5 }, ErrorCodes.InvalidRequest, "invalid-file-size"),
            (Request("t", _file, 1000) with { FileSize = 1_000_000_000_000_000 }, ErrorCodes.PayloadTooLarge, "file-too-large"),
            (Request("t", _file, 1000) with { ChunkSize = 0 }, ErrorCodes.InvalidRequest, "invalid-chunk-size"),
            (Request("t", _file, 1000) with { ChunkSize = int.MaxValue }, ErrorCodes.PayloadTooLarge, "chunk-too-large"),
            (Request("t", _file, 1000) with { FileSize = 1_000_000, TotalChunks = 1_000_000, ChunkSize = 1 }, ErrorCodes.PayloadTooLarge, "too-many-chunks"),
            (Request("t", _file, 1000) with { TotalChunks = 1_000_000_000 }, ErrorCodes.InvalidRequest, "chunks-mismatch"),
            (Request(new string('x', 200), _file, 1000), ErrorCodes.InvalidRequest, "invalid-transfer-id"),
            (Request("t", _file, 1000) with { Sha256 = "nonsense" }, ErrorCodes.InvalidRequest, "invalid-sha256"),
        })
        {
            var fault = await RefusedAsync(host.Uploads.InitAsync(_client, request));
            Assert.Equal((code, reason), (fault.Code, Reason(fault)));
        }

        Assert.DoesNotContain(
            Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories), path => !path.EndsWith("spool.id", StringComparison.Ordinal));
        Assert.Equal(default, host.Quota.Totals);
    }

    /// <summary>The records of an empty file couldn't be read again: numbers that are 0 aren't written.</summary>
    [Fact]
    public async Task Empty_file_is_as_good_as_any_also_after_a_restart()
    {
        string path;
        using (var host = Host())
        {
            await host.Uploads.InitAsync(_client, Request("t", [], 1000));
            path = (await host.Uploads.CompleteAsync(_client, "t", null)).Path!;
            Assert.Equal(path, (await host.Uploads.CompleteAsync(_client, "t", null)).Path!);
        }

        using var restarted = Host();
        Assert.Equal("complete", (await restarted.Uploads.StatusAsync(_client, "t")).State);
        Assert.True((await restarted.Uploads.InitAsync(_client, Request("t", [], 1000))).Duplicate);
        Assert.Equal(path, (await restarted.Uploads.CompleteAsync(_client, "t", null)).Path!);
        Assert.Equal(0, new FileInfo(path).Length);
        var record = TransferJson.Read(TransferJson.Write(new DownloadRecord { TransferId = "d", Sha256 = "s" }, TransferJson.Default.DownloadRecord),
            TransferJson.Default.DownloadRecord);
        Assert.Equal((0, 0), (record.ChunkSize, record.TotalChunks));
    }

    [Fact]
    public async Task Another_token_account_or_live_client_has_no_access()
    {
        using var host = Host();
        await host.Uploads.InitAsync(_client, Request("t", _file, 1000));
        var chunk = Piece(_file, 1000, 0);
        Assert.Equal(ErrorCodes.NotFound, (await RefusedAsync(host.Uploads.ChunkAsync(Peer("other"), "t", chunk))).Code);
        foreach (var stranger in new[] { Peer(holder: "second"), Peer(clientId: "another"), Peer(clientId: null) })
        {
            Assert.Equal("transfer-not-yours", Reason(await RefusedAsync(host.Uploads.ChunkAsync(stranger, "t", chunk))));
            Assert.Equal("transfer-not-yours", Reason(await RefusedAsync(host.Uploads.CompleteAsync(stranger, "t", null))));
            Assert.Equal("transfer-not-yours", Reason(await Assert.ThrowsAsync<BridgeException>(() => host.Uploads.AbortAsync(stranger, "t").AsTask())));
            Assert.Equal("transfer-not-yours", Reason(await RefusedAsync(host.Uploads.InitAsync(stranger, Request("t", _file, 1000)))));
            // To look is what one of the same token may who doesn't say who it is.
            if (stranger.ClientId is null) Assert.Equal("open", (await host.Uploads.StatusAsync(stranger, "t")).State);
            else Assert.Equal("transfer-not-yours", Reason(await Assert.ThrowsAsync<BridgeException>(() => host.Uploads.StatusAsync(stranger, "t").AsTask())));
        }

        // The same client from a new connection goes on at once.
        Assert.Equal(1, (await host.Uploads.ChunkAsync(Peer(), "t", chunk)).Received);
    }

    [Fact]
    public async Task A_client_without_an_id_goes_on_when_its_old_connection_is_gone()
    {
        using var host = Host();
        var connection = (FakeConnection)Connection();
        await host.Uploads.InitAsync(Peer(clientId: null, connection: connection), Request("t", _file, 1000));
        var next = Peer(clientId: null);
        await RefusedAsync(host.Uploads.InitAsync(next, Request("t", _file, 1000)));
        connection.Close(orderly: false);
        Assert.True((await host.Uploads.InitAsync(next, Request("t", _file, 1000))).Duplicate);
    }

    [Fact]
    public async Task A_file_with_another_hash_than_declared_must_come_again()
    {
        using var host = Host();
        await host.Uploads.InitAsync(_client, Request("t", _file, 1000) with { Sha256 = new string('0', 64) });
        for (var i = 0; i < 3; i++) await host.Uploads.ChunkAsync(_client, "t", Piece(_file, 1000, i));
        Assert.Equal("file sha256 mismatch", (await RefusedAsync(host.Uploads.CompleteAsync(_client, "t", null))).LegacyText);
        Assert.Equal(0, (await host.Uploads.StatusAsync(_client, "t")).Received);
        Assert.True(await host.Uploads.AbortAsync(_client, "t"));
        Assert.False(await host.Uploads.AbortAsync(_client, "t"));
        Assert.Equal("transfer not found", (await RefusedAsync(host.Uploads.CompleteAsync(_client, "t", null))).LegacyText);
        Assert.Empty(Directory.EnumerateFiles(_folder.File("spool/parts")));
    }

    [Fact]
    public async Task The_same_transferId_for_another_file_is_refused()
    {
        using var host = Host();
        await host.Uploads.InitAsync(_client, Request("t", _file, 1000));
        Assert.Equal("transfer-differs", Reason(await RefusedAsync(host.Uploads.InitAsync(_client, Request("t", RandomBytes(1, 9), 3)))));
    }

    [Fact]
    public async Task The_same_content_is_kept_once_and_each_account_needs_its_own_reference()
    {
        using var host = Host();
        var first = await host.UploadAsync(_client, "a", _file);
        var second = await host.UploadAsync(Peer("shop"), "b", _file, chunk: 700);
        Assert.Equal(first.Path, second.Path);
        Assert.Single(Directory.EnumerateFiles(_folder.File("spool/files")));
        Assert.NotNull(await host.Spool.FindAsync("bncr", "PRIMARY", first.Path!));
        Assert.Null(await host.Spool.FindAsync("bncr", "third", first.Path!));
        foreach (var path in new[]
        {
            "/etc/passwd", _folder.File("spool/files/../files/") + Path.GetFileName(first.Path), first.Path + "/", first.Path + "\0", "", _folder.File("spool/spool.id"),
            _folder.File("spool/parts/") + Path.GetFileName(first.Path), Path.GetFileName(first.Path)!, "file://" + first.Path,
        })
        {
            Assert.Null(await host.Spool.FindAsync("bncr", "Primary", path));
        }
    }

    [Fact]
    public async Task Files_are_the_owners_alone_and_links_are_not_followed()
    {
        if (OperatingSystem.IsWindows()) return;
        using var host = Host();
        var done = await host.UploadAsync(_client, "a", _file);
        const UnixFileMode Others = (UnixFileMode)0x3F;
        foreach (var entry in Directory.EnumerateFileSystemEntries(_folder.File("spool"), "*", SearchOption.AllDirectories))
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(entry) & Others);
        File.Delete(done.Path!);
        File.CreateSymbolicLink(done.Path!, "/etc/passwd");
        Assert.Throws<BridgeException>(() => host.Spool.OpenRead(done.File!));
    }

    [Fact]
    public async Task Quotas_are_checked_before_anything_is_written()
    {
        using var host = Host(options =>
        {
            options.AccountBytes = 6000;
            options.TotalBytes = 9000;
            options.AccountTransfers = 2;
            options.TotalTransfers = 3;
        });
        await host.Uploads.InitAsync(_client, Request("1", _file, 1000));
        await host.Uploads.InitAsync(_client, Request("2", RandomBytes(2, 100), 1000));
        Assert.Equal("account-transfers", Reason(await RefusedAsync(host.Uploads.InitAsync(_client, Request("3", _file, 1000)))));
        await host.Uploads.AbortAsync(_client, "2");
        Assert.Equal("account-bytes", Reason(await RefusedAsync(host.Uploads.InitAsync(_client, Request("3", RandomBytes(3, 3600), 1000)))));
        await host.Uploads.InitAsync(Peer("shop"), Request("4", RandomBytes(4, 5000), 1000));
        Assert.Equal("total-bytes", Reason(await RefusedAsync(host.Uploads.InitAsync(Peer("third"), Request("5", _file, 1000)))));
        await host.Uploads.InitAsync(Peer("third"), Request("5", RandomBytes(4, 5), 1000));
        var fault = await RefusedAsync(host.Uploads.InitAsync(Peer("fourth"), Request("6", RandomBytes(4, 5), 1000)));
        Assert.Equal((ErrorCodes.QuotaExceeded, "total-transfers", true), (fault.Code, Reason(fault), fault.Retryable));
    }

    [Fact]
    public async Task A_disk_without_room_is_told_before_the_transfer_begins()
    {
        using var host = Host(options => options.MinFreeBytes = long.MaxValue / 2);
        Assert.Equal(ErrorCodes.StoreFull, (await RefusedAsync(host.Uploads.InitAsync(_client, Request("t", _file, 1000)))).Code);
    }

    [Fact]
    public async Task Abandoned_transfers_and_unneeded_files_go_and_needed_ones_stay()
    {
        using var host = Host();
        await host.Uploads.InitAsync(_client, Request("left", RandomBytes(9, 5000), 1000));
        var needed = await host.UploadAsync(_client, "needed", _file);
        var unneeded = await host.UploadAsync(_client, "unneeded", RandomBytes(8, 100));
        var lane = new LaneKey("bncr", "primary", "s");
        var append = new InboxAppend { Lane = lane, Id = Guid.NewGuid(), DedupeKey = 1, DedupeUntil = long.MaxValue, At = 1, Payload = new byte[1] };
        await _store.CommitAsync(append);
        await host.Spool.KeepAsync(needed.File!, SpoolUse.Inbox, append.Id);
        _time.Advance(TimeSpan.FromHours(25));
        await host.Sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal("transfer not found", (await RefusedAsync(host.Uploads.StatusAsync(_client, "left"))).LegacyText);
        Assert.Empty(Directory.EnumerateFiles(_folder.File("spool/parts")));
        Assert.False(File.Exists(unneeded.Path));
        Assert.True(File.Exists(needed.Path));
        await _store.CommitAsync(new InboxUpdate { LaneId = append.LaneId, Ordinal = append.Ordinal, State = TurnState.Done, At = 2 });
        await host.Sweeper.SweepAsync(CancellationToken.None);
        Assert.False(File.Exists(needed.Path));
        Assert.Equal(default, host.Quota.Totals);
    }

    [Fact]
    public async Task What_lies_in_another_hosts_spool_is_refused_clearly()
    {
        using (var host = Host()) await host.Uploads.InitAsync(_client, Request("t", _file, 1000));
        using var elsewhere = new TransfersUnderTest(_store, _folder.File("other"), _time);
        var fault = await RefusedAsync(elsewhere.Uploads.InitAsync(_client, Request("t", _file, 1000)));
        Assert.Equal((ErrorCodes.Unavailable, "other-spool"), (fault.Code, Reason(fault)));
    }

    [Fact]
    public async Task A_crash_between_publishing_and_recording_loses_nothing()
    {
        var host = Host();
        await host.Uploads.InitAsync(_client, Request("t", _file, 1000));
        for (var i = 0; i < 3; i++) await host.Uploads.ChunkAsync(_client, "t", Piece(_file, 1000, i));
        await host.Uploads.StopAsync();
        var record = (await _store.ListRecordsAsync(TransferJson.Uploads, null, null, 10)).Single();
        host.Spool.Folder.Publish(TransferJson.Read(record.Value, TransferJson.Default.UploadRecord).Part);
        using var after = Host();
        var client = Peer();
        Assert.Equal(3, (await after.Uploads.InitAsync(client, Request("t", _file, 1000))).Received);
        Assert.Equal(_file, await File.ReadAllBytesAsync((await after.Uploads.CompleteAsync(client, "t", null)).Path!));
    }
}
