using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Host.Commands;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Tests.Unit.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Unit.Diagnostics;

/// <summary>The section <c>store</c> while the store hangs: what is known is told, what isn't is marked, and nothing looks like an empty queue.</summary>
public sealed class StoreDiagnosticsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Remove();

    [Fact]
    public async Task Collect_StoreHangs_TellsTheQueueAndMarksWhatTimedOut()
    {
        using var gate = new ManualResetEventSlim();
        var faults = new Hanging(gate);
        await using var store = new SqliteStore(
            new SqliteStoreOptions { Path = _folder.File("store.db"), Faults = faults }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        var put = new RecordPut { Namespace = "n", Key = "k", Value = new byte[] { 1 }, At = 1 };
        await store.CommitAsync(put);
        faults.Hangs = true;
        var waiting = store.CommitAsync(put).AsTask();
        await faults.Held.WaitAsync(TimeSpan.FromSeconds(30));
        var behind = Enumerable.Range(0, 3).Select(_ => store.CommitAsync(put).AsTask()).ToArray();

        var section = await new StoreDiagnostics(store, TimeProvider.System).CollectAsync(CancellationToken.None);

        Assert.True((int)section["queue"]!["commits"]! >= 3);
        Assert.True((long)section["lastCommitAt"]! > 0);
        Assert.Equal(["write"], section["timedOut"]!.AsArray().Select(part => (string)part!));
        Assert.Null(section["writable"]);
        var problem = Assert.Single(DiagnosticsView.Problems(new JsonObject { ["store"] = section }));
        Assert.True(problem.TimedOut);

        gate.Set();
        await waiting;
        await Task.WhenAll(behind);
        section = await new StoreDiagnostics(store, TimeProvider.System).CollectAsync(CancellationToken.None);
        Assert.True((bool)section["writable"]!);
        Assert.Equal(1, (long)section["space"]!["recordRows"]!);
        Assert.Empty(DiagnosticsView.Problems(new JsonObject { ["store"] = section }));
    }

    [Fact]
    public async Task Collect_StoreFails_SaysWhy()
    {
        var store = new ChannelBridge.Tests.Unit.Support.MemoryStore { Health = new StoreHealth(2, 10, 1, ErrorCodes.StoreFull, 5) };
        var section = await new StoreDiagnostics(store, TimeProvider.System).CollectAsync(CancellationToken.None);
        Assert.Equal((ErrorCodes.StoreFull, 5), ((string)section["failing"]!, (long)section["failingSince"]!));
    }

    private sealed class Hanging(ManualResetEventSlim gate) : SqliteFaults
    {
        public volatile bool Hangs;

        private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Held => _held.Task;

        public override void BeforeGroup(Action<string> execute)
        {
            if (!Hangs) return;
            _held.TrySetResult();
            gate.Wait();
        }
    }
}
