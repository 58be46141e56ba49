using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Tests.Unit.Link;

/// <summary>Bytes over the link: as they are where the plugin has said that it takes them so, in base64 for an older one.</summary>
public sealed class LinkFileTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Turn_WithAFile_GivesItAsThePluginTakesIt(bool binary)
    {
        await using var link = new LinkUnderTest();
        var plugin = new FakePlugin();
        var hello = LinkUnderTest.Hello();
        if (binary) hello["features"] = new JsonArray("binary", "of-the-future");
        var answer = await link.CallAsync(plugin, "link.hello", hello);
        Assert.Contains("binary", answer["features"]!.AsArray().Select(feature => (string)feature!));

        var bytes = new byte[700_000];
        new Random(7).NextBytes(bytes);
        var turn = LinkUnderTest.Turn();
        turn = turn with { Message = turn.Message with { Attachments = [new Attachment { MimeType = "image/png", FileName = "cat.png", Content = bytes }] } };
        var running = link.RunAsync(turn);
        var started = await plugin.CalledAsync("link.turn");
        await link.EventAsync(plugin, started, "done");
        await running;

        var media = started["media"]!.AsArray().Single()!;
        Assert.Equal(("image/png", "cat.png"), ((string?)media["mimeType"], (string?)media["fileName"]));
        if (!binary)
        {
            Assert.Equal(bytes, Convert.FromBase64String((string)media["content"]!));
            Assert.Empty(plugin.Contents);
            Assert.Equal((0L, bytes.LongLength), (link.Session.Traffic.Binary, link.Session.Traffic.Base64));
            return;
        }

        Assert.Null(media["content"]);
        var pieces = plugin.Calls.Where(call => call.Method == "link.media").Select(call => call.Parameters).ToList();
        Assert.Equal([0L, 512 * 1024L], pieces.Select(piece => (long)piece["offset"]!));
        Assert.All(pieces, piece => Assert.True(piece["content"] is null && (string?)piece["mediaId"] == (string?)media["mediaId"] && (string?)piece["accountId"] == "Primary"));
        Assert.Equal(bytes, plugin.Contents.SelectMany(call => call.Content));
        Assert.Equal((bytes.LongLength, 0L), (link.Session.Traffic.Binary, link.Session.Traffic.Base64));
    }

    [Fact]
    public async Task Turn_WithAFileThatThePluginRefuses_NamesItInTheText()
    {
        await using var link = new LinkUnderTest();
        var plugin = new FakePlugin();
        var hello = LinkUnderTest.Hello();
        hello["features"] = new JsonArray("binary");
        await link.CallAsync(plugin, "link.hello", hello);
        plugin.Answers["link.media"] = _ => Task.FromResult(new JsonObject { ["accepted"] = false, ["reason"] = "too large for it" });
        var turn = LinkUnderTest.Turn("look");
        turn = turn with { Message = turn.Message with { Attachments = [new Attachment { FileName = "cat.png", Content = [1, 2, 3] }] } };
        var running = link.RunAsync(turn);
        var started = await plugin.CalledAsync("link.turn");
        await link.EventAsync(plugin, started, "done");
        await running;
        Assert.Equal("look\n[file cat.png, 3 bytes: too large for it]", (string?)started["text"]);
    }
}
