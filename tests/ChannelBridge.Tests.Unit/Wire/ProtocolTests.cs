using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Protocol.Framing;
using ChannelBridge.Protocol.Json;
using ChannelBridge.Protocol.JsonRpc;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>The message formats by themselves: round trips, random splits, random damage.</summary>
public sealed class ProtocolTests
{
    [Fact]
    public void JsonRpc_WrittenRequest_ReadsBackTheSame()
    {
        var output = new ArrayBufferWriter<byte>();
        JsonRpcWriter.WriteRequest(output, 42, "a.b", """{"x":1}"""u8);
        Assert.True(JsonRpcReader.TryRead(output.WrittenMemory, JsonLimits.Default, out var message, out _));
        Assert.Equal(JsonRpcMessageKind.Request, message.Kind);
        Assert.True(message.Id.TryGetInteger(out var id));
        Assert.Equal(42, id);
        Assert.Equal("a.b", Text(message.Method));
        Assert.Equal("""{"x":1}""", Text(message.Parameters));

        output.Clear();
        JsonRpcWriter.WriteNotification(output, "ünïcode \"name\"", default);
        Assert.True(JsonRpcReader.TryRead(output.WrittenMemory, JsonLimits.Default, out message, out _));
        Assert.Equal(JsonRpcMessageKind.Notification, message.Kind);
        Assert.Equal("ünïcode \"name\"", Text(message.Method));
        Assert.Equal("{}", Text(message.Parameters));
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":null}""", JsonRpcMessageKind.Result)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{"a":[]},"error":null}""", JsonRpcMessageKind.Result)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}""", JsonRpcMessageKind.Error)]
    [InlineData("""{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"},"result":null}""", JsonRpcMessageKind.Error)]
    [InlineData("""{"params":[{}],"method":"m","id":"q","jsonrpc":"2.0","extra":true}""", JsonRpcMessageKind.Request)]
    [InlineData("""{"method":"m","jsonrpc":"2.0","params":null}""", JsonRpcMessageKind.Notification)]
    [InlineData("""{"m\u0065thod":"\u006d","jsonrpc":"2.0"}""", JsonRpcMessageKind.Notification)]
    public void JsonRpc_LegalMessages_AreRead(string text, JsonRpcMessageKind kind)
    {
        Assert.True(JsonRpcReader.TryRead(Bytes(text), JsonLimits.Default, out var message, out var error), error.Message);
        Assert.Equal(kind, message.Kind);
        if (kind is JsonRpcMessageKind.Request or JsonRpcMessageKind.Notification) Assert.Equal("m", Text(message.Method));
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1}""")]
    [InlineData("""{"jsonrpc":"2.0","result":1}""")]
    [InlineData("""{"jsonrpc":"2.0","id":{},"method":"m"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":true,"method":"m"}""")]
    [InlineData("""{"jsonrpc":2.0,"id":1,"method":"m"}""")]
    [InlineData("""{"id":1,"method":"m"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":""}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":7}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"m","params":[{},{}]}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"m","result":1}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"error":"x"}""")]
    public void JsonRpc_OtherMessages_AreInvalid(string text)
    {
        Assert.False(JsonRpcReader.TryRead(Bytes(text), JsonLimits.Default, out _, out var error));
        Assert.Equal(ProtocolFault.InvalidMessage, error.Fault);
    }

    [Fact]
    public void OpenClaw_WrittenFrames_ReadBackTheSame()
    {
        var output = new ArrayBufferWriter<byte>();
        OpenClawFrameWriter.WriteRequest(output, "i\"d", "m", """{"x":1}"""u8, "00-trace");
        Assert.True(OpenClawFrameReader.TryReadRequest(output.WrittenMemory, JsonLimits.Default, out var frame, out _));
        Assert.Equal("i\"d", JsonSerializer.Deserialize<string>(frame.Id.Span));
        Assert.Equal("m", Text(frame.Name));
        Assert.Equal("""{"x":1}""", Text(frame.Payload));
        Assert.Equal("00-trace", Text(frame.TraceParent));

        output.Clear();
        OpenClawFrameWriter.BeginResult(output, "\"a\""u8);
        output.Write("[1]"u8);
        output.Write(OpenClawFrameWriter.End);
        Assert.True(OpenClawFrameReader.TryRead(output.WrittenMemory, JsonLimits.Default, out frame, out _));
        Assert.Equal(OpenClawFrameKind.Response, frame.Kind);
        Assert.True(frame.Ok);
        Assert.Equal("[1]", Text(frame.Payload));

        output.Clear();
        OpenClawFrameWriter.WriteError(output, default, new OpenClawError("CODE", "text", new JsonObject { ["a"] = 1 }, true, 5, "old"));
        Assert.Equal(
            """{"type":"res","id":"invalid","ok":false,"payload":{"error":"old"},"error":{"code":"CODE","message":"text","details":{"a":1},"retryable":true,"retryAfterMs":5}}""",
            Text(output.WrittenMemory));

        output.Clear();
        OpenClawFrameWriter.BeginEvent(output, "e", default);
        OpenClawFrameWriter.EndEvent(output, 7);
        Assert.True(OpenClawFrameReader.TryRead(output.WrittenMemory, JsonLimits.Default, out frame, out _));
        Assert.Equal((OpenClawFrameKind.Event, 7L, "e"), (frame.Kind, frame.Seq, Text(frame.Name)));
    }

    // What the gateway 2026.9.6 itself says to these, word for word.
    [Theory]
    [InlineData("""{}""", "must have required property 'minProtocol'")]
    [InlineData("""[]""", "must be object")]
    [InlineData("""{"foo":1}""", "at root: unexpected property 'foo'", true)]
    [InlineData("""{"client":{"id":"zzz"}}""", "at /client/id: must be equal to one of the allowed values", true)]
    [InlineData("""{"client":{"mode":"zzz"}}""", "at /client/mode: must be equal to one of the allowed values", true)]
    [InlineData("""{"client":{"foo":1}}""", "at /client: unexpected property 'foo'", true)]
    [InlineData("""{"client":{"buildId":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}""",
        "at /client/buildId: must not have more than 96 characters", true)]
    [InlineData("""{"minProtocol":0}""", "at /minProtocol: must be >= 1", true)]
    [InlineData("""{"minProtocol":1.5}""", "at /minProtocol: must be integer", true)]
    [InlineData("""{"minProtocol":"4"}""", "at /minProtocol: must be integer", true)]
    [InlineData("""{"scopes":"a"}""", "at /scopes: must be array", true)]
    [InlineData("""{"scopes":[""]}""", "at /scopes/0: must not have fewer than 1 characters", true)]
    [InlineData("""{"scopes":[5]}""", "at /scopes/0: must be string", true)]
    [InlineData("""{"auth":{"token":5}}""", "at /auth/token: must be string", true)]
    [InlineData("""{"auth":{"foo":5}}""", "at /auth: unexpected property 'foo'", true)]
    [InlineData("""{"device":{"id":"x"}}""", "at /device: must have required property 'publicKey'", true)]
    [InlineData("""{"device":{"id":"x","publicKey":"a","signature":"b","signedAt":-1,"nonce":""}}""",
        "at /device/signedAt: must be >= 0; at /device/nonce: must not have fewer than 1 characters", true)]
    [InlineData("""{"permissions":{"a":1}}""", "at /permissions/a: must be boolean", true)]
    [InlineData("""{"locale":5}""", "at /locale: must be string", true)]
    [InlineData("""{"role":""}""", "at /role: must not have fewer than 1 characters", true)]
    [InlineData("""{"caps":5}""", "at /caps: must be array", true)]
    public void Connect_BadParams_AreRefusedInTheGatewaysWords(string change, string words, bool merge = false)
    {
        var parameters = merge ? Merge(GoodConnect(), JsonNode.Parse(change)!.AsObject()).ToJsonString() : change;
        Assert.False(ConnectParamsReader.TryRead(Bytes(parameters), out _, out var error));
        Assert.Equal(words, error);
    }

    [Fact]
    public void Connect_EveryField_IsRead()
    {
        var all = Merge(GoodConnect(), JsonNode.Parse("""
            {"caps":["a"],"commands":["b"],"permissions":{"p":true},"pathEnv":"","role":"operator","scopes":["operator.read"],"locale":"de","userAgent":"x",
             "computerUse":5,"workerRuns":{},"modelCatalog":{"shortId":"s"},"auth":{"token":"t","password":"","deviceToken":"d","bootstrapToken":"b","approvalRuntimeToken":"x"},
             "device":{"id":"x","publicKey":"a","signature":"b","signedAt":1,"nonce":"n"},
             "client":{"displayName":"d","buildId":"b","deviceFamily":"f","modelIdentifier":"m","timeZone":"z","instanceId":"i"}}
            """)!.AsObject());
        Assert.True(ConnectParamsReader.TryRead(Bytes(all.ToJsonString()), out var read, out var error), error);
        Assert.Equal(("t", "d", "cli", "i", 1L), (read!.Auth!.Token, read.Auth.DeviceToken, read.Client.Id, read.Client.InstanceId, read.Device!.SignedAt));
        Assert.DoesNotContain("t", read.Auth.ToString().Replace(nameof(ConnectAuth), "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id":5,""", "5")]
    [InlineData("""{"a":{"id":1},"b":["id",2],"c":"id","id" : "x\"y" ,""", "\"x\\\"y\"")]
    [InlineData("""{"type":"id","x":{"id":"no"}""", "")]
    [InlineData("""{"id":-1.5e3}""", "-1.5e3")]
    [InlineData("""{"id":01}""", "")]
    [InlineData("""{"id":{"id":1}}""", "")]
    [InlineData("""{"id":"unfinished""", "")]
    [InlineData("""[{"id":1}]""", "")]
    [InlineData("""{"i\u0064":1}""", "")]
    [InlineData("", "")]
    public void IdScanner_AnyPiece_FindsTheRootsIdOnly(string text, string id)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var size = 1; size <= Math.Max(1, bytes.Length); size++)
        {
            var scanner = new MessageIdScanner();
            foreach (var piece in bytes.Chunk(size)) scanner.Feed(piece);
            scanner.Complete();
            Assert.Equal(id, Text(scanner.Id));
        }
    }

    [Fact]
    public void Framing_RandomSplits_GiveTheSameMessages()
    {
        var random = new Random(20260901);
        for (var round = 0; round < 300; round++)
        {
            var bodies = Enumerable.Range(0, random.Next(1, 6)).Select(_ => Random(random, random.Next(0, 300))).ToArray();
            var stream = new MemoryStream();
            foreach (var body in bodies)
            {
                var header = random.Next(4) switch
                {
                    0 => $"content-length:{body.Length}\r\n\r\n",
                    1 => $"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {body.Length}\r\n\r\n",
                    2 => $"CONTENT-LENGTH: {body.Length} \nX-Other: y\n\n",
                    _ => $"Content-Length: {body.Length}\r\n\r\n",
                };
                stream.Write(Encoding.ASCII.GetBytes(header));
                stream.Write(body);
            }

            Assert.Equal(bodies, Read(Split(stream.ToArray(), random)));
        }
    }

    [Fact]
    public void Framing_WrittenHeader_ReadsBack()
    {
        Span<byte> buffer = stackalloc byte[ContentLengthHeader.MaxWrittenBytes];
        foreach (var header in new[] { new ContentLengthHeader(0, false), new ContentLengthHeader(long.MaxValue, true), new ContentLengthHeader(12, true) })
        {
            var length = header.Write(buffer);
            Assert.Equal(HeaderStatus.Complete, ContentLengthHeader.TryRead(new ReadOnlySequence<byte>(buffer[..length].ToArray()), out var read, out _, out _));
            Assert.Equal(header, read);
        }
    }

    [Fact]
    public void Readers_RandomDamage_OnlyEverRefuse()
    {
        var random = new Random(20260902);
        string[] seeds =
        [
            """{"jsonrpc":"2.0","id":1,"method":"bncr.inbound","params":{"platform":"qq","userId":"u","msg":"hällo \ud83d\ude00","list":[1,2,{"a":null}]}}""",
            """[{"jsonrpc":"2.0","id":"x","method":"m"},{"jsonrpc":"2.0","result":{},"id":2}]""",
            """{"type":"req","id":"abc","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"l","mode":"cli"},"auth":{"token":"t"}},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}""",
        ];
        var accepted = 0;
        for (var round = 0; round < 60_000; round++)
        {
            var bytes = Encoding.UTF8.GetBytes(seeds[round % seeds.Length]);
            for (var changes = random.Next(0, 4); changes > 0; changes--) bytes = Damage(bytes, random);
            if (JsonRpcReader.TryRead(bytes, JsonLimits.Default, out var message, out var error))
            {
                accepted++;
                // What was accepted is JSON for everybody else too.
                using var document = JsonDocument.Parse(bytes);
                if (!message.Parameters.IsEmpty) Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(message.Parameters).RootElement.ValueKind);
            }
            else
            {
                Assert.NotEqual(ProtocolFault.None, error.Fault);
                if (!message.Id.IsNone) using (JsonDocument.Parse(message.Id.Raw)) { }
            }

            JsonRpcReader.TryReadBatch(bytes, JsonLimits.Default, 256, out _, out _);
            if (OpenClawFrameReader.TryReadRequest(bytes, JsonLimits.Default, out var frame, out error))
            {
                accepted++;
                ConnectParamsReader.TryRead(frame.Payload, out _, out _);
            }
            else
            {
                Assert.NotEqual("", error.Message);
            }

            OpenClawFrameReader.TryRead(bytes, JsonLimits.Default, out _, out _);
            ContentLengthHeader.TryRead(new ReadOnlySequence<byte>(bytes), out _, out _, out _);
        }

        Assert.InRange(accepted, 5_000, 60_000);
    }

    [Fact]
    public void Guard_ManyMembersWithoutRepeats_AreTold_Apart()
    {
        var many = new JsonObject(Enumerable.Range(0, 3000).Select(i => KeyValuePair.Create($"k{i}", (JsonNode?)i)));
        var text = $$"""{"jsonrpc":"2.0","id":1,"method":"m","params":{{many.ToJsonString()}}}""";
        Assert.True(JsonRpcReader.TryRead(Bytes(text), JsonLimits.Default, out _, out var error), error.Message);
        Assert.False(JsonRpcReader.TryRead(Bytes(text.Replace("\"k2999\"", "\"k7\"", StringComparison.Ordinal)), JsonLimits.Default, out _, out error));
        Assert.Equal(ProtocolFault.DuplicateProperty, error.Fault);
        // The same name in two objects is no repeat.
        Assert.True(JsonRpcReader.TryRead(Bytes("""{"jsonrpc":"2.0","method":"m","params":{"a":{"x":1},"b":{"x":1,"a":{"a":1} } } }"""), JsonLimits.Default, out _, out _));
    }

    internal static byte[] Damage(byte[] bytes, Random random)
    {
        if (bytes.Length == 0) return Random(random, 3);
        var at = random.Next(bytes.Length);
        switch (random.Next(6))
        {
            case 0:
                bytes[at] = (byte)random.Next(256);
                return bytes;
            case 1:
                return [.. bytes[..at], .. bytes[(at + 1)..]];
            case 2:
                return [.. bytes[..at], (byte)"{}[]\",:\\0e-\0"[random.Next(12)], .. bytes[at..]];
            case 3:
                return bytes[..at];
            case 4:
                var to = random.Next(at, bytes.Length);
                return [.. bytes[..to], .. bytes[at..]];
            default:
                return [.. bytes[..at], .. Random(random, random.Next(1, 5)), .. bytes[at..]];
        }
    }

    private static byte[] Random(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private static JsonObject GoodConnect() => JsonNode.Parse(
        """{"minProtocol":4,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"}}""")!.AsObject();

    private static JsonObject Merge(JsonObject into, JsonObject change)
    {
        foreach (var (name, value) in change)
        {
            if (value is JsonObject inner && into[name] is JsonObject outer) Merge(outer, inner);
            else into[name] = value?.DeepClone();
        }

        return into;
    }

    private static List<byte[]> Split(byte[] bytes, Random random)
    {
        var pieces = new List<byte[]>();
        for (var at = 0; at < bytes.Length;)
        {
            var size = Math.Min(random.Next(1, 40), bytes.Length - at);
            pieces.Add(bytes[at..(at + size)]);
            at += size;
        }

        return pieces;
    }

    // As a reader of a pipe does: what has arrived so far, again and again.
    private static List<byte[]> Read(List<byte[]> pieces)
    {
        var bodies = new List<byte[]>();
        var arrived = new List<byte[]>();
        foreach (var piece in pieces)
        {
            arrived.Add(piece);
            while (true)
            {
                var sequence = Segment.Join(arrived);
                var status = ContentLengthHeader.TryRead(sequence, out var header, out var body, out var error);
                Assert.True(status != HeaderStatus.Invalid, error);
                if (status == HeaderStatus.Incomplete) break;
                var rest = sequence.Slice(body);
                if (rest.Length < header.ContentLength) break;
                bodies.Add(rest.Slice(0, header.ContentLength).ToArray());
                arrived = [rest.Slice(header.ContentLength).ToArray()];
            }
        }

        Assert.Equal(0, arrived.Sum(piece => piece.Length));
        return bodies;
    }

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public static ReadOnlySequence<byte> Join(List<byte[]> pieces)
        {
            var first = new Segment { Memory = pieces[0] };
            var last = first;
            foreach (var piece in pieces.Skip(1))
            {
                var next = new Segment { Memory = piece, RunningIndex = last.RunningIndex + last.Memory.Length };
                last.Next = next;
                last = next;
            }

            return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
    }
}
