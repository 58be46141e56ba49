using System.Diagnostics;
using System.Security.Cryptography;

namespace ChannelBridge.Bench;

/// <summary>Files: how fast they pass, what they cost, and what messages beside them notice.</summary>
internal sealed partial class Suite
{
    private const int SmallChunk = 256 * 1024;
    private const int LargeChunk = 1024 * 1024;
    private const double MiB = 1024 * 1024;

    private int? _fileMiB;

    private int FileMiB => _fileMiB ?? 256;

    private async Task FilesAsync()
    {
        List<double> sinkOne = [], sinkEight = [], one = [], eight = [], copy = [], binary = [];
        List<double> senderText = [], senderBinary = [], text = [], raw = [];
        List<double> idle = [], loaded = [], quiet = [], busy = [];
        var folder = Directory.CreateTempSubdirectory("cbfiles").FullName;
        var file = Path.Combine(folder, "file.bin");
        try
        {
            await MakeFileAsync(file, FileMiB);
            for (var run = 0; run < _runs; run++)
            {
                Progress($"files, run {run + 1} of {_runs}");
                await using var floor = await Subject.FileFloorAsync();
                await using var host = await Subject.HostAsync(environment: [$"CHANNELBRIDGE__STORE__FILES__ROOTS__0={folder}"]);
                await using var toFloor = await FileClient.ConnectAsync(floor);
                await using var toHost = await FileClient.ConnectAsync(host);
                await toHost.SayAsync();
                foreach (var client in (FileClient[])[toFloor, toHost]) await client.UploadAsync(SmallChunk, 128, 8, binary: false);

                sinkOne.Add(await RateAsync(toFloor, SmallChunk, 1, asBinary: false));
                one.Add(await RateAsync(toHost, SmallChunk, 1, asBinary: false));
                sinkEight.Add(await RateAsync(toFloor, SmallChunk, 8, asBinary: false));
                eight.Add(await RateAsync(toHost, SmallChunk, 8, asBinary: false));

                copy.Add(CopyRate(file));
                idle.Add(host.ResidentMiB());
                binary.Add(await RateAsync(toHost, LargeChunk, 8, asBinary: true));

                senderText.Add(await toFloor.DownloadAsync(file, binary: false) / MiB);
                text.Add(await toHost.DownloadAsync(file, binary: false) / MiB);
                senderBinary.Add(await toFloor.DownloadAsync(file, binary: true) / MiB);
                raw.Add(await toHost.DownloadAsync(file, binary: true) / MiB);
                loaded.Add(host.ResidentMiB());
                await BesideMessagesAsync(quiet, busy);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Add($"upload of {FileMiB} MiB in base64, 256 KiB, one chunk at a time, beside a sink that decodes, hashes and writes, MiB/s", sinkOne, one, "");
        Add("the same, 8 chunks at a time", sinkEight, eight, "");
        Add("upload in binary, 1 MiB, 8 at a time, beside cp + sha256sum of the same file, MiB/s", copy, binary, "");
        Add("download in base64 beside a sender of the same frames, MiB/s", senderText, text, "");
        Add("download in binary beside the same, MiB/s", senderBinary, raw, "");
        Add("resident memory, MiB, before and after these files (lower is better)", idle, loaded, "");
        Add("p99 from inbound to push at 500/s, ms, without and with files at full speed beside (lower is better)", quiet, busy, "");

        async Task<double> RateAsync(FileClient client, int chunk, int window, bool asBinary) =>
            await client.UploadAsync(chunk, (int)(FileMiB * MiB / chunk), window, asBinary) / MiB;
    }

    private async Task BesideMessagesAsync(List<double> quiet, List<double> busy)
    {
        await using var host = await Subject.HostAsync();
        await using var bridge = await BenchClient.ConnectAsync(host, bridge: true);
        await bridge.PacedAsync(500, 64, TimeSpan.FromSeconds(2), InboundTo);
        quiet.Add(Percentile(await bridge.PacedAsync(500, 64, _duration, InboundTo), 0.99) / 1000);
        await using var files = await FileClient.ConnectAsync(host, account: "files");
        using var stop = new CancellationTokenSource();
        var sending = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested) await files.UploadAsync(SmallChunk, 256, 8, binary: false);
        });
        busy.Add(Percentile(await bridge.PacedAsync(500, 64, _duration, InboundTo), 0.99) / 1000);
        await stop.CancelAsync();
        await sending;
    }

    private static async Task MakeFileAsync(string path, int mib)
    {
        var block = RandomNumberGenerator.GetBytes(LargeChunk);
        await using var stream = File.Create(path);
        for (var index = 0; index < mib; index++)
        {
            block[0] = (byte)index;
            await stream.WriteAsync(block);
        }
    }

    private static double CopyRate(string file)
    {
        var copy = file + ".copy";
        var clock = Stopwatch.StartNew();
        using (var shell = Process.Start(new ProcessStartInfo("sh", ["-c", $"cp '{file}' '{copy}' && sha256sum '{copy}'"]) { RedirectStandardOutput = true })!)
        {
            shell.WaitForExit();
        }

        var rate = new FileInfo(file).Length / clock.Elapsed.TotalSeconds / MiB;
        File.Delete(copy);
        return rate;
    }
}
