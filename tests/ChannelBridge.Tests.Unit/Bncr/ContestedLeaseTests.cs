using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Bncr.Leases;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>Two clients that both believe that an account is theirs.</summary>
public sealed class ContestedLeaseTests
{
    /// <summary>Guards against a circle in which nothing is delivered: each client comes back at once when it has lost its lease.</summary>
    [Fact]
    public async Task Clients_ThatTakeTheAccountFromEachOther_AreSlowedDownAndTold()
    {
        var bncr = new BncrUnderTest();
        await bncr.ClientAsync(""" "clientId":"a" """);
        BridgeException? refusal = null;
        var taken = 0;
        for (; taken < 20 && refusal is null; taken++)
        {
            try
            {
                await bncr.ClientAsync($""" "clientId":"{(taken % 2 == 0 ? "b" : "a")}" """);
            }
            catch (BridgeException fault)
            {
                refusal = fault;
            }
        }

        Assert.InRange(taken, 4, 10);
        Assert.Equal((ErrorCodes.Busy, true, "account-contested"), (refusal!.Code, refusal.Retryable, (string?)refusal.Details!["reason"]));
        var wait = refusal.RetryAfter!.Value;
        Assert.InRange(wait, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));

        // One that keeps to the time gets it, and the next must wait longer.
        bncr.Time.Advance(wait);
        await bncr.ClientAsync(""" "clientId":"b" """);
        var next = await bncr.RefusedAsync(bncr.Connect(), "bncr.connect", """ "clientId":"a" """);
        Assert.True(next.RetryAfter > wait, $"{next.RetryAfter} after {wait}");
    }

    /// <summary>Clients that come for the first time are no circle, and any number of them within a minute is remembered in bounded room.</summary>
    [Fact]
    public void Takeovers_OfManyNewClients_AreForgottenBeyondABound()
    {
        var takeovers = new Takeovers();
        for (var i = 0; i < 1000; i++) Assert.False(takeovers.Add(1, $"client-{i}", $"client-{i - 1}"));
        Assert.Equal(0, takeovers.WaitAt(1, "client-1000"));
        Assert.Equal(0, takeovers.WaitAt(1, "client-0"));
        Assert.InRange(takeovers.Remembered, 1, 100);
    }

    /// <summary>A bad line makes a client come back often; its old connection is gone each time, and nobody takes anything from anybody.</summary>
    [Fact]
    public async Task Client_ThatReconnectsAfterEachCut_IsNeverSlowedDown()
    {
        var bncr = new BncrUnderTest();
        for (var i = 0; i < 30; i++)
        {
            var (connection, _, _) = await bncr.ClientAsync(""" "clientId":"a" """);
            connection.Close(orderly: false);
        }
    }

    [Fact]
    public async Task Quiet_ForAWhile_ForgetsTheCircle()
    {
        var bncr = new BncrUnderTest();
        for (var i = 0; i < 7; i++)
        {
            await bncr.ClientAsync($""" "clientId":"c{i}" """);
            bncr.Time.Advance(TimeSpan.FromMinutes(2));
        }
    }
}
