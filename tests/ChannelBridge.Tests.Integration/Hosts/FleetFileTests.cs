using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>Files with several hosts on one database and one spool folder: a transfer belongs to its client, not to the host where it began.</summary>
public sealed class FleetFileTests : IDisposable
{
    private const int Chunk = 64 * 1024;
    private const int Total = 24;
    private readonly string _spool = Directory.CreateTempSubdirectory("cbspool").FullName;
    private readonly byte[] _file = new byte[(Total * Chunk) - 5];

    public FleetFileTests() => new Random(11).NextBytes(_file);

    public void Dispose() => Directory.Delete(_spool, recursive: true);

    [ServerFact]
    public async Task Upload_BegunAtAHostThatIsKilled_GoesOnAtTheOtherWithWhatIsMissing()
    {
        await using var fleet = await Fleet.StartAsync(2, settings: new Dictionary<string, string> { ["CHANNELBRIDGE__STORE__FILES__FOLDER"] = _spool });
        await using (var first = await ConnectAsync(fleet, 0))
        {
            await first.CallAsync("bncr.file.init", Init());
            for (var i = 0; i < 12; i++) await first.CallAsync("bncr.file.chunk", Piece(i));
            await NotedAsync(fleet.Schema);
            await fleet.KillAsync(0);
        }

        await using var second = await ConnectAsync(fleet, 1);
        var status = await second.CallAsync("bncr.file.status", new JsonObject { ["clientId"] = "bridge-1", ["transferId"] = "t" });
        var missing = status["missing"]!.AsArray().Select(index => (int)index!).ToList();
        // What the dead host noted is there; of what it answered within its last moments some may have to come again.
        Assert.InRange(missing.Count, Total - 12, Total - 1);
        Assert.Equal(Enumerable.Range(12, Total - 12), missing.Where(index => index >= 12));
        Assert.Equal(missing, (await second.CallAsync("bncr.file.init", Init()))["missing"]!.AsArray().Select(index => (int)index!));
        foreach (var index in missing) await second.CallAsync("bncr.file.chunk", Piece(index));
        var done = await second.CallAsync("bncr.file.complete", new JsonObject { ["clientId"] = "bridge-1", ["transferId"] = "t" });
        var path = (string)done["path"]!;
        Assert.Equal(_file, await File.ReadAllBytesAsync(path));

        // The host that was killed is back: it knows the file, and takes its path in a message.
        await fleet.StartHostAsync(0);
        await using var back = await ConnectAsync(fleet, 0);
        var again = await back.CallAsync("bncr.file.init", Init());
        Assert.Equal("complete", (string?)again["status"]);
        Assert.Equal(path, (string?)(await back.CallAsync("bncr.file.complete", new JsonObject { ["clientId"] = "bridge-1", ["transferId"] = "t" }))["path"]);
        var said = await back.CallAsync("bncr.inbound", new JsonObject
        {
            ["clientId"] = "bridge-1",
            ["platform"] = "lab",
            ["userId"] = "u1",
            ["type"] = "file",
            ["msg"] = "look",
            ["msgId"] = "1",
            ["path"] = path,
        });
        Assert.True((bool?)said["accepted"], said.ToJsonString());
    }

    private static async Task<WireClient> ConnectAsync(Fleet fleet, int host)
    {
        var client = new WireClient();
        await client.ConnectAsync(fleet.Host(host).WebSocketUrl, Fleet.Token);
        return client;
    }

    /// <summary>Waits until a host has noted what has arrived: nothing tells a client about that.</summary>
    private static async Task NotedAsync(string schema)
    {
        using var patience = new CancellationTokenSource(HostProcess.Timeout);
        while (await Sql.ScalarAsync(ServerFactAttribute.Server, $"SELECT count(*) FROM {schema}.record WHERE ns = 'file.map'") is not > 0L)
            await Task.Delay(50, patience.Token);
    }

    private JsonObject Init() => new()
    {
        ["transferId"] = "t",
        ["clientId"] = "bridge-1",
        ["sessionKey"] = "agent:main:bncr:direct:" + Convert.ToHexStringLower("lab:0:u1"u8),
        ["fileName"] = "a.bin",
        ["fileSize"] = _file.Length,
        ["chunkSize"] = Chunk,
        ["totalChunks"] = Total,
        ["fileSha256"] = Convert.ToHexStringLower(SHA256.HashData(_file)),
    };

    private JsonObject Piece(int index)
    {
        var bytes = _file.AsSpan(index * Chunk, Math.Min(Chunk, _file.Length - (index * Chunk)));
        return new JsonObject
        {
            ["transferId"] = "t",
            ["clientId"] = "bridge-1",
            ["chunkIndex"] = index,
            ["chunkSha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            ["base64"] = Convert.ToBase64String(bytes),
        };
    }
}
