namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>Several hosts share a database: what any of them accepted is answered once, in order, through whatever host the bridge is on.</summary>
public sealed class FleetTests
{
    [ServerFact]
    public async Task ThreeHosts_RepliesReachTheBridgeWhateverHostMadeThem()
    {
        await using var fleet = await Fleet.StartAsync(3);
        fleet.StartTraffic(accounts: 4, lanes: 3);
        await fleet.Ledger.WaitForTrafficAsync(300);
        await fleet.FinishAsync("calm");
        for (var host = 0; host < 3; host++) await fleet.StopHostAsync(host);
    }

    [ServerFact]
    public async Task OneOfThreeKilledAtRandomMoments_NothingIsLostOrReordered()
    {
        var random = new Random(Fleet.Seed);
        await using var fleet = await Fleet.StartAsync(3);
        fleet.StartTraffic(accounts: 6, lanes: 3);
        for (var round = 0; round < Fleet.Rounds(5); round++)
        {
            await fleet.Ledger.WaitForTrafficAsync(random.Next(1, 300));
            var victim = random.Next(3);
            await fleet.KillAsync(victim);
            await fleet.Ledger.WaitForTrafficAsync(random.Next(1, 200));
            await fleet.StartHostAsync(victim);
        }

        await fleet.FinishAsync($"seed {Fleet.Seed}");
    }

    [ServerFact]
    public async Task RollingRestart_LosesAndReordersNothing()
    {
        await using var fleet = await Fleet.StartAsync(3);
        fleet.StartTraffic(accounts: 4, lanes: 3);
        for (var round = 0; round < Fleet.Rounds(1); round++)
        {
            for (var host = 0; host < 3; host++)
            {
                await fleet.Ledger.WaitForTrafficAsync(100);
                await fleet.StopHostAsync(host);
                await fleet.Ledger.WaitForTrafficAsync(50);
                await fleet.StartHostAsync(host);
            }
        }

        await fleet.FinishAsync("rolling");
    }
}
