using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>The row about endpoints that channels contribute.</summary>
internal sealed partial class Suite
{
    private const int EndpointConnections = 64;

    /// <summary>An endpoint that answers 200 and nothing, beside bare Kestrel's, over 64 connections with one request at a time each.</summary>
    private async Task EndpointAsync()
    {
        List<double> floors = [], anonymous = [], scoped = [], floorCpu = [], cpu = [], scopedCpu = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"endpoint, run {run + 1} of {_runs}");
            await MeasureAsync(host: false, EndpointServer.Path, token: null, floors, floorCpu);
            await MeasureAsync(host: true, EndpointServer.Path, token: null, anonymous, cpu);
            await MeasureAsync(host: true, EndpointServer.Path.Replace("/nothing/", "/something/", StringComparison.Ordinal), EndpointServer.Token, scoped, scopedCpu);
        }

        Add("a channel's endpoint of anybody that answers 200 and nothing, 64 connections, beside bare Kestrel", floors, anonymous,
            $"/s; {Median(cpu):0} µs of processor time for each ({Median(floorCpu):0} µs the floor)");
        Add("the same for a token's scope, beside bare Kestrel without any", floors, scoped, $"/s; {Median(scopedCpu):0} µs");
    }

    private async Task MeasureAsync(bool host, string path, string? token, List<double> rates, List<double> cpu)
    {
        await using var subject = host ? await Subject.EndpointHostAsync() : await Subject.BareEndpointAsync();
        var request = Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{subject.Url.Port}\r\n{(token is null ? "" : $"Authorization: Bearer {token}\r\n")}\r\n");
        await AskAsync(subject, request, TimeSpan.FromSeconds(2));
        var before = subject.CpuSeconds();
        var clock = Stopwatch.StartNew();
        var count = await AskAsync(subject, request, _duration);
        rates.Add(count / clock.Elapsed.TotalSeconds);
        cpu.Add((subject.CpuSeconds() - before) / count * 1e6);
    }

    private static async Task<long> AskAsync(Subject subject, byte[] request, TimeSpan duration)
    {
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, EndpointConnections).Select(_ => Task.Run(async () =>
        {
            using var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(subject.Url.Host, subject.Url.Port);
            var stream = client.GetStream();
            var buffer = new byte[4096];
            var count = 0L;
            for (; clock.Elapsed < duration; count++)
            {
                await stream.WriteAsync(request);
                await ReadAnswerAsync(stream, buffer);
            }

            return count;
        })));
        return counts.Sum();
    }

    /// <summary>Reads an answer that has no body: to the end of its headers.</summary>
    private static async Task ReadAnswerAsync(NetworkStream stream, byte[] buffer)
    {
        var length = 0;
        do
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length));
            if (read == 0) throw new InvalidOperationException("the server has closed the connection");
            length += read;
        }
        while (!buffer.AsSpan(0, length).EndsWith("\r\n\r\n"u8));

        if (!buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200 "u8)) throw new InvalidOperationException(Encoding.ASCII.GetString(buffer, 0, length));
    }
}
