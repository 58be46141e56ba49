using System.Buffers.Binary;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Tests.Integration.Hosts;

namespace ChannelBridge.Tests.Integration;

/// <summary>Files over real connections, while hosts are killed, lines are cut and disks are full. Sizes are bounded; the soak has the large ones.</summary>
public sealed class FileTransferTests : IDisposable
{
    private const int Chunk = 256 * 1024;
    private const string Key = "agent:main:bncr:direct:6c61623a303a7531";
    private readonly string _folder = Scratch.NewFolder("cbfile");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string MakeFile(string name, int megabytes)
    {
        var path = Path.Combine(_folder, name);
        using var file = File.Create(path);
        var random = new Random(megabytes);
        var block = new byte[1 << 20];
        for (var i = 0; i < megabytes; i++)
        {
            random.NextBytes(block);
            file.Write(block);
        }

        return path;
    }

    private static string HashOf(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private static JsonObject Init(string id, byte[] file, string encoding = "base64") => new()
    {
        ["transferId"] = id,
        ["clientId"] = "bridge-1",
        ["sessionKey"] = Key,
        ["fileName"] = "f.bin",
        ["fileSize"] = file.Length,
        ["chunkSize"] = Chunk,
        ["totalChunks"] = (file.Length + Chunk - 1) / Chunk,
        ["fileSha256"] = Convert.ToHexStringLower(SHA256.HashData(file)),
        ["encoding"] = encoding,
    };

    private static JsonObject Piece(string id, byte[] file, int index)
    {
        var bytes = file.AsSpan(index * Chunk, Math.Min(Chunk, file.Length - (index * Chunk)));
        return new JsonObject
        {
            ["transferId"] = id,
            ["clientId"] = "bridge-1",
            ["chunkIndex"] = index,
            ["offset"] = index * Chunk,
            ["size"] = bytes.Length,
            ["chunkSha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            ["base64"] = Convert.ToBase64String(bytes),
        };
    }

    private static BncrBridgeOptions Bridge(string endpoint, string token, string? files = null) => new()
    {
        Connection = new ChannelBridgeClientOptions
        {
            Endpoint = endpoint,
            Token = token,
            ReconnectDelay = TimeSpan.FromMilliseconds(50),
            MaxReconnectDelay = TimeSpan.FromMilliseconds(300)
        },
        BridgeId = "bridge-1",
        FilesFolder = files,
    };

    [Fact]
    public async Task Upload_HostKilledInTheMiddle_OnlyWhatIsMissingTravelsAgain()
    {
        var data = HostProcess.NewDataFolder();
        var file = new byte[40 * Chunk];
        new Random(1).NextBytes(file);
        await using (var host = await HostProcess.StartAsync(data))
        {
            await using var client = new WireClient();
            await client.ConnectAsync(host.WebSocketUrl, host.Token);
            await client.CallAsync("bncr.file.init", Init("t", file));
            for (var i = 0; i < 20; i++) await client.CallAsync("bncr.file.chunk", Piece("t", file, i));
            // What has arrived is noted some 300 ms later at the latest; until then it may have to come again, but is never claimed.
            await Task.Delay(TimeSpan.FromSeconds(2));
            await client.CallAsync("bncr.file.chunk", Piece("t", file, 30));
            await host.KillAsync();
        }

        await using var again = await HostProcess.StartAsync(data);
        await using var next = new WireClient();
        await next.ConnectAsync(again.WebSocketUrl, again.Token);
        var status = await next.CallAsync("bncr.file.init", Init("t", file));
        var missing = status["missing"]!.AsArray().Select(index => (int)index!).ToList();
        Assert.DoesNotContain(missing, index => index < 20);
        Assert.InRange(missing.Count, 19, 20);
        foreach (var index in missing) await next.CallAsync("bncr.file.chunk", Piece("t", file, index));
        var done = await next.CallAsync("bncr.file.complete", new JsonObject { ["transferId"] = "t", ["clientId"] = "bridge-1" });
        Assert.Equal(file, await File.ReadAllBytesAsync((string)done["path"]!));
    }

    [Theory]
    [InlineData(true, 256)]
    [InlineData(false, 64)]
    public async Task Upload_LineCutAgainAndAgain_Arrives(bool binary, int megabytes)
    {
        await using var host = await HostProcess.StartAsync();
        await using var proxy = new FaultyProxy("127.0.0.1", host.Url.Port);
        // The soak asks for 4,096, and has the time for it.
        if (binary && int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_FILE_MEGABYTES"), out var asked)) megabytes = asked;
        var path = MakeFile("large.bin", megabytes);
        await using var bridge = new BncrBridgeClient(Bridge($"ws://127.0.0.1:{proxy.Port}/", host.Token));
        await bridge.StartAsync();
        var cutter = new Cutter(proxy, every: 12 << 20);
        var options = new BncrUploadOptions { SessionKey = Key, Binary = binary };
        var sent = await bridge.UploadAsync(path, options, cutter).WaitAsync(TimeSpan.FromMinutes(4 + (megabytes / 100)));
        Assert.InRange(cutter.Cuts, 3, int.MaxValue);
        Assert.Equal(HashOf(path), HashOf(sent.Path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Download_HostOrClientKilledInTheMiddle_TheFileArrivesWhole(bool killHost)
    {
        var data = HostProcess.NewDataFolder();
        var path = MakeFile("down.bin", 48);
        var environment = new Dictionary<string, string> { ["CHANNELBRIDGE__STORE__FILES__ROOTS"] = _folder, ["CHANNELBRIDGE__CHANNELS__BNCR__ALLOWUNKNOWNTARGETS"] = "true" };
        var host = await HostProcess.StartAsync(data, environment: environment);
        try
        {
            var url = host.Url.AbsoluteUri;
            await using (var operate = new WireClient())
            {
                await operate.ConnectAsync(host.WebSocketUrl, host.Token);
                await operate.CallAsync("send", new JsonObject { ["to"] = "Bncr:lab:u1", ["accountId"] = "Primary", ["message"] = "a caption", ["mediaUrl"] = path });
            }

            var inbox = Path.Combine(_folder, "inbox");
            var half = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var options = Bridge(url.Replace("http", "ws", StringComparison.Ordinal), host.Token, inbox);
            options.FileProgress = progress =>
            {
                if (progress.Bytes > progress.TotalBytes / 3) half.TrySetResult();
            };
            var bridge = new BncrBridgeClient(options);
            await bridge.StartAsync();
            await half.Task.WaitAsync(HostProcess.Timeout);
            if (killHost)
            {
                await host.KillAsync();
                host = await HostProcess.StartAsync(data, url: url, environment: environment);
            }
            else
            {
                await bridge.DisposeAsync();
                bridge = new BncrBridgeClient(Bridge(url.Replace("http", "ws", StringComparison.Ordinal), host.Token, inbox));
                await bridge.StartAsync();
            }

            using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            await foreach (var push in bridge.ReadPushesAsync(patience.Token))
            {
                Assert.Equal("a caption", push.Message.Msg);
                Assert.Equal(HashOf(path), HashOf(push.Message.Path!));
                await bridge.AckAsync(push, patience.Token);
                break;
            }

            await bridge.DisposeAsync();
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    [Fact]
    public async Task Upload_DiskFull_IsSaidAndGoesOnWhenThereIsRoom()
    {
        var data = HostProcess.NewDataFolder();
        await using var host = await HostProcess.StartAsync(
            data, through: ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=128m,mode=700 tmpfs \"$0\" && exec \"$@\"", data]);
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        var large = new byte[200 << 20];
        var refused = await client.RequestAsync("bncr.file.init", Init("large", large));
        Assert.Equal("STORE_FULL", (string)refused["error"]!["code"]!);
        var file = new byte[20 * Chunk];
        new Random(2).NextBytes(file);
        await client.CallAsync("bncr.file.init", Init("t", file));
        for (var i = 0; i < 5; i++) await client.CallAsync("bncr.file.chunk", Piece("t", file, i));
        var filler = Path.Combine(host.Files, "filler");
        await FillAsync(filler);
        var full = await client.RequestAsync("bncr.file.chunk", Piece("t", file, 5));
        Assert.False((bool)full["ok"]!);
        Assert.Equal("STORE_FULL", (string)full["error"]!["code"]!);
        File.Delete(filler);
        for (var i = 5; i < 20; i++) await client.CallAsync("bncr.file.chunk", Piece("t", file, i));
        var done = await client.CallAsync("bncr.file.complete", new JsonObject { ["transferId"] = "t", ["clientId"] = "bridge-1" });
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(file)), (string)done["fileSha256"]!);
    }

    [Fact]
    public async Task TwoThousandSmallTransfers_AtOnce_AllArrive()
    {
        await using var host = await HostProcess.StartAsync();
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        var files = Enumerable.Range(0, 2000).Select(seed => RandomNumberGenerator.GetBytes(100 + seed)).ToArray();
        await Task.WhenAll(files.Select((file, i) => client.CallAsync("bncr.file.init", Init($"s{i}", file))));
        await Task.WhenAll(files.Select((file, i) => client.CallAsync("bncr.file.chunk", Piece($"s{i}", file, 0))));
        var done = await Task.WhenAll(files.Select((_, i) => client.CallAsync("bncr.file.complete", new JsonObject { ["transferId"] = $"s{i}", ["clientId"] = "bridge-1" })));
        for (var i = 0; i < files.Length; i++) Assert.Equal(files[i], await File.ReadAllBytesAsync((string)done[i]["path"]!));
    }

    [Fact]
    public async Task Binary_OverTheListener_IsAckedByEventsAndOnlyAfterInitAgreed()
    {
        await using var host = await HostProcess.StartAsync();
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + host.Token);
        using var patience = new CancellationTokenSource(HostProcess.Timeout);
        await socket.ConnectAsync(new UriBuilder(host.WebSocketUrl) { Path = "/rpc" }.Uri, patience.Token);
        var file = new byte[(3 * Chunk) + 17];
        new Random(4).NextBytes(file);
        await SendTextAsync(socket, new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = "bncr.file.init", ["params"] = Init("plain", file) }, patience.Token);
        Assert.Equal("base64", (string)(await ReadAsync(socket, patience.Token))["result"]!["encoding"]!);
        await socket.SendAsync(BinaryPiece("plain", file, 0), WebSocketMessageType.Binary, true, patience.Token);
        var refused = await ReadAsync(socket, patience.Token);
        Assert.Equal("bncr.file.ack", (string)refused["method"]!);
        Assert.False((bool)refused["params"]!["ok"]!);

        await SendTextAsync(socket, new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 2, ["method"] = "bncr.file.init", ["params"] = Init("b", file, "binary") }, patience.Token);
        Assert.Equal("binary", (string)(await ReadAsync(socket, patience.Token))["result"]!["encoding"]!);
        foreach (var index in new[] { 3, 1, 0, 2, 1 }) await socket.SendAsync(BinaryPiece("b", file, index), WebSocketMessageType.Binary, true, patience.Token);
        // Sent right behind the chunks: it waits for them.
        await SendTextAsync(socket, new JsonObject
        {
            ["jsonrpc"] = "2.0",
            ["id"] = 3,
            ["method"] = "bncr.file.complete",
            ["params"] = new JsonObject { ["transferId"] = "b", ["clientId"] = "bridge-1" }
        }, patience.Token);
        var acks = 0;
        JsonNode? result = null;
        while (acks < 5 || result is null)
        {
            var message = await ReadAsync(socket, patience.Token);
            if ((string?)message["method"] == "bncr.file.ack")
            {
                Assert.True((bool)message["params"]!["ok"]!, message.ToJsonString());
                acks++;
            }
            else
            {
                result = message["result"] ?? throw new InvalidOperationException(message.ToJsonString());
            }
        }

        Assert.Equal(file, await File.ReadAllBytesAsync((string)result["path"]!));
    }

    [Fact]
    public async Task Binary_OverTheUnixSocket_GoesAsOctetStream()
    {
        await using var host = await HostProcess.StartAsync();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(host.Socket));
        await using var stream = new NetworkStream(socket);
        var file = new byte[Chunk + 5];
        new Random(4).NextBytes(file);
        await FrameAsync(stream,
            Encoding.UTF8.GetBytes(
            new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = "bncr.file.init", ["params"] = Init("u", file, "binary") }.ToJsonString()),
                null);
        await FrameAsync(stream, BinaryPiece("u", file, 1), "application/octet-stream");
        await FrameAsync(stream, BinaryPiece("u", file, 0), "application/octet-stream");
        await FrameAsync(stream, Encoding.UTF8.GetBytes("""{"jsonrpc":"2.0","id":2,"method":"bncr.file.complete","params":{"transferId":"u","clientId":"bridge-1"}}"""), null);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var text = new StringBuilder();
        var buffer = new char[4096];
        using var patience = new CancellationTokenSource(HostProcess.Timeout);
        while (!text.ToString().Contains("\"id\":2", StringComparison.Ordinal)) text.Append(buffer, 0, await reader.ReadAsync(buffer, patience.Token));
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(file)), text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SendFile_ReceiveFile_CarryAFileFromOneCommandToTheOther()
    {
        var environment = new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__BNCR__ALLOWUNKNOWNTARGETS"] = "true" };
        await using var host = await HostProcess.StartAsync(environment: environment);
        var path = MakeFile("report.bin", 3);
        var inbox = Path.Combine(_folder, "out");
        var receiving = HostProcess.RunAsync(["receive-file", "--data", host.Data, "--account", "shop", "--out", inbox]);
        var sent = await HostProcess.RunAsync(["send-file", path, "--data", host.Data, "--to", "Bncr:lab:u1", "--account", "shop", "--message", "here"]);
        Assert.True(sent.ExitCode == 0, sent.Errors);
        Assert.Contains(HashOf(path), sent.Output, StringComparison.Ordinal);
        var received = await receiving;
        Assert.True(received.ExitCode == 0, received.Errors);
        var arrived = received.Output.Split('\t')[0].Trim();
        Assert.Equal(HashOf(path), HashOf(arrived));
        Assert.Equal("report.bin", Path.GetFileName(arrived));
    }

    /// <summary>What can be found out before a file comes is, and a script needn't wait for ever.</summary>
    [Fact]
    public async Task SendFile_Empty_ReceiveFile_NowhereOrNothing_EndWithTheirCodes()
    {
        await using var host = await HostProcess.StartAsync();
        var empty = Path.Combine(_folder, "empty.txt");
        await File.WriteAllBytesAsync(empty, []);
        var sent = await HostProcess.RunAsync(["send-file", empty, "--data", host.Data, "--user", "alice", "--json"]);
        Assert.True(sent.ExitCode == 0, sent.Errors);
        Assert.Equal(0, (long)JsonNode.Parse(sent.Output)!["size"]!);

        var nowhere = await HostProcess.RunAsync(["receive-file", "--data", host.Data, "--out", Path.Combine(empty, "folder")]);
        Assert.Equal(2, nowhere.ExitCode);
        Assert.Contains("--out", nowhere.Errors, StringComparison.Ordinal);
        var nothing = await HostProcess.RunAsync(["receive-file", "--data", host.Data, "--out", _folder, "--timeout", "1"]);
        Assert.Equal(9, nothing.ExitCode);
    }

    [Fact]
    public async Task Client_KilledInTheMiddle_GoesOnWhereItStopped()
    {
        var environment = new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__BNCR__ALLOWUNKNOWNTARGETS"] = "true" };
        await using var host = await HostProcess.StartAsync(environment: environment);
        var path = MakeFile("large.bin", 96);
        // Small chunks, so that there is a middle to be killed in.
        string[] send = ["send-file", path, "--data", host.Data, "--to", "Bncr:lab:u1", "--account", "shop", "--window", "2", "--chunk", "16384"];
        await KillWhenAsync(send, async client =>
        {
            var status = await client.RequestAsync("diagnostics", new JsonObject());
            return status["payload"]?["transfers"]?["running"]?.AsArray().Any(transfer => (long)transfer!["bytes"]! > 8 << 20) == true;
        });
        var sent = await HostProcess.RunAsync(send);
        Assert.True(sent.ExitCode == 0, sent.Errors);

        var inbox = Path.Combine(_folder, "killed");
        string[] receive = ["receive-file", "--data", host.Data, "--account", "shop", "--out", inbox];
        await KillWhenAsync(receive, _ =>
        {
            var list = Directory.Exists(inbox) ? Directory.EnumerateFiles(inbox, "*.list", SearchOption.AllDirectories).FirstOrDefault() : null;
            return Task.FromResult(list is not null && new FileInfo(list).Length > 110);
        });
        var received = await HostProcess.RunAsync(receive);
        Assert.True(received.ExitCode == 0, received.Errors);
        Assert.Equal(HashOf(path), HashOf(received.Output.Trim()));

        async Task KillWhenAsync(string[] arguments, Func<WireClient, Task<bool>> reached)
        {
            await using var watch = new WireClient();
            await watch.ConnectAsync(host.WebSocketUrl, host.Token);
            using var process = HostProcess.Launch(arguments);
            try
            {
                using var patience = new CancellationTokenSource(HostProcess.Timeout);
                while (!await reached(watch))
                {
                    Assert.False(process.HasExited, "the command ended before it could be killed");
                    await Task.Delay(5, patience.Token);
                }
            }
            finally
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
        }
    }

    /// <summary>Cuts the line each time so many more bytes have been confirmed.</summary>
    private sealed class Cutter(FaultyProxy proxy, long every) : IProgress<BncrFileProgress>
    {
        private readonly Lock _gate = new();
        private long _next;

        public int Cuts { get; private set; }

        public void Report(BncrFileProgress value)
        {
            lock (_gate)
            {
                if (value.Bytes < _next) return;
                _next = value.Bytes + every;
                Cuts++;
            }

            proxy.Cut();
        }
    }

    private static async Task FillAsync(string path)
    {
        var block = new byte[64 * 1024];
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1);
        try
        {
            while (true) await file.WriteAsync(block);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    private static byte[] BinaryPiece(string id, byte[] file, int index)
    {
        var bytes = file.AsSpan(index * Chunk, Math.Min(Chunk, file.Length - (index * Chunk)));
        var header = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["transferId"] = id,
            ["chunkIndex"] = index,
            ["offset"] = index * Chunk,
            ["size"] = bytes.Length,
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)),
        }.ToJsonString());
        var message = new byte[4 + header.Length + bytes.Length];
        BinaryPrimitives.WriteUInt32BigEndian(message, (uint)header.Length);
        header.CopyTo(message, 4);
        bytes.CopyTo(message.AsSpan(4 + header.Length));
        return message;
    }

    private static ValueTask SendTextAsync(ClientWebSocket socket, JsonObject message, CancellationToken cancellationToken) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(message.ToJsonString()).AsMemory(), WebSocketMessageType.Text, true, cancellationToken);

    private static async Task<JsonObject> ReadAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[256 * 1024];
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
            length += part.Count;
            if (part.EndOfMessage) return JsonNode.Parse(buffer.AsSpan(0, length))!.AsObject();
        }
    }

    private static async Task FrameAsync(Stream stream, byte[] body, string? contentType)
    {
        var header = $"Content-Length: {body.Length}\r\n{(contentType is null ? "" : $"Content-Type: {contentType}\r\n")}\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(header));
        await stream.WriteAsync(body);
    }
}
