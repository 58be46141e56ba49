using System.Net.WebSockets;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Wire;

public sealed class JsonRpcDialectTests
{
    [Theory]
    [InlineData("/rpc", null)]
    [InlineData("/", "jsonrpc")]
    [InlineData("/any/path/at/all", "jsonrpc")]
    public async Task Rpc_PathOrSubprotocol_SpeaksJsonRpc(string path, string? subprotocol)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = new WireClient(await host.OpenAsync(path, subprotocol, bearer: WireHost.Token));

        Assert.Equal(subprotocol, client.Socket.SubProtocol);
        Assert.Equal("hi", (string?)(await client.RpcAsync(1, "test.echo", """{"text":"hi"}"""))["result"]!["text"]);
    }

    [Fact]
    public async Task Rpc_UnknownPathWithoutSubprotocol_NotFound()
    {
        await using var host = await WireHost.StartAsync();

        var fault = await Assert.ThrowsAsync<WebSocketException>(() => host.OpenAsync("/nothing/here"));
        Assert.Contains("404", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bearer_WrongToken_Refused401()
    {
        await using var host = await WireHost.StartAsync();

        var fault = await Assert.ThrowsAsync<WebSocketException>(() => host.OpenAsync("/rpc", bearer: "wrong-token-0123456789"));
        Assert.Contains("401", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Authenticate_ByMethod_OpensTheDoor()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync(bearer: null);

        var before = (await client.RpcAsync(1, "test.echo", """{"text":"x"}"""))["error"]!;
        Assert.Equal(-32000, (int)before["code"]!);
        Assert.Equal("UNAUTHORIZED", (string?)before["data"]!["code"]);
        Assert.NotNull((await client.RpcAsync(2, "ping"))["result"]);
        Assert.Equal("UNAUTHORIZED", (string?)(await client.RpcAsync(3, "auth.authenticate", """{"token":"no"}"""))["error"]!["data"]!["code"]);
        Assert.NotNull((await client.RpcAsync(4, "auth.authenticate", $$"""{"token":"{{WireHost.ReadToken}}"}"""))["result"]);
        Assert.NotNull((await client.RpcAsync(5, "test.echo", """{"text":"x"}"""))["result"]);
        Assert.Equal("FORBIDDEN", (string?)(await client.RpcAsync(6, "test.write", """{"text":"x"}"""))["error"]!["data"]!["code"]);
    }

    [Fact]
    public async Task Ids_OfEveryLegalForm_ComeBackAsTheyWere()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        foreach (var id in new[] { "0", "-7", "1.5", "1e3", "123456789012345678901234567890", "\"a\"", "\"\"", "\"\\u00e4\\\"\"", "null", "\"1\"" })
        {
            await client.SendAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"ping"}""");
            Assert.StartsWith($$"""{"jsonrpc":"2.0","id":{{id}},"result":""", await client.ReceiveTextAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"text":"a"}""")]
    [InlineData("""[{"text":"a"}]""")]
    public async Task Params_ByNameOrOneObjectByPosition_AreTheSame(string parameters)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();

        Assert.Equal("a", (string?)(await client.RpcAsync(1, "test.echo", parameters))["result"]!["text"]);
    }

    [Fact]
    public async Task Errors_ProtocolAndApplication_HaveTheirCodes()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();

        Assert.Equal(-32601, (int)(await client.RpcAsync(1, "no.such"))["error"]!["code"]!);
        var parameters = (await client.RpcAsync(2, "test.echo", """{"text":5}"""))["error"]!;
        Assert.Equal(-32602, (int)parameters["code"]!);
        Assert.Equal("INVALID_REQUEST", (string?)parameters["data"]!["code"]);
        Assert.Contains("params.text", (string?)parameters["message"], StringComparison.Ordinal);
        Assert.Equal(-32602, (int)(await client.RpcAsync(3, "test.echo", """{"text":"x","more":1}"""))["error"]!["code"]!);

        var busy = (await client.RpcAsync(4, "test.fail", """{"code":"busy"}"""))["error"]!;
        Assert.Equal(-32000, (int)busy["code"]!);
        Assert.Equal("the queue is full", (string?)busy["message"]);
        Assert.Equal("""{"code":"BUSY","retryable":true,"retryAfterMs":1500}""", busy["data"]!.ToJsonString());
        Assert.Equal("because", (string?)(await client.RpcAsync(5, "test.fail", """{"code":"details"}"""))["error"]!["data"]!["details"]!["why"]);
        Assert.Equal("the old words", (string?)(await client.RpcAsync(6, "test.legacy", """{"code":"legacy"}"""))["error"]!["data"]!["legacyText"]);

        await client.SendAsync("{nonsense");
        var parse = await client.ReceiveAsync();
        Assert.Equal(-32700, (int)parse["error"]!["code"]!);
        Assert.Null(parse["id"]);
        await client.SendAsync("""{"jsonrpc":"1.0","id":"v","method":"ping"}""");
        var version = await client.ReceiveAsync();
        Assert.Equal(-32600, (int)version["error"]!["code"]!);
        Assert.Equal("v", (string?)version["id"]);
    }

    [Fact]
    public async Task Batch_MixedItems_EachAnsweredOnce()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync(
            """[{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"one"}},{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":2,"method":"test.hold","params":{"key":"b"}},{"id":3},7]""");
        await Wait.UntilAsync(() => !host.Methods.Started.IsEmpty);
        host.Methods.Release("b");

        var answers = JsonNode.Parse(await client.ReceiveTextAsync())!.AsArray();
        Assert.Equal(4, answers.Count);
        Assert.Equal("one", (string?)answers.Single(answer => answer!["id"]?.ToJsonString() == "1")!["result"]!["text"]);
        Assert.Equal("b", (string?)answers.Single(answer => answer!["id"]?.ToJsonString() == "2")!["result"]!["text"]);
        Assert.Equal(-32600, (int)answers.Single(answer => answer!["id"]?.ToJsonString() == "3")!["error"]!["code"]!);
        Assert.Equal(-32600, (int)answers.Single(answer => answer!["id"] is null)!["error"]!["code"]!);
    }

    [Theory]
    [InlineData("[]", -32600)]
    [InlineData("[1,", -32700)]
    public async Task Batch_EmptyOrBroken_OneError(string batch, int code)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync(batch);

        Assert.Equal(code, (int)(await client.ReceiveAsync())["error"]!["code"]!);
        Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task Batch_OnlyNotifications_NoAnswer()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync("""[{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","method":"no.such"}]""");
        await client.SendAsync("""{"jsonrpc":"2.0","id":9,"method":"ping"}""");

        Assert.Equal(9, (int)(await client.ReceiveAsync())["id"]!);
    }

    [Fact]
    public async Task Cancel_RunningRequest_IsAnsweredCancelled()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":"long","method":"test.hold","params":{"key":"forever"}}""");
        await client.SendAsync("""{"jsonrpc":"2.0","id":2,"method":"ping"}""");
        Assert.Equal(2, (int)(await client.ReceiveAsync())["id"]!);
        await client.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"long"}}""");

        var answer = await client.ReceiveAsync();
        Assert.Equal("long", (string?)answer["id"]);
        Assert.Equal(-32800, (int)answer["error"]!["code"]!);
        Assert.Equal("CANCELLED", (string?)answer["error"]!["data"]!["code"]);
        Assert.Equal("forever", Assert.Single(host.Methods.Cancelled));
        // The id is free again, and cancelling what doesn't run harms nobody.
        await client.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"long"}}""");
        await client.SendAsync("""{"jsonrpc":"2.0","id":"long","method":"ping"}""");
        Assert.NotNull((await client.ReceiveAsync())["result"]);
    }

    [Fact]
    public async Task Discover_ListsMethodsWithSchemasAndScopes()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync(WireHost.ReadToken);

        var found = (await client.RpcAsync(1, "rpc.discover"))["result"]!;
        var echo = found["methods"]!.AsArray().Single(method => (string?)method!["name"] == "test.echo")!;
        Assert.Equal("operator.read", (string?)echo["scopes"]![0]);
        Assert.True((bool)echo["allowed"]!);
        Assert.NotNull(echo["params"]!["properties"]!["text"]);
        Assert.NotNull(echo["result"]!["properties"]!["connId"]);
        Assert.False((bool)found["methods"]!.AsArray().Single(method => (string?)method!["name"] == "test.write")!["allowed"]!);
        Assert.Contains("test.event", found["events"]!.AsArray().Select(name => (string?)name));
        Assert.Equal("9.9.9", (string?)found["server"]!["version"]);
    }

    [Fact]
    public async Task Events_AreNotifications()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":1,"method":"test.push","params":{"count":1,"size":3}}""");

        Assert.Equal("""{"jsonrpc":"2.0","method":"test.event","params":{"text":"xxx"}}""", await client.ReceiveTextAsync());
    }

    [Fact]
    public async Task Binary_BeforeAnyTransfer_RefusedAndServed()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync(new byte[100_000], WebSocketMessageType.Binary);

        var refused = await client.ReceiveAsync();
        Assert.Equal("INVALID_REQUEST", (string?)refused["error"]!["data"]!["code"]);
        Assert.NotNull((await client.RpcAsync(1, "ping"))["result"]);
    }

    [Fact]
    public async Task Binary_ARequestWithBytes_GoesToItsMethodAndBack()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync(Binary("""{"jsonrpc":"2.0","id":1,"method":"test.content","params":{"text":"a"}}""", [1, 2, 255]), WebSocketMessageType.Binary);
        Assert.Equal("a 0102ff", (string?)(await client.ReceiveAsync())["result"]!["text"]);

        await client.SendAsync("""{"jsonrpc":"2.0","id":2,"method":"test.give","params":{"text":"bytes"}}""");
        var buffer = new byte[4096];
        using var timeout = new CancellationTokenSource(WireHost.Timeout);
        var call = await client.Socket.ReceiveAsync(buffer, timeout.Token);
        Assert.True(call is { MessageType: WebSocketMessageType.Binary, EndOfMessage: true });
        Assert.Equal(Binary("""{"jsonrpc":"2.0","id":1,"method":"take","params":{"n":1}}""", "bytes"u8), buffer[..call.Count]);
        await client.SendAsync("""{"jsonrpc":"2.0","id":1,"result":"taken"}""");
        Assert.Equal("\"taken\"", (string?)(await client.ReceiveAsync())["result"]!["text"]);
    }

    /// <summary>A header that claims to be longer than its message, and a caller that is no link: refused, and served afterwards.</summary>
    [Fact]
    public async Task Binary_ARequestThatIsNone_RefusedAndServed()
    {
        await using var host = await WireHost.StartAsync();
        await using var link = await host.RpcAsync();
        var message = Binary("""{"jsonrpc":"2.0","id":1,"method":"test.content","params":{"text":"a"}}""", [1]);
        message[0] = 255;
        await link.SendAsync(message, WebSocketMessageType.Binary);
        Assert.Equal("INVALID_REQUEST", (string?)(await link.ReceiveAsync())["error"]!["data"]!["code"]);
        Assert.NotNull((await link.RpcAsync(2, "ping"))["result"]);

        await using var reader = await host.RpcAsync(WireHost.ReadToken);
        message[0] = 0;
        await reader.SendAsync(message, WebSocketMessageType.Binary);
        Assert.Equal("INVALID_REQUEST", (string?)(await reader.ReceiveAsync())["error"]!["data"]!["code"]);
        Assert.NotNull((await reader.RpcAsync(2, "ping"))["result"]);
    }

    private static byte[] Binary(string header, ReadOnlySpan<byte> bytes)
    {
        var message = new byte[4 + header.Length + bytes.Length];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(message, header.Length);
        System.Text.Encoding.UTF8.GetBytes(header, message.AsSpan(4));
        bytes.CopyTo(message.AsSpan(4 + header.Length));
        return message;
    }

    [Fact]
    public async Task ParseFault_IdInTheBrokenMessage_IsRecovered()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await host.RpcAsync();
        await client.SendAsync("""{"jsonrpc":"2.0","id":41,"method":"ping","params":{"a":}""");

        var answer = await client.ReceiveAsync();
        Assert.Equal(41, (int)answer["id"]!);
        Assert.Equal(-32700, (int)answer["error"]!["code"]!);
    }
}
