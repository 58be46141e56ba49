using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Client;

/// <summary>Files of the .NET client: binary where the server offers it, resumed, with a window that follows the line.</summary>
public sealed class FileUploadTests : IDisposable
{
    private readonly ScriptedHost _host = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("cbupload").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Upload_ServerTakesBinary_SendsWhatIsMissingAsBytesAndGoesOnAfterALostConnection()
    {
        var (path, file) = MakeFile(3000);
        await using var bridge = await StartAsync();
        var connection = await _host.LetBridgeInAsync();
        var uploading = bridge.UploadAsync(path, new BncrUploadOptions { SessionKey = "k", ChunkBytes = 1024 });
        var init = await connection.ReadRequestAsync("bncr.file.init");
        Assert.Equal("binary", (string?)init["params"]!["encoding"]);
        connection.Answer(init, """{"ok":true,"status":"init","encoding":"binary","missingRanges":[[0,2]]}""");
        var seen = new Dictionary<int, byte[]>();
        for (var i = 0; i < 3; i++)
        {
            var (header, content) = await connection.ReadBinaryAsync();
            var index = (int)header["chunkIndex"]!;
            seen[index] = content;
            Assert.Equal(((string?)init["params"]!["transferId"], 1024 * index, content.Length), ((string?)header["transferId"], (int)header["offset"]!, (int)header["size"]!));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), (string?)header["sha256"]);
        }

        Assert.Equal(file, seen.OrderBy(chunk => chunk.Key).SelectMany(chunk => chunk.Value));
        Ack(connection, init, 1);
        // Two chunks hang in the air when the line breaks: nobody waits for their acks, and the host is asked what it has.
        connection.Close();
        connection = await _host.LetBridgeInAsync();
        init = await connection.ReadRequestAsync("bncr.file.init");
        connection.Answer(init, """{"ok":true,"status":"init","duplicated":true,"encoding":"binary","missingRanges":[[2,2]]}""");
        Assert.Equal(2, (int)(await connection.ReadBinaryAsync()).Header["chunkIndex"]!);
        Ack(connection, init, 2);
        connection.Answer(await connection.ReadRequestAsync("bncr.file.complete"), """{"ok":true,"path":"/spool/x","size":3000}""");
        Assert.Equal("/spool/x", (await uploading.WaitAsync(ScriptedHost.Timeout)).Path);
    }

    [Fact]
    public async Task Upload_BinaryChunkRefusedForGood_IsTheUploadsError()
    {
        var (path, _) = MakeFile(10);
        await using var bridge = await StartAsync();
        var connection = await _host.LetBridgeInAsync();
        var uploading = bridge.UploadAsync(path, new BncrUploadOptions { SessionKey = "k" });
        var init = await connection.ReadRequestAsync("bncr.file.init");
        connection.Answer(init, """{"ok":true,"status":"init","encoding":"binary","missingRanges":[[0,0]]}""");
        await connection.ReadBinaryAsync();
        connection.Raise("bncr.file.ack", new JsonObject
        {
            ["transferId"] = (string?)init["params"]!["transferId"],
            ["stage"] = "chunk",
            ["chunkIndex"] = 0,
            ["ok"] = false,
            ["errorCode"] = "STORE_FULL",
            ["errorMessage"] = "no room",
        }.ToJsonString());
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => uploading.WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(("STORE_FULL", "no room"), (fault.Code, fault.Message));
    }

    /// <summary>A server that doesn't know of encodings, such as the existing plugin through a gateway, and a caller who wants none of it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Upload_ServerOrCallerWithoutBinary_SendsBase64(bool wantsBinary)
    {
        var (path, file) = MakeFile(100);
        await using var bridge = await StartAsync();
        var connection = await _host.LetBridgeInAsync();
        var uploading = bridge.UploadAsync(path, new BncrUploadOptions { SessionKey = "k", Binary = wantsBinary });
        var init = await connection.ReadRequestAsync("bncr.file.init");
        Assert.Equal(wantsBinary ? "binary" : null, (string?)init["params"]!["encoding"]);
        connection.Answer(init, """{"ok":true,"status":"init","missingRanges":[[0,0]]}""");
        var chunk = await connection.ReadRequestAsync("bncr.file.chunk");
        Assert.Equal(file, Convert.FromBase64String((string)chunk["params"]!["base64"]!));
        connection.Answer(chunk, """{"ok":true}""");
        connection.Answer(await connection.ReadRequestAsync("bncr.file.complete"), """{"ok":true,"path":"/spool/y"}""");
        Assert.Equal("/spool/y", (await uploading.WaitAsync(ScriptedHost.Timeout)).Path);
    }

    [Fact]
    public async Task Receive_ServerOffersBinary_AgreesAndTakesBytes()
    {
        await using var bridge = await StartAsync(receives: true);
        var connection = await _host.LetBridgeInAsync();
        var file = new byte[1500];
        new Random(4).NextBytes(file);
        connection.Raise("bncr.file.init", $$"""
            {"transferId":"t","direction":"oc2bncr","fileName":"a.bin","fileSize":1500,"chunkSize":1000,"totalChunks":2,
             "fileSha256":"{{Convert.ToHexStringLower(SHA256.HashData(file))}}","encodings":["base64","binary"]}
            """);
        var ack = await connection.ReadRequestAsync("bncr.file.ack");
        Assert.Equal(("init", "binary"), ((string?)ack["params"]!["stage"], (string?)ack["params"]!["encoding"]));
        foreach (var index in (int[])[1, 0])
        {
            var bytes = file.AsSpan(index * 1000, index == 0 ? 1000 : 500);
            var header = System.Text.Encoding.UTF8.GetBytes(
                $$"""{"transferId":"t","chunkIndex":{{index}},"offset":{{index * 1000}},"size":{{bytes.Length}},"sha256":"{{Convert.ToHexStringLower(SHA256.HashData(bytes))}}"}""");
            connection.Send([0, 0, 0, (byte)header.Length, .. header, .. bytes]);
            ack = await connection.ReadRequestAsync("bncr.file.ack");
            Assert.Equal(("chunk", index, true), ((string?)ack["params"]!["stage"], (int)ack["params"]!["chunkIndex"]!, (bool)ack["params"]!["ok"]!));
        }

        connection.Raise("bncr.file.complete", """{"transferId":"t"}""");
        ack = await connection.ReadRequestAsync("bncr.file.ack");
        Assert.Equal(file, await File.ReadAllBytesAsync((string)ack["params"]!["path"]!));
    }

    [Fact]
    public void Window_Acks_GrowItAndLateOnesAndFailuresShrinkItOnceARound()
    {
        var time = new ManualTime();
        var window = new UploadWindow(16, time);
        Assert.Equal(4, window.Size);
        for (var i = 0; i < 4; i++) window.Confirmed(time.GetTimestamp());
        Assert.Equal(8, window.Size);
        for (var i = 0; i < 200; i++) window.Confirmed(time.GetTimestamp());
        Assert.Equal(16, window.Size);

        time.Advance(TimeSpan.FromSeconds(1));
        var sentAt = time.GetTimestamp();
        time.Advance(TimeSpan.FromSeconds(3));
        window.Confirmed(sentAt);
        window.Confirmed(sentAt);
        Assert.Equal(8, window.Size);
        for (var i = 0; i < 10; i++) window.Shrink();
        Assert.Equal(1, window.Size);
        Assert.Equal(1, new UploadWindow(0, time).Size);
    }

    private static void Ack(ScriptedHost.ScriptedConnection connection, JsonNode init, int index) =>
        connection.Raise("plugin.bncr.file.ack", $$"""{"transferId":"{{(string?)init["params"]!["transferId"]}}","stage":"chunk","chunkIndex":{{index}},"ok":true}""");

    private (string Path, byte[] Bytes) MakeFile(int size)
    {
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        var path = Path.Combine(_folder, "up.bin");
        File.WriteAllBytes(path, bytes);
        return (path, bytes);
    }

    private Task<BncrBridgeClient> StartAsync(bool receives = false)
    {
        var options = new BncrBridgeOptions
        {
            BridgeId = "the-bridge",
            FilesFolder = receives ? Path.Combine(_folder, "in") : null,
            Connection = { ReconnectDelay = TimeSpan.FromMilliseconds(1), MaxReconnectDelay = TimeSpan.FromMilliseconds(2) },
        };
        var bridge = new BncrBridgeClient(options, _host.Connect, null, new Random(3), null);
        _ = bridge.StartAsync();
        return Task.FromResult(bridge);
    }
}
