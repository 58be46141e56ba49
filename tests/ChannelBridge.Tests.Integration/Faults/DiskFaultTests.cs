using System.Diagnostics;
using System.Net;

namespace ChannelBridge.Tests.Integration.Faults;

/// <summary>The disk fails under the running host: nothing is acknowledged meanwhile, nothing acknowledged is lost, and it goes on by itself afterwards.</summary>
public sealed class DiskFaultTests
{
    private const int Lanes = 4;
    // Larger than the log ever gets, so that only the test fills it.
    private const string MountAndRun = "mount -t tmpfs -o size=128m,mode=700 tmpfs \"$0\" && exec \"$@\"";

    [Theory]
    [InlineData("fsync", "STORE_UNAVAILABLE")]
    [InlineData("full", "STORE_FULL")]
    public async Task DiskFails_UnderLoad_NothingIsAckedAndNothingIsLost(string fault, string code)
    {
        var faults = new FaultLibrary();
        var data = HostProcess.NewDataFolder();
        var ledger = new Ledger();
        var next = new int[Lanes];
        await using (var host = await HostProcess.StartAsync(data, environment: faults.Environment))
        {
            await RunAsync(host, ledger, next, rounds: 3, () => faults.Set(fault), () => faults.Set(""), code);
            await host.KillAsync();
        }

        // What was acknowledged is there for the next host, too.
        await using var again = await HostProcess.StartAsync(data);
        await FinishAsync(again, ledger, next);
    }

    [Fact]
    public async Task DiskFull_ARealFileSystem_RecoversWhenThereIsSpace()
    {
        var ledger = new Ledger();
        var next = new int[Lanes];
        var data = HostProcess.NewDataFolder();
        await using var host = await HostProcess.StartAsync(data, through: ["unshare", "-rm", "sh", "-c", MountAndRun, data]);
        var filler = Path.Combine(host.Files, "filler");
        await RunAsync(host, ledger, next, rounds: 2, () => Fill(filler), () => File.Delete(filler), "STORE_FULL");
        await FinishAsync(host, ledger, next);
        Assert.Equal(0, await host.StopAsync());
    }

    [Fact]
    public async Task ReadOnlyFileSystem_AtTheStart_IsSaidAndEndsWith5()
    {
        var data = HostProcess.NewDataFolder();
        await using (var host = await HostProcess.StartAsync(data)) Assert.Equal(0, await host.StopAsync());
        using var process = HostProcess.Launch(
            ["serve", "--urls", "http://127.0.0.1:0", "--data", data],
            through: ["unshare", "-rm", "sh", "-c", "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"", data]);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var errors = await process.StandardError.ReadToEndAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        Assert.True(process.ExitCode == 5, $"{process.ExitCode}: {await output}{errors}");
        Assert.Contains("error: ", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("ready", await output, StringComparison.Ordinal);
    }

    /// <summary>Load while the disk fails and works by turns. Once a lane was refused, nothing more is accepted until the disk works again.</summary>
    private static async Task RunAsync(HostProcess host, Ledger ledger, int[] next, int rounds, Action fail, Action repair, string code)
    {
        await using var bridge = new FaultyBridge(ledger, Lanes) { Next = next };
        await bridge.ConnectAsync(host);
        using var stop = new CancellationTokenSource();
        var load = bridge.LoadAsync(stop.Token);
        for (var round = 0; round < rounds; round++)
        {
            var accepted = ledger.AcceptedCount;
            await WaitAsync(load, () => ledger.AcceptedCount >= accepted + 40);
            var refusals = bridge.Refusals;
            fail();
            await WaitAsync(load, () => bridge.Refusals.Zip(refusals).All(pair => pair.First > pair.Second));
            accepted = ledger.AcceptedCount;
            await WaitAsync(load, () => bridge.Refusals.Sum() > refusals.Sum() + 60);
            Assert.Equal(accepted, ledger.AcceptedCount);
            await WaitUntilNotReadyAsync(host);
            repair();
        }

        await WaitAsync(load, () => bridge.Next.Min() > 0);
        var last = ledger.AcceptedCount;
        await WaitAsync(load, () => ledger.AcceptedCount >= last + 40);
        await stop.CancelAsync();
        await load;
        Assert.Contains(code, bridge.Codes.Keys);
        await ledger.WaitUntilAnsweredAsync();
    }

    private static async Task FinishAsync(HostProcess host, Ledger ledger, int[] next)
    {
        await using var bridge = new FaultyBridge(ledger, Lanes) { Next = next };
        await bridge.ConnectAsync(host);
        using var stop = new CancellationTokenSource();
        var accepted = ledger.AcceptedCount;
        var load = bridge.LoadAsync(stop.Token);
        await WaitAsync(load, () => ledger.AcceptedCount >= accepted + 20);
        await stop.CancelAsync();
        await load;
        await ledger.WaitUntilAnsweredAsync();
        ledger.AssertComplete(seed: 0);
    }

    private static async Task WaitUntilNotReadyAsync(HostProcess host)
    {
        using var http = new HttpClient { BaseAddress = host.Url };
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            using var response = await http.GetAsync(new Uri("/readyz", UriKind.Relative), timeout.Token);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable) return;
            await Task.Delay(50, timeout.Token);
        }
    }

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[64 * 1024];
        try
        {
            while (true) file.Write(block);
        }
        catch (IOException)
        {
            // Full: what is left is less than a block.
        }
    }

    private static async Task WaitAsync(Task load, Func<bool> condition)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            if (load.IsCompleted) await load;
            Assert.True(waited.Elapsed < HostProcess.Timeout, "it didn't come to it in time");
            await Task.Delay(5);
        }
    }
}
