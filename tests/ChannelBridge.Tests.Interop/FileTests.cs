using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>Files through the real gateway, both ways: bytes travel over the link, never paths.</summary>
[Collection(InteropCollection.Name)]
public sealed class FileTests(InteropLab lab)
{
    private const int Chunk = 256 * 1024;

    [OpenClawFact]
    public async Task Upload_ThroughTheGateway_ReachesTheAgent()
    {
        await using var bridge = await lab.BridgeAsync();
        // More than one piece on the link, and the words where the agent reads them.
        var file = Encoding.UTF8.GetBytes("the pelican wrote this\n" + string.Concat(Enumerable.Repeat("padding of no interest\n", 30_000)));
        var path = await UploadAsync(bridge, "up-1", file, "notes.txt", "text/plain");
        var answer = await bridge.CallAsync("bncr.inbound", new JsonObject
        {
            ["clientId"] = bridge.ClientId,
            ["platform"] = "interop",
            ["userId"] = "petra",
            ["type"] = "file",
            ["msg"] = "ask:with-an-upload",
            ["path"] = path,
            ["msgId"] = "upload-1",
        });
        Assert.True((bool?)answer["payload"]?["accepted"], answer.ToJsonString());
        Assert.Equal("answer to with-an-upload", (string?)(await bridge.PushAsync("petra"))["message"]!["msg"]);
        Assert.Contains("notes", lab.Model.PromptOf("with-an-upload"), StringComparison.Ordinal);
        // Once as chunks of the bridge, once as the agent's file; the link of this lab never carries a file's bytes in base64.
        await CrossedAsBytesAsync(2L * file.Length);
    }

    [OpenClawFact]
    public async Task Upload_ALargeFileInLargeFrames_IsWhole()
    {
        await using var bridge = await lab.BridgeAsync();
        var file = RandomNumberGenerator.GetBytes(50 << 20);
        var answer = await UploadAsync(bridge, "up-large", file, "large.bin", "application/octet-stream", 16 << 20);
        Assert.Equal(4, (int)(await OkAsync(bridge, "bncr.file.status", new JsonObject { ["transferId"] = "up-large" }))["received"]!);
        Assert.Equal(file.Length, new FileInfo(answer).Length);
        Assert.Equal(SHA256.HashData(file), SHA256.HashData(await File.ReadAllBytesAsync(answer)));
    }

    [OpenClawFact]
    public async Task Send_WithMedia_GoesInChunksAndThenItsMessage()
    {
        await using var bridge = await lab.BridgeAsync();
        await bridge.AcceptedAsync("quinn", "ask:hello", "media-0");
        await bridge.PushAsync("quinn");
        var file = new byte[700_000];
        new Random(5).NextBytes(file);
        "%PDF-1.4\n"u8.CopyTo(file);
        var folder = Directory.CreateDirectory(Path.Combine(lab.Gateway.State, "openclaw", "media", "outbound"));
        var path = Path.Combine(folder.FullName, "paper.pdf");
        await File.WriteAllBytesAsync(path, file);
        var sent = await bridge.CallAsync("send", new JsonObject
        {
            ["channel"] = "bncr",
            ["accountId"] = "Primary",
            ["to"] = "Bncr:interop:quinn",
            ["message"] = "a caption",
            ["mediaUrl"] = path,
            ["idempotencyKey"] = "media-send-1",
        });
        Assert.True((bool)sent["ok"]!, sent.ToJsonString());
        var push = await bridge.PushAsync("quinn");
        var message = push["message"]!;
        Assert.Equal(("a caption", "chunk"), ((string?)message["msg"], (string?)message["transferMode"]));
        var id = ((string)message["path"]!)["/client/".Length..];
        Assert.Equal(file, bridge.Files[id].Values.SelectMany(part => part));
        Assert.Equal("application/pdf", (string?)message["mimeType"]);
        await CrossedAsBytesAsync(2L * file.Length);
    }

    private async Task CrossedAsBytesAsync(long atLeast)
    {
        await using var operatorClient = await BncrClient.OperatorAsync(lab.Host.WebSocketUrl, lab.Host.Token);
        var link = (await operatorClient.CallAsync("diagnostics", new JsonObject { ["section"] = "link" }))["payload"]!["link"]!;
        Assert.Equal(0, (long)link["fileBytesBase64"]!);
        Assert.InRange((long)link["fileBytesBinary"]!, atLeast, long.MaxValue);
    }

    private static async Task<string> UploadAsync(BncrClient bridge, string id, byte[] file, string name, string mimeType, int chunk = Chunk)
    {
        var total = (file.Length + chunk - 1) / chunk;
        await OkAsync(bridge, "bncr.file.init", new JsonObject
        {
            ["transferId"] = id,
            ["sessionKey"] = "agent:main:bncr:direct:" + Convert.ToHexStringLower("interop:0:petra"u8),
            ["fileName"] = name,
            ["mimeType"] = mimeType,
            ["fileSize"] = file.Length,
            ["chunkSize"] = chunk,
            ["totalChunks"] = total,
            ["fileSha256"] = Convert.ToHexStringLower(SHA256.HashData(file)),
        });
        for (var i = 0; i < total; i++)
        {
            var bytes = file.AsMemory(i * chunk, Math.Min(chunk, file.Length - (i * chunk)));
            await OkAsync(bridge, "bncr.file.chunk", new JsonObject
            {
                ["transferId"] = id,
                ["chunkIndex"] = i,
                ["offset"] = i * chunk,
                ["size"] = bytes.Length,
                ["chunkSha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes.Span)),
                ["base64"] = Convert.ToBase64String(bytes.Span),
            });
        }

        return (string)(await OkAsync(bridge, "bncr.file.complete", new JsonObject { ["transferId"] = id }))["path"]!;
    }

    private static async Task<JsonObject> OkAsync(BncrClient bridge, string method, JsonObject parameters)
    {
        parameters["clientId"] = bridge.ClientId;
        var answer = await bridge.CallAsync(method, parameters);
        Assert.True((bool)answer["ok"]!, answer.ToJsonString());
        return answer["payload"]!.AsObject();
    }
}
