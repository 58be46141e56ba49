using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Messaging;
using ChannelBridge.Tests.Unit.Storage;
using ChannelBridge.Tests.Unit.Support;
using ChannelBridge.Tests.Unit.Transfers;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>The file methods and events of the bncr channel: what old clients send and read, and where the host is stricter than the plugin was.</summary>
public sealed class FileTests : IDisposable
{
    private const string Key = "agent:main:bncr:direct:6c61623a303a7531";
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly byte[] _file = TransfersUnderTest.RandomBytes(3, 13);
    private readonly TransfersUnderTest _transfers;
    private readonly BncrUnderTest _bncr;

    public FileTests()
    {
        var store = new MemoryStore(_time);
        _transfers = new TransfersUnderTest(store, _folder.File("spool"), _time);
        _bncr = new BncrUnderTest(store: store, time: _time, transfers: _transfers);
    }

    public void Dispose()
    {
        _transfers.Dispose();
        _folder.Remove();
    }

    private static string Base64(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes);

    private static string Init(string id = "t1", int size = 13, int chunk = 8, int total = 2, string more = "") =>
        $$""" "transferId":"{{id}}","sessionKey":"{{Key}}","fileName":"../a b.bin","fileSize":{{size}},"chunkSize":{{chunk}},"totalChunks":{{total}}{{more}} """;

    private string Chunk(int index, string id = "t1") =>
        $$""" "transferId":"{{id}}","chunkIndex":{{index}},"offset":{{index * 8}},"size":{{(index == 0 ? 8 : 5)}},"base64":"{{Base64(_file.AsSpan(index * 8, index == 0 ? 8 : 5))}}" """;

    [Fact]
    public async Task An_old_clients_upload_works_and_its_path_is_taken_by_inbound()
    {
        var client = _bncr.Connect();
        var init = await _bncr.CallAsync(client, "bncr.file.init", Init());
        Assert.Equal(("t1", "init", true), (init["transferId"]!.GetValue<string>(), init["status"]!.GetValue<string>(), init["ok"]!.GetValue<bool>()));
        Assert.Null(init["duplicated"]);
        Assert.Equal(1, (await _bncr.CallAsync(client, "bncr.file.chunk", Chunk(1)))["received"]!.GetValue<int>());
        var again = await _bncr.CallAsync(client, "bncr.file.init", Init());
        Assert.True(again["duplicated"]!.GetValue<bool>());
        Assert.Equal("[0]", again["missing"]!.ToJsonString());
        Assert.Equal("[[1,1]]", again["receivedRanges"]!.ToJsonString());
        var incomplete = await _bncr.RefusedAsync(client, "bncr.file.complete", """ "transferId":"t1" """);
        Assert.Equal("chunk not complete received=1 total=2", incomplete.LegacyText);
        var chunk = await _bncr.CallAsync(client, "bncr.file.chunk", Chunk(0));
        Assert.Equal("""{"ok":true,"transferId":"t1","chunkIndex":0,"offset":0,"received":2,"totalChunks":2}""", chunk.ToJsonString());
        var done = await _bncr.CallAsync(client, "bncr.file.complete", """ "transferId":"t1" """);
        Assert.Equal(13, done["size"]!.GetValue<int>());
        Assert.Equal("a b.bin", done["fileName"]!.GetValue<string>());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_file)), done["fileSha256"]!.GetValue<string>());
        var path = done["path"]!.GetValue<string>();
        Assert.Equal(_file, await File.ReadAllBytesAsync(path));
        await _bncr.InboundAsync(client, BncrUnderTest.Route + $""","path":"{path}","msgId":"m1" """);
        var attachment = Assert.Single(_bncr.Inbox.Last.Attachments!);
        Assert.Equal(("a b.bin", 13L), (attachment.FileName, attachment.Size));
        Assert.Equal("path not allowed", (await _bncr.RefusedAsync(client, "bncr.inbound", BncrUnderTest.Route + ""","path":"/etc/passwd" """)).LegacyText);
        Assert.Equal("path not allowed", (await _bncr.RefusedAsync(client, "bncr.inbound", BncrUnderTest.Route + $""","accountId":"other","path":"{path}" """)).LegacyText);
    }

    [Theory]
    [InlineData("bncr.file.init", """ "transferId":"x" """, "transferId/sessionKey/fileSize/chunkSize/totalChunks required")]
    [InlineData("bncr.file.init", """ "transferId":"x","sessionKey":"6c61623a303a7531","fileSize":1,"chunkSize":"abc","totalChunks":1 """,
        "transferId/sessionKey/fileSize/chunkSize/totalChunks required")]
    [InlineData("bncr.file.init", """ "transferId":"x","sessionKey":"nonsense","fileSize":1,"totalChunks":1 """, "invalid sessionKey")]
    [InlineData("bncr.file.init", """ "transferId":"x","sessionKey":"Bncr:lab:u1","fileSize":1,"totalChunks":1 """, "invalid sessionKey")]
    [InlineData("bncr.file.chunk", """ "transferId":"x","chunkIndex":0,"base64":"AAAA" """, "transfer not found")]
    [InlineData("bncr.file.chunk", """ "transferId":"x","chunkIndex":-1,"base64":"AAAA" """, "transferId/chunkIndex/base64 required")]
    [InlineData("bncr.file.chunk", """ "transferId":"x","chunkIndex":0 """, "transferId/chunkIndex/base64 required")]
    [InlineData("bncr.file.complete", """ "transferId":"x" """, "transfer not found")]
    [InlineData("bncr.file.ack", """ "transferId":"x" """, "transferId/stage required")]
    public async Task Old_clients_read_the_errors_that_they_know(string method, string members, string text) =>
        Assert.Equal(text, (await _bncr.RefusedAsync(_bncr.Connect(), method, members)).LegacyText);

    [Fact]
    public async Task Unknown_transfers_are_aborted_and_acked_without_an_error()
    {
        var client = _bncr.Connect();
        Assert.Equal("not-found", (await _bncr.CallAsync(client, "bncr.file.abort", """ "transferId":"x" """))["message"]!.GetValue<string>());
        Assert.Equal("late", (await _bncr.CallAsync(client, "bncr.file.ack", """ "transferId":"x","stage":"init" """))["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Another_tokens_client_does_not_touch_a_transfer()
    {
        var (owner, _, _) = await _bncr.ClientAsync();
        await _bncr.CallAsync(owner, "bncr.file.init", Init());
        var stranger = _bncr.Connect("second");
        foreach (var (method, members) in new[] { ("bncr.file.chunk", Chunk(0)), ("bncr.file.complete", """ "transferId":"t1" """),
            ("bncr.file.abort", """ "transferId":"t1" """), ("bncr.file.init", Init()) })
            Assert.Equal(ErrorCodes.Forbidden, (await _bncr.RefusedAsync(stranger, method, members)).Code);
        Assert.Equal(0, (await _bncr.CallAsync(owner, "bncr.file.status", """ "transferId":"t1" """))["received"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_stale_lease_changes_nothing()
    {
        var (owner, _, _) = await _bncr.ClientAsync();
        var answer = await _bncr.CallAsync(owner, "bncr.file.init", Init(more: ""","leaseId":"lease_old" """));
        Assert.True(answer["stale"]!.GetValue<bool>());
        Assert.False(answer["accepted"]!.GetValue<bool>());
        Assert.Equal("not-found", (await _bncr.CallAsync(owner, "bncr.file.abort", """ "transferId":"t1" """))["message"]!.GetValue<string>());
    }

    private async Task<PushItem> MessageAsync(byte[] file)
    {
        var attachment = await _transfers.Spool.ImportAsync("bncr", "Primary", new MemoryStream(file), "voice.ogg", "audio/ogg", file.Length);
        return BncrUnderTest.Item("a caption", with: message => message with { Type = "voice", Attachment = attachment });
    }

    /// <summary>Answers file events as a client does, until the push comes; returns it and the chunks that came.</summary>
    private async Task<(JsonNode? Push, List<int> Chunks)> TakeAsync(
        FakeConnection client, SortedDictionary<int, byte[]> parts, int stopAfter = int.MaxValue, string completeError = "")
    {
        var chunks = new List<int>();
        while (true)
        {
            var (name, payload) = await client.NextAsync();
            var id = payload["transferId"]?.GetValue<string>();
            switch (name[(name.LastIndexOf('.') + 1)..])
            {
                case "push":
                    return (payload, chunks);
                case "init":
                    await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"init" """);
                    break;
                case "chunk":
                    var index = payload["chunkIndex"]!.GetValue<int>();
                    chunks.Add(index);
                    parts[index] = Convert.FromBase64String(payload["base64"]!.GetValue<string>());
                    Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(parts[index])), payload["chunkSha256"]!.GetValue<string>());
                    await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"chunk","chunkIndex":{index} """);
                    if (chunks.Count >= stopAfter) return (null, chunks);
                    break;
                case "complete":
                    var result = completeError.Length == 0 ? ",\"path\":\"/client/voice.ogg\"" : $",\"ok\":false,\"errorMessage\":\"{completeError}\"";
                    await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"complete"{result} """);
                    if (completeError.Length > 0) return (null, chunks);
                    break;
            }
        }
    }

    [Fact]
    public async Task A_file_goes_in_chunks_and_then_its_message_with_the_clients_path()
    {
        var file = TransfersUnderTest.RandomBytes(5, 1_000_000);
        var (client, _, target) = await _bncr.ClientAsync();
        var pushing = target.PushAsync(await MessageAsync(file), CancellationToken.None).AsTask();
        var parts = new SortedDictionary<int, byte[]>();
        var (push, chunks) = await TakeAsync(client, parts);
        Assert.Equal(PushOutcome.Flushed, await pushing);
        Assert.Equal(4, chunks.Count);
        Assert.Equal(file, parts.Values.SelectMany(part => part));
        var message = push!["message"]!;
        Assert.Equal(
            ("/client/voice.ogg", "chunk", "", "voice", "a caption", "voice.ogg"),
            (message["path"]!.GetValue<string>(), message["transferMode"]!.GetValue<string>(), message["base64"]!.GetValue<string>(), message["type"]!.GetValue<string>(),
                message["msg"]!.GetValue<string>(), message["fileName"]!.GetValue<string>()));
    }

    /// <summary>It was taken for one that fits into the message, where it was nothing.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(""","inlineMediaBytes":1000""")]
    public async Task An_empty_file_goes_as_a_file_of_no_chunks(string wish)
    {
        var (client, _, target) = await _bncr.ClientAsync(""" "clientId":"bridge-1" """ + wish);
        var pushing = target.PushAsync(await MessageAsync([]), CancellationToken.None).AsTask();
        var (push, chunks) = await TakeAsync(client, []);
        Assert.Equal(PushOutcome.Flushed, await pushing);
        Assert.Empty(chunks);
        Assert.Equal("/client/voice.ogg", push!["message"]!["path"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_download_goes_on_after_a_broken_connection_with_the_missing_chunks_only()
    {
        var file = TransfersUnderTest.RandomBytes(6, 5_000_000);
        var (first, _, target) = await _bncr.ClientAsync();
        var item = await MessageAsync(file);
        var pushing = target.PushAsync(item, CancellationToken.None).AsTask();
        var parts = new SortedDictionary<int, byte[]>();
        var (_, before) = await TakeAsync(first, parts, stopAfter: 7);
        first.Close(orderly: false);
        Assert.Equal(PushOutcome.Gone, await pushing);
        var (second, _, next) = await _bncr.ClientAsync();
        pushing = next.PushAsync(item, CancellationToken.None).AsTask();
        var (push, after) = await TakeAsync(second, parts);
        Assert.Equal(PushOutcome.Flushed, await pushing);
        Assert.NotNull(push);
        Assert.Empty(before.Intersect(after));
        Assert.Equal(20, before.Count + after.Count);
        Assert.Equal(file, parts.Values.SelectMany(part => part));
    }

    [Fact]
    public async Task A_client_that_cannot_complete_gets_the_whole_again_under_another_id()
    {
        var file = TransfersUnderTest.RandomBytes(6, 600_000);
        var (client, _, target) = await _bncr.ClientAsync();
        var item = await MessageAsync(file);
        var parts = new SortedDictionary<int, byte[]>();
        var failing = Assert.ThrowsAsync<BridgeException>(() => target.PushAsync(item, CancellationToken.None).AsTask());
        await TakeAsync(client, parts, completeError: "disk full");
        Assert.Equal("file-complete-refused", (await failing).Details!["reason"]!.GetValue<string>());
        var pushing = target.PushAsync(item, CancellationToken.None).AsTask();
        var (push, chunks) = await TakeAsync(client, parts);
        Assert.NotNull(push);
        Assert.Equal(3, chunks.Count);
        Assert.Equal(PushOutcome.Flushed, await pushing);
    }

    /// <summary>Guards diagnostics, which said 0 whatever was awaited.</summary>
    [Fact]
    public async Task Diagnostics_tell_how_many_words_on_files_are_awaited()
    {
        var (client, _, target) = await _bncr.ClientAsync();
        await AwaitedAsync(client, 0);
        var pushing = target.PushAsync(await MessageAsync(TransfersUnderTest.RandomBytes(8, 1_000_000)), CancellationToken.None).AsTask();
        var (_, init) = await client.NextAsync();
        await AwaitedAsync(client, 1);
        var id = init["transferId"]!.GetValue<string>();
        await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"init" """);
        for (var i = 0; i < 4; i++) await client.NextAsync();
        await AwaitedAsync(client, 4);
        for (var i = 0; i < 3; i++) await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"chunk","chunkIndex":{i} """);
        await AwaitedAsync(client, 1);
        await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"chunk","chunkIndex":3 """);
        await client.NextAsync();
        await _bncr.CallAsync(client, "bncr.file.ack", $""" "transferId":"{id}","stage":"complete","path":"/client/x" """);
        Assert.Equal(PushOutcome.Flushed, await pushing);
        await AwaitedAsync(client, 0);
    }

    /// <summary>Waits until so many are awaited: the client may have the event before its sender has begun to wait.</summary>
    private async Task AwaitedAsync(FakeConnection client, int count)
    {
        using var patience = new CancellationTokenSource(CoreUnderTest.Patience);
        while ((await _bncr.CallAsync(client, "bncr.diagnostics"))["waiters"]!["fileAck"]!.GetValue<int>() != count) await Task.Delay(1, patience.Token);
    }

    [Fact]
    public async Task A_client_may_ask_for_small_files_inside_the_message()
    {
        var (client, _, target) = await _bncr.ClientAsync(""" "clientId":"bridge-1","inlineMediaBytes":1000 """);
        var pushing = target.PushAsync(await MessageAsync(_file), CancellationToken.None).AsTask();
        var (_, push) = await client.NextAsync();
        Assert.Equal(Base64(_file), push["message"]!["base64"]!.GetValue<string>());
        Assert.Equal(PushOutcome.Flushed, await pushing);
    }
}
