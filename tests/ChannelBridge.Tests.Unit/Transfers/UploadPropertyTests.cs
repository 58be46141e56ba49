using System.Security.Cryptography;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Tests.Unit.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Transfers;

/// <summary>Any order, duplication, loss and crash point ends in the same bytes, or in a clear error.</summary>
public sealed class UploadPropertyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Remove();

    [Fact]
    public async Task Any_way_of_arriving_gives_the_same_bytes()
    {
        for (var seed = 1; seed <= 60; seed++) await RunAsync(seed);
    }

    private async Task RunAsync(int seed)
    {
        var random = new Random(seed);
        var chunk = random.Next(1, 5000);
        var file = TransfersUnderTest.RandomBytes(seed, random.Next(0, 120_000));
        var total = (file.Length + chunk - 1) / chunk;
        var time = new ManualTime();
        var store = new MemoryStore(time);
        var id = $"t-{seed}";
        var host = new TransfersUnderTest(store, _folder.File("spool"), time);
        var client = TransfersUnderTest.Peer();
        TransferStatus? done = null;
        for (var round = 0; done is null; round++)
        {
            Assert.True(round < 50, $"seed {seed} doesn't end");
            var status = await host.Uploads.InitAsync(client, TransfersUnderTest.Request(id, file, chunk, withHash: seed % 2 == 0));
            var missing = status.Missing.SelectMany(range => Enumerable.Range(range.First, range.Last - range.First + 1)).ToArray();
            Assert.Equal(total - missing.Length, status.Received);
            random.Shuffle(missing);
            var inFlight = new List<Task>();
            foreach (var index in missing)
            {
                if (random.Next(10) == 0) continue;
                var copies = random.Next(8) == 0 ? 2 : 1;
                for (var copy = 0; copy < copies; copy++) inFlight.Add(host.Uploads.ChunkAsync(client, id, TransfersUnderTest.Piece(file, chunk, index)).AsTask());
                if (random.Next(4) == 0) await Task.WhenAll(inFlight);
                if (random.Next(6) == 0) time.Advance(TimeSpan.FromSeconds(1));
            }

            switch (random.Next(3))
            {
                case 0:
                    // A crash: what the store and the folder have is all that is left.
                    await Task.WhenAll(inFlight);
                    host = new TransfersUnderTest(store, _folder.File("spool"), time);
                    client = TransfersUnderTest.Peer();
                    break;
                case 1:
                    client = TransfersUnderTest.Peer();
                    break;
            }

            try
            {
                done = await host.Uploads.CompleteAsync(client, id, null);
            }
            catch (BridgeException fault)
            {
                Assert.Equal(ErrorCodes.Conflict, fault.Code);
                Assert.StartsWith("chunk not complete received=", fault.LegacyText, StringComparison.Ordinal);
            }
        }

        Assert.Equal(file, await File.ReadAllBytesAsync(done.Path!));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(file)), done.File!.Sha256);
        var again = await host.Uploads.CompleteAsync(client, id, null);
        Assert.Equal(done.Path, again.Path);
        host.Dispose();
    }
}
