namespace ChannelBridge.Bench;

/// <summary>Rows about many conversations: one that is stuck, a million that rest, all of them for a long time.</summary>
internal sealed partial class Suite
{
    private static string InboundTo(long number, int lane) =>
        $$$"""{"type":"req","id":"r{{{number}}}","method":"bncr.inbound","params":{"accountId":"Primary","clientId":"bench","platform":"lab","groupId":"0","userId":"u{{{lane}}}","msgId":"{{{Salt}}}-{{{number}}}","msg":"{{{Text}}}"}}""";

    /// <summary>The answers of 999 conversations, 16 at a time, with and without a thousandth whose answers are never acked and that is written to all the time.</summary>
    private async Task StuckAsync()
    {
        List<double> without = [], with = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"one stuck conversation, run {run + 1} of {_runs}");
            await using var subject = await Subject.HostAsync();
            await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
            await bridge.ConverseAsync(16, 1000, TimeSpan.FromSeconds(2), InboundTo);
            without.Add(Percentile((await bridge.ConverseAsync(16, 1000, _duration, InboundTo)).Latencies, 0.99) / 1000);
            with.Add(Percentile((await bridge.ConverseAsync(16, 1000, _duration, InboundTo, stuck: 0)).Latencies, 0.99) / 1000);
        }

        Add("p99 from inbound to push, ms, without and with one stuck conversation of 1,000 (lower is better)", without, with, "");
    }

    /// <summary>Resident memory with a thousand active conversations, when that is all there is and when a million are stored.</summary>
    private async Task ColdAsync()
    {
        const int Active = 1_000;
        List<double> few = [await MemoryAsync(Active)], many = [await MemoryAsync(_conversations)];
        Add($"resident memory, MiB, {Active:#,0} active conversations: {Active:#,0} stored and {_conversations:#,0} stored (lower is better)", few, many, "");

        async Task<double> MemoryAsync(int stored)
        {
            Progress($"{stored:#,0} conversations");
            string data;
            await using (var filling = await Subject.HostAsync())
            {
                await using (var bridge = await BenchClient.ConnectAsync(filling, bridge: true))
                {
                    await bridge.ConverseAsync(64, stored, TimeSpan.MaxValue, InboundTo, most: stored);
                }

                data = await filling.StopAsync();
            }

            await using var subject = await Subject.HostAsync(data);
            await using var active = await BenchClient.ConnectAsync(subject, bridge: true);
            await active.ConverseAsync(64, Active, TimeSpan.MaxValue, InboundTo, most: 20 * Active);
            return subject.ResidentMiB();
        }
    }

    /// <summary>Half of the peak for a long time: does memory grow, does the p99?</summary>
    private async Task SteadyAsync()
    {
        await using var subject = await Subject.HostAsync();
        await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
        Progress("the peak");
        await bridge.ConverseAsync(64, 1000, TimeSpan.FromSeconds(3), InboundTo);
        var peak = (await bridge.ConverseAsync(64, 1000, _duration, InboundTo)).Rate;
        List<double> p99 = [], memory = [];
        var slices = Math.Max(6, (int)(_minutes * 6));
        var slice = TimeSpan.FromMinutes(_minutes) / slices;
        for (var index = 0; index < slices; index++)
        {
            Progress($"{peak / 2:#,0} answers a second, {index + 1} of {slices}");
            p99.Add(Percentile(await bridge.PacedAsync(peak / 2, 1000, slice, InboundTo), 0.99) / 1000);
            memory.Add(subject.ResidentMiB());
        }

        var third = slices / 3;
        Add($"p99, ms, {_minutes:0.#} minutes at {peak / 2:#,0}/s: the first third and the last", p99[..third], p99[^third..], "");
        Add($"resident memory, MiB, {_minutes:0.#} minutes at {peak / 2:#,0}/s: the first third and the last", memory[..third], memory[^third..], "");
    }
}
