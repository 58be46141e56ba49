using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class PushTests
{
    private static readonly Guid Id = Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e");

    [Fact]
    public async Task Push_Text_HasEveryField()
    {
        var payload = await PushAsync(message => message with { ReplyToId = "m1", Text = "héllo \"你好\"\n" });
        Assert.Equal(["type", "messageId", "idempotencyKey", "sessionKey", "replyToId", "message", "seq", "cursor", "ts"], payload.AsObject().Select(member => member.Key));
        Assert.Equal("message.outbound", (string?)payload["type"]);
        Assert.Equal(Id.ToString(), (string?)payload["messageId"]);
        Assert.Equal(Id.ToString(), (string?)payload["idempotencyKey"]);
        Assert.Equal("agent:main:bncr:direct:6c61623a303a7531", (string?)payload["sessionKey"]);
        Assert.Equal("m1", (string?)payload["replyToId"]);
        Assert.Equal(42, (long)payload["seq"]!);
        Assert.Equal(1_700_000_000_000, (long)payload["ts"]!);
        Assert.Equal(
            """{"platform":"lab","groupId":"0","userId":"u1","type":"text","kind":"final","msg":"héllo \"你好\"\n","path":"","base64":"","fileName":""}""",
            payload["message"]!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    [Fact]
    public void Push_Skipped_ExplainsTheHole()
    {
        var item = BncrUnderTest.Item(seq: 9) with { Skipped = [new SkippedMessages(5, 7, DeliveryState.Expired), new SkippedMessages(8, 8, DeliveryState.Dead)] };
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        PushRenderer.Render(buffer, item, Guid.NewGuid());
        Assert.Equal(
            """[{"from":5,"to":7,"reason":"expired"},{"from":8,"to":8,"reason":"dead"}]""", JsonNode.Parse(buffer.WrittenSpan)!["skipped"]!.ToJsonString());
    }

    [Fact]
    public async Task Push_ProactiveSend_HasNoKindAndNoReply()
    {
        var payload = await PushAsync(message => message with { Kind = null });
        Assert.Null(payload["replyToId"]);
        Assert.Null(payload["message"]!["kind"]);
    }

    [Fact]
    public async Task Push_Trace_IsCarried()
    {
        const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        Assert.Equal(Trace, (string?)(await PushAsync(message => message with { TraceParent = Trace }))["traceparent"]);
    }

    [Theory]
    [InlineData("image/png", "image")]
    [InlineData("video/mp4", "video")]
    [InlineData("audio/ogg", "audio")]
    [InlineData("application/pdf", "file")]
    public async Task Push_InlineFile_GoesAsBase64(string mimeType, string type)
    {
        var message = (await PushAsync(message => message with { Attachment = new Attachment { MimeType = mimeType, FileName = "a.b", Content = "ABC"u8.ToArray() } }))["message"]!;
        Assert.Equal((type, "QUJD", "a.b", mimeType, "base64", ""),
            ((string?)message["type"], (string?)message["base64"], (string?)message["fileName"], (string?)message["mimeType"],
                (string?)message["transferMode"], (string?)message["path"]));
    }

    [Theory]
    [InlineData("https://example.org/a.png", "https://example.org/a.png")]
    [InlineData("/home/agent/secret.png", "")]
    [InlineData("file:///home/agent/secret.png", "")]
    public async Task Push_Location_IsToldOnlyWhenItIsAUrl(string location, string path)
    {
        var message = (await PushAsync(message => message with { Attachment = new Attachment { MimeType = "image/png", Location = location } }))["message"]!;
        Assert.Equal(path, (string?)message["path"]);
        Assert.Null(message["transferMode"]);
    }

    [Theory]
    [InlineData(PushOutcome.Full)]
    [InlineData(PushOutcome.Gone)]
    public async Task Push_NotFlushed_SaysSo(PushOutcome outcome)
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync();
        connection.Outcome = outcome;
        Assert.Equal(outcome, await target.PushAsync(BncrUnderTest.Item(), CancellationToken.None));
        Assert.Null(bncr.Channel.GetAccounts().Single().LastOutboundAt);
    }

    [Fact]
    public async Task Target_TellsOfItsConnection()
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync();
        connection.LastReceivedAt = bncr.Time.GetUtcNow().AddSeconds(5);
        Assert.Equal((connection.Id, connection.LastReceivedAt, false), (target.ConnectionId, target.LastReceivedAt, target.ClosedByClient));
        connection.Close();
        Assert.True(target.ClosedByClient);
        Assert.True(target.Closed.IsCancellationRequested);
    }

    [Fact]
    public void Cursor_RoundTrips_AndRefusesOtherText()
    {
        var cursor = new PushCursor(Guid.NewGuid(), Guid.NewGuid(), long.MaxValue, 1_767_225_600_000);
        Assert.True(PushCursor.TryParse(cursor.ToString(), out var back));
        Assert.Equal(cursor, back);
        // What an earlier version handed out.
        Assert.True(PushCursor.TryParse("AQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAACAAAAAAAAAAM", out var former));
        Assert.Equal((3, 0), (former.Seq, former.AcceptedAt));
        Assert.False(PushCursor.TryParse("", out _));
        Assert.False(PushCursor.TryParse(cursor.ToString().AsSpan(1), out _));
        Assert.False(PushCursor.TryParse("B" + cursor.ToString()[1..], out _));
        Assert.False(PushCursor.TryParse(new string('A', 10_000), out _));
    }

    private static async Task<JsonNode> PushAsync(Func<OutboundMessage, OutboundMessage> with)
    {
        var bncr = new BncrUnderTest();
        var (connection, _, target) = await bncr.ClientAsync();
        Assert.Equal(PushOutcome.Flushed, await target.PushAsync(BncrUnderTest.Item(seq: 42, id: Id, with: with), CancellationToken.None));
        return (await connection.NextAsync()).Payload;
    }
}
