using System.Buffers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Tests.Plugins;

public sealed class EventItemTests
{
    [Theory]
    [InlineData("", null, null)]
    [InlineData("two\nlines, \"quoted\" \\ täxt 🍵", "answer", "7")]
    public void Event_IsReadAsItWasWritten(string data, string? name, string? id)
    {
        var read = EventItem.Read(Write(new ServerEvent(Encoding.UTF8.GetBytes(data), name, id)).Span);
        Assert.Equal((data, name, id), (Encoding.UTF8.GetString(read.Data.Span), read.Event, read.Id));
    }

    [Fact]
    public void DataThatIsNoText_IsToldWithMarks() =>
        Assert.Equal("a\uFFFDb", Encoding.UTF8.GetString(EventItem.Read(Write(new ServerEvent(new byte[] { 97, 255, 98 })).Span).Data.Span));

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"data\":7}")]
    [InlineData("{\"data\":\"a\",\"id\":7}")]
    [InlineData("{\"data\":\"\\ud800\"}")]
    [InlineData("{\"data\":\"a\"")]
    public void WhatIsNoEvent_IsRefused(string item) =>
        Assert.Equal(ErrorCodes.InvalidRequest, Assert.Throws<BridgeException>(() => EventItem.Read(Encoding.UTF8.GetBytes(item))).Code);

    [Fact]
    public void UnknownMembers_AreSkipped()
    {
        var read = EventItem.Read("""{"more":{"data":"x"},"data":"a\u00e4","event":null}"""u8);
        Assert.Equal(("aä", null), (Encoding.UTF8.GetString(read.Data.Span), read.Event));
    }

    [Fact]
    public async Task Starts_TakeTurns_AndATurnEndsOnce()
    {
        using var starts = new PluginStarts();
        var turns = new List<IDisposable>();
        Task<IDisposable> waiting;
        while ((waiting = starts.EnterAsync(default)).IsCompleted) turns.Add(await waiting);
        Assert.True(turns.Count >= 4);
        turns[0].Dispose();
        turns[0].Dispose();
        var next = await waiting.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(starts.EnterAsync(default).IsCompleted);
        next.Dispose();
    }

    private static ReadOnlyMemory<byte> Write(ServerEvent item)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, EventItem.Options);
        EventItem.Write(writer, item);
        return buffer.WrittenMemory;
    }
}
