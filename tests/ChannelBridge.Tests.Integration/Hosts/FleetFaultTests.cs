using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>What happens between hosts and their database: a host that hangs, a server that dies, a line that is slow, deaf or cut.</summary>
public sealed class FleetFaultTests
{
    private static readonly TimeSpan ClaimTime = TimeSpan.FromSeconds(2);

    [ServerFact]
    public async Task HungHost_LosesItsClaims_AndItsOldOnesDontWriteWhenItIsBack()
    {
        await using var fleet = await Fleet.StartAsync(3, claimTime: ClaimTime);
        fleet.StartTraffic(accounts: 6, lanes: 3);
        for (var round = 0; round < Fleet.Rounds(2); round++)
        {
            await fleet.Ledger.WaitForTrafficAsync(150);
            var host = fleet.Host(round % 3);
            var before = await NumberAsync(fleet, "SELECT max(id) FROM {0}.host");
            await SignalAsync(host, "STOP");
            try
            {
                // Until the server itself counts it as gone, and others have moved on.
                await WaitAsync(async () => await NumberAsync(fleet, "SELECT count(*) FROM {0}.host WHERE expires_at > clock_timestamp()") == 2);
                await Task.Delay(ClaimTime);
            }
            finally
            {
                await SignalAsync(host, "CONT");
            }

            // It notices by itself, and comes back under another number.
            await WaitAsync(async () => await NumberAsync(fleet, "SELECT max(id) FROM {0}.host") > before);
            Assert.Contains("has lost its claims", host.Errors, StringComparison.Ordinal);
        }

        await fleet.FinishAsync("hung");
    }

    [ServerFact]
    public async Task DatabaseKilledUnderRunningHosts_NothingAckedIsLost()
    {
        await using var server = await PostgresProcess.StartAsync();
        await using var fleet = await Fleet.StartAsync(2, server.Connection, claimTime: ClaimTime);
        fleet.StartTraffic(accounts: 4, lanes: 3);
        var random = new Random(Fleet.Seed);
        for (var round = 0; round < Fleet.Rounds(2); round++)
        {
            await fleet.Ledger.WaitForTrafficAsync(random.Next(50, 300));
            await server.KillAsync();
            // Shorter than a claim in one round, longer in the next.
            await Task.Delay(round % 2 == 0 ? TimeSpan.FromMilliseconds(300) : ClaimTime * 1.5);
            await server.LaunchAsync();
        }

        await fleet.Ledger.WaitForTrafficAsync(100);
        await fleet.FinishAsync($"seed {Fleet.Seed}");
    }

    [ServerFact]
    public async Task LineToTheDatabaseSlowDeafAndCut_NothingIsLostOrReordered()
    {
        var settings = new NpgsqlConnectionStringBuilder(ServerFactAttribute.Server);
        await using var proxy = new FaultyProxy(settings.Host!, settings.Port);
        var throughProxy = new NpgsqlConnectionStringBuilder(ServerFactAttribute.Server) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString;
        await using var fleet = await Fleet.StartAsync(3, connectionOf: host => host == 0 ? throughProxy : ServerFactAttribute.Server, claimTime: ClaimTime);
        fleet.StartTraffic(accounts: 6, lanes: 3);
        for (var round = 0; round < Fleet.Rounds(1); round++)
        {
            await fleet.Ledger.WaitForTrafficAsync(100);
            proxy.Delay = TimeSpan.FromMilliseconds(30);
            await fleet.Ledger.WaitForTrafficAsync(100);
            proxy.Delay = TimeSpan.Zero;
            proxy.Cut();
            await fleet.Ledger.WaitForTrafficAsync(100);

            // Deaf for longer than a claim: the host loses everything without a word from anybody.
            proxy.Swallow = true;
            await Task.Delay(ClaimTime * 1.5);
            proxy.Swallow = false;
            proxy.Cut();
            await fleet.Ledger.WaitForTrafficAsync(100);

            proxy.Refuse = true;
            proxy.Cut();
            await fleet.Ledger.WaitForTrafficAsync(50);
            proxy.Refuse = false;
        }

        await fleet.FinishAsync("line");
    }

    private static async Task SignalAsync(HostProcess host, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", host.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    private static async Task<long> NumberAsync(Fleet fleet, string sql) =>
        Convert.ToInt64(await Sql.ScalarAsync(ServerFactAttribute.Server, sql.Replace("{0}", fleet.Schema, StringComparison.Ordinal)), CultureInfo.InvariantCulture);

    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        var deadline = DateTime.UtcNow + HostProcess.Timeout;
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "it didn't happen in time");
            await Task.Delay(50);
        }
    }
}
