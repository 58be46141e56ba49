using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Wire;

public sealed class LocalDoorTests
{
    [Fact]
    public async Task Socket_WithoutToken_ReadsAndWritesButIsNoAdmin()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();

        Assert.Equal("a", (string?)(await client.RpcAsync(1, "test.write", """{"text":"a"}"""))["result"]!["text"]);
        var refused = (await client.RpcAsync(2, "test.admin", """{"text":"a"}"""))["error"]!;
        Assert.Equal(-32000, (int)refused["code"]!);
        Assert.Equal("FORBIDDEN", (string?)refused["data"]!["code"]);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(host.SocketPath));
    }

    [Fact]
    public async Task Authenticate_OnTheSocket_RaisesTheScopes()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();

        var wrong = (await client.RpcAsync(1, "auth.authenticate", """{"token":"nonsense-0123456789"}"""))["error"]!;
        Assert.Equal("UNAUTHORIZED", (string?)wrong["data"]!["code"]);
        var right = (await client.RpcAsync(2, "auth.authenticate", $$"""{"token":"{{WireHost.Token}}"}"""))["result"]!;
        Assert.Equal("first", (string?)right["name"]);
        Assert.Contains("link", right["scopes"]!.AsArray().Select(scope => (string?)scope));
        Assert.NotNull((await client.RpcAsync(3, "test.admin", """{"text":"a"}"""))["result"]);
    }

    [Fact]
    public async Task Peer_CalledByAMethod_AnswersOnTheSameConnection()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();

        await client.SendAsync("""{"jsonrpc":"2.0","id":"q","method":"test.call","params":{"text":"their.method"}}""");
        var call = (await client.ReceiveAsync())!;
        Assert.Equal("their.method", (string?)call["method"]);
        Assert.Equal("their.method", (string?)call["params"]!["text"]);
        await client.SendAsync($$"""{"jsonrpc":"2.0","id":{{call["id"]!.ToJsonString()}},"result":[1,2]}""");
        Assert.Equal("[1,2]", (string?)(await client.ReceiveAsync())!["result"]!["text"]);

        await client.SendAsync("""{"jsonrpc":"2.0","id":"q","method":"test.call","params":{"text":"their.method"}}""");
        call = (await client.ReceiveAsync())!;
        await client.SendAsync(
            $$"""{"jsonrpc":"2.0","id":{{call["id"]!.ToJsonString()}},"error":{"code":-32000,"message":"no","data":{"code":"BUSY","retryable":true,"retryAfterMs":20} } }""");
        var error = (await client.ReceiveAsync())!["error"]!;
        Assert.Equal("BUSY", (string?)error["data"]!["code"]);
        Assert.Equal(20, (int)error["data"]!["retryAfterMs"]!);
    }

    [Fact]
    public async Task Peer_GoneWithACallOpen_TheCallFailsAtOnce()
    {
        await using var host = await WireHost.StartAsync(limits => limits.CloseTimeout = TimeSpan.FromSeconds(50));
        await using var client = await host.LocalAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":"q","method":"test.call","params":{"text":"their.method"}}""");
        Assert.Equal("their.method", (string?)(await client.ReceiveAsync())!["method"]);
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        var error = (await client.ReceiveAsync())!["error"]!;
        Assert.Equal("UNAVAILABLE", (string?)error["data"]!["code"]);
        Assert.True((bool)error["data"]!["retryable"]!);
    }

    [Fact]
    public async Task PeerCall_Cancelled_TellsThePeer()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":"q","method":"test.call","params":{"text":"their.method"}}""");
        var call = (await client.ReceiveAsync())!;
        await client.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"q"}}""");

        var cancel = (await client.ReceiveAsync())!;
        Assert.Equal("$/cancelRequest", (string?)cancel["method"]);
        Assert.Equal(call["id"]!.ToJsonString(), cancel["params"]!["id"]!.ToJsonString());
        Assert.Equal("CANCELLED", (string?)(await client.ReceiveAsync())!["error"]!["data"]!["code"]);
        // Its late answer is nobody's.
        await client.SendAsync($$"""{"jsonrpc":"2.0","id":{{call["id"]!.ToJsonString()}},"result":1}""");
        Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task StaleSocketFile_NobodyAnswers_IsReplaced()
    {
        var directory = Scratch.NewFolder("cb-stale-");
        var path = Path.Combine(directory, "s.sock");
        try
        {
            using (var left = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0))
            {
                left.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
                File.Move(path, path + ".kept");
            }

            File.Move(path + ".kept", path);
            await using var host = await WireHost.StartAsync(options: options => options.SocketPath = path);
            await using var client = await SocketClient.ConnectAsync(path);
            Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);

            // Whoever comes second finds it taken and leaves it alone.
            var taken = await Assert.ThrowsAsync<IOException>(() => WireHost.StartAsync(options: options => options.SocketPath = path));
            Assert.Contains("another process answers", taken.Message, StringComparison.Ordinal);
            Assert.NotNull((await client.RpcAsync(2, "ping"))["result"]);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task SocketPath_OrdinaryFileOrTooLong_RefusedWithTheReason()
    {
        var file = Path.GetTempFileName();
        var ordinary = await Assert.ThrowsAsync<IOException>(() => WireHost.StartAsync(options: options => options.SocketPath = file));
        Assert.Contains("not a Unix socket", ordinary.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(file));
        File.Delete(file);

        var tooLong = await Assert.ThrowsAsync<IOException>(() => WireHost.StartAsync(options: options => options.SocketPath = "/tmp/" + new string('x', 120)));
        Assert.Contains("107 at most", tooLong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_ThatEndsItsInput_StillGetsItsAnswers()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.LocalAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":1,"method":"test.hold","params":{"key":"late"}}""");
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        await Wait.UntilAsync(() => !host.Methods.Started.IsEmpty);
        host.Methods.Release("late");

        JsonNode? answer = await client.ReceiveAsync();
        Assert.Equal("late", (string?)answer!["result"]!["text"]);
        Assert.Null(await client.ReceiveAsync());
    }
}
