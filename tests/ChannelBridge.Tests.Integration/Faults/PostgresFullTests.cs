using System.Net;
using ChannelBridge.Tests.Integration.Hosts;

namespace ChannelBridge.Tests.Integration.Faults;

/// <summary>
/// A full disk under PostgreSQL: pages that are allocated can still be written, new ones can't. Every message was refused, and <c>/readyz</c> said ready,
/// because its test write fitted into an allocated page.
/// </summary>
public sealed class PostgresFullTests
{
    [ServerFact]
    public async Task DiskFull_NotReadyUntilThereIsRoom()
    {
        var faults = new FaultLibrary();
        faults.Set("");
        await using var server = await PostgresProcess.StartAsync(faults.EnvironmentFor("/data/base/"));
        await using var host = await HostProcess.StartAsync(
            environment: new Dictionary<string, string> { ["CHANNELBRIDGE__STORE__CONNECTION"] = server.Connection });
        using var http = new HttpClient { BaseAddress = host.Url };
        Assert.Equal(HttpStatusCode.OK, (await ReadyAsync(http)).Status);

        faults.Set("grow");
        var (_, body) = await WaitForAsync(http, HttpStatusCode.ServiceUnavailable);
        Assert.Contains("STORE_FULL", body, StringComparison.Ordinal);
        // It stays so: a probe that finds a free corner would say ready now and then.
        for (var i = 0; i < 3; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.1));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await ReadyAsync(http)).Status);
        }

        faults.Set("");
        await WaitForAsync(http, HttpStatusCode.OK);
        Assert.True(host.Errors.Split('\n').Count(line => line.Contains("can't be written", StringComparison.Ordinal)) == 1, host.Errors);
        // The log is written behind the answer.
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (!host.Errors.Contains("can be written again", StringComparison.Ordinal)) await Task.Delay(20, timeout.Token);
        Assert.DoesNotContain("   at ", host.Errors, StringComparison.Ordinal);
    }

    private static async Task<(HttpStatusCode Status, string Body)> WaitForAsync(HttpClient http, HttpStatusCode wanted)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var answer = await ReadyAsync(http);
            if (answer.Status == wanted) return answer;
            await Task.Delay(50, timeout.Token);
        }
    }

    private static async Task<(HttpStatusCode Status, string Body)> ReadyAsync(HttpClient http)
    {
        using var response = await http.GetAsync(new Uri("/readyz", UriKind.Relative));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
