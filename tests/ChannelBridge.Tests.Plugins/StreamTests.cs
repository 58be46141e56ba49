using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Tests.Plugins;

public sealed class StreamTests
{
    [Fact]
    public async Task Bytes_ArriveWhole_ThoughTheyAreManyWindows()
    {
        await using var ends = new Ends();
        var content = RandomNumberGenerator.GetBytes(3 * 1024 * 1024 + 17);
        await using var writer = ends.Plugin.Streams.Open();
        var sending = Task.Run(async () =>
        {
            await writer.WriteAsync(content);
            writer.Complete();
        });
        await using var reader = ends.Host.Streams.Take(writer.Id);
        using var received = new MemoryStream();
        await reader.CopyToAsync(received);
        await sending;
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(received.ToArray()));
    }

    [Fact]
    public async Task Items_KeepTheirBounds_EmptyAndLargeOnesToo()
    {
        await using var ends = new Ends();
        byte[][] items = [[1], [], RandomNumberGenerator.GetBytes(400_000), [2, 3]];
        await using var writer = ends.Host.Streams.Open();
        var sending = Task.Run(async () =>
        {
            foreach (var item in items) await writer.WriteItemAsync(item);
            writer.Complete();
        });
        var received = new List<byte[]>();
        await using var reader = ends.Plugin.Streams.Take(writer.Id);
        await foreach (var item in reader.ReadItemsAsync()) received.Add(item.ToArray());
        await sending;
        Assert.Equal(items, received);
    }

    [Fact]
    public async Task Sender_WaitsForCredit_AndGoesOnWhenThereIsSome()
    {
        await using var ends = new Ends();
        await using var writer = ends.Plugin.Streams.Open();
        var sent = 0;
        var sending = Task.Run(async () =>
        {
            for (; sent < 40; sent++) await writer.WriteAsync(new byte[16 * 1024]);
            writer.Complete();
        });
        await using var reader = ends.Host.Streams.Take(writer.Id);
        await reader.ReadExactlyAsync(new byte[1]);
        // A call that comes back has passed all frames before it.
        await ends.ToHost.LogAsync("debug", "x", default);
        Assert.True(Volatile.Read(ref sent) <= PluginProtocol.StreamWindow / (16 * 1024) + 1);
        using var rest = new MemoryStream();
        await reader.CopyToAsync(rest);
        await sending;
        Assert.Equal((40 * 16 * 1024) - 1, rest.Length);
    }

    [Fact]
    public async Task Writer_ThatGivesUp_IsAnErrorAtTheReader_AndAReaderThatDoesAtTheWriter()
    {
        await using var ends = new Ends();
        var writer = ends.Plugin.Streams.Open();
        await using var reader = ends.Host.Streams.Take(writer.Id);
        await writer.WriteAsync(new byte[10]);
        await writer.DisposeAsync();
        await reader.ReadExactlyAsync(new byte[10]);
        var cancelled = await Assert.ThrowsAsync<BridgeException>(async () => await reader.ReadExactlyAsync(new byte[1]));
        Assert.Equal(ErrorCodes.Cancelled, cancelled.Code);

        await using var second = ends.Plugin.Streams.Open();
        await second.WriteAsync(new byte[10]);
        await ends.Host.Streams.Take(second.Id).DisposeAsync();
        var closed = await Assert.ThrowsAsync<BridgeException>(async () =>
        {
            while (true) await second.WriteAsync(new byte[1024]);
        });
        Assert.Equal(ErrorCodes.Cancelled, closed.Code);
    }

    [Fact]
    public async Task ConnectionThatEnds_EndsItsStreams()
    {
        var ends = new Ends();
        var writer = ends.Plugin.Streams.Open();
        var reader = ends.Host.Streams.Take(writer.Id);
        await writer.WriteAsync(new byte[10]);
        await reader.ReadExactlyAsync(new byte[10]);
        var reading = reader.ReadExactlyAsync(new byte[1]).AsTask();
        await ends.DisposeAsync();
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<BridgeException>(() => reading)).Code);
        await Assert.ThrowsAsync<BridgeException>(async () => await writer.WriteAsync(new byte[1]));
    }

    [Fact]
    public async Task Streams_AreBounded_AndTheirPlacesComeBack()
    {
        await using var ends = new Ends();
        var writers = Enumerable.Range(0, PluginProtocol.MaxStreams).Select(_ => ends.Plugin.Streams.Open()).ToList();
        Assert.Equal(ErrorCodes.Busy, Assert.Throws<BridgeException>(() => ends.Plugin.Streams.Open()).Code);
        // In any order, and one that nobody has opened: its end with an error is enough.
        foreach (var writer in Enumerable.Reverse(writers)) writer.Abandon(ErrorCodes.Cancelled);
        await ends.ToPlugin.CheckHealthAsync(default);
        await ends.ToHost.LogAsync("debug", "x", default);
        await ends.ToPlugin.CheckHealthAsync(default);
        await ends.Plugin.Streams.Open().DisposeAsync();
    }

    [Theory]
    [InlineData("""{"stream":1,"seq":2}""", 10)]
    [InlineData("""{"stream":1,"seq":1}""", 70_000)]
    [InlineData("""{"stream":500,"seq":1}""", 1)]
    [InlineData("""{"stream":0,"seq":1}""", 1)]
    [InlineData("""{"stream":"x","seq":1}""", 1)]
    [InlineData("""[1]""", 1)]
    public async Task FrameThatBreaksTheRules_EndsTheConnection(string header, int bytes)
    {
        var pipes = new PipePair(capacity: 1024 * 1024);
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        await new RawEnd(pipes.PluginInput, pipes.PluginOutput).SendFrameAsync(header, new byte[bytes]);
        Assert.IsType<PluginProtocolException>(await host.Ended.WaitAsync(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task SenderThatIgnoresItsCredit_EndsTheConnection()
    {
        var pipes = new PipePair(capacity: 1024 * 1024);
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        for (var seq = 1; seq <= 5; seq++)
            await raw.SendFrameAsync($$"""{"stream":1,"seq":{{seq}}}""", new byte[PluginProtocol.MaxFrameBytes]);
        Assert.IsType<PluginProtocolException>(await host.Ended.WaitAsync(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task Frames_AreWhatTheDocumentSays()
    {
        var pipes = new PipePair();
        var (host, _) = pipes.Host(new FakeHost());
        await using var _1 = host;
        var raw = new RawEnd(pipes.PluginInput, pipes.PluginOutput);
        await using var writer = host.Streams.Open();
        await writer.WriteAsync("abc"u8.ToArray());
        writer.Complete();
        Assert.Equal("""{"stream":1,"seq":1}""" + "|abc", Show(await raw.ReadBytesAsync()));
        Assert.Equal("""{"stream":1,"seq":2,"end":true}""" + "|", Show(await raw.ReadBytesAsync()));
        await raw.SendFrameAsync("""{"stream":1,"seq":1,"end":true}""", "xy"u8.ToArray());
        await using var reader = host.Streams.Take(1);
        using var text = new StreamReader(reader);
        Assert.Equal("xy", await text.ReadToEndAsync());
        Assert.Equal("""{"stream":1,"closed":true}""" + "|", Show(await raw.ReadBytesAsync()));

        static string Show(byte[] frame)
        {
            var length = (frame[0] << 24) | (frame[1] << 16) | (frame[2] << 8) | frame[3];
            return Encoding.UTF8.GetString(frame, 4, length) + "|" + Encoding.UTF8.GetString(frame, 4 + length, frame.Length - 4 - length);
        }
    }

    private sealed class Ends : IAsyncDisposable
    {
        public Ends()
        {
            var pipes = new PipePair();
            (Host, ToPlugin) = pipes.Host(new FakeHost());
            (Plugin, ToHost) = pipes.Plugin(new FakePlugin());
        }

        public PluginConnection Host { get; }

        public PluginConnection Plugin { get; }

        public IPluginProcess ToPlugin { get; }

        public IPluginHost ToHost { get; }

        public async ValueTask DisposeAsync()
        {
            await Host.DisposeAsync();
            await Plugin.DisposeAsync();
        }
    }
}
