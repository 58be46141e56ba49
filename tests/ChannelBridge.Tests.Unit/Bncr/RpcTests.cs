using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class RpcTests
{
    [Fact]
    public async Task Call_Answered_GivesTheResult()
    {
        var bncr = new BncrUnderTest();
        var (client, _, _) = await bncr.ClientAsync(""" "accountId":"shop" """);
        var call = bncr.CallAsync(bncr.Connect("operator"), "bncr.rpc.call", """ "accountId":"SHOP","method":"platform.recall","args":{"id":[1,"2"]} """);
        var (name, request) = await client.NextAsync();
        Assert.Equal("bncr.rpc.request", name);
        Assert.Equal(["requestId", "method", "args", "ts"], request.AsObject().Select(member => member.Key));
        Assert.Equal(("platform.recall", """{"id":[1,"2"]}"""), ((string?)request["method"], request["args"]!.ToJsonString()));
        var id = (string)request["requestId"]!;

        // Nobody else can answer, not even on another connection of the same token.
        var stranger = await bncr.CallAsync(bncr.Connect(), "bncr.rpc.response", $""" "requestId":"{id}","ok":true,"result":"forged" """);
        Assert.Equal($$"""{"ok":true,"consumed":false,"requestId":"{{id}}"}""", stranger.ToJsonString());
        var answer = await bncr.CallAsync(client, "bncr.rpc.response", """ "requestId":"ID","ok":true,"result":{"done":true} """.Replace("ID", id, StringComparison.Ordinal));
        Assert.Equal($$"""{"ok":true,"consumed":true,"requestId":"{{id}}"}""", answer.ToJsonString());
        Assert.Equal(
            """{"ok":true,"accountId":"shop","requestId":"ID","method":"platform.recall","result":{"done":true}}""".Replace(
                "ID", id, StringComparison.Ordinal), (await call).ToJsonString());
        var again = await bncr.CallAsync(client, "bncr.rpc.response", $$""" "requestId":"{{id}}","ok":true,"result":{} """);
        Assert.False((bool)again["consumed"]!);
    }

    [Fact]
    public async Task Call_ClientFails_TellsItsError()
    {
        var bncr = new BncrUnderTest();
        var (client, _, _) = await bncr.ClientAsync();
        var call = bncr.CallAsync(bncr.Connect(), "bncr.rpc.call", """ "method":"m" """);
        var request = (await client.NextAsync()).Payload;
        Assert.Equal("{}", request["args"]!.ToJsonString());
        await bncr.CallAsync(client, "bncr.rpc.response", $""" "requestId":"{request["requestId"]}","ok":false,"error":"no such method" """);
        var result = await call;
        Assert.False((bool)result["ok"]!);
        Assert.Equal("no such method", (string?)result["error"]);
    }

    [Fact]
    public async Task Call_NoAnswer_TimesOutAfterFifteenSeconds()
    {
        var bncr = new BncrUnderTest();
        var (client, _, _) = await bncr.ClientAsync();
        var call = bncr.CallAsync(bncr.Connect(), "bncr.rpc.call", """ "method":"m" """);
        var request = (await client.NextAsync()).Payload;
        // The wait begins once the event is out; its timer is armed then.
        while (!call.IsCompleted)
        {
            bncr.Time.Advance(TimeSpan.FromSeconds(15));
            await Task.Yield();
        }

        var error = await Assert.ThrowsAsync<BridgeException>(() => call);
        Assert.Equal(ErrorCodes.Timeout, error.Code);
        var late = await bncr.CallAsync(client, "bncr.rpc.response", $""" "requestId":"{request["requestId"]}","ok":true """);
        Assert.False((bool)late["consumed"]!);
    }

    [Fact]
    public async Task Call_ClientLeaves_IsUnavailable()
    {
        var bncr = new BncrUnderTest();
        var (client, _, _) = await bncr.ClientAsync();
        var call = bncr.CallAsync(bncr.Connect(), "bncr.rpc.call", """ "method":"m" """);
        await client.NextAsync();
        client.Close();
        Assert.Equal(ErrorCodes.Unavailable, (await Assert.ThrowsAsync<BridgeException>(() => call)).Code);
        Assert.Equal(ErrorCodes.Unavailable, (await bncr.RefusedAsync(bncr.Connect(), "bncr.rpc.call", """ "method":"m" """)).Code);
    }

    [Fact]
    public async Task Call_ClientReadsTooSlowly_IsBusy()
    {
        var bncr = new BncrUnderTest();
        var (client, _, _) = await bncr.ClientAsync();
        client.Outcome = PushOutcome.Full;
        Assert.Equal(ErrorCodes.Busy, (await bncr.RefusedAsync(bncr.Connect(), "bncr.rpc.call", """ "method":"m" """)).Code);
    }

    [Theory]
    [InlineData("bncr.rpc.call", "")]
    [InlineData("bncr.rpc.call", """ "method":7 """)]
    [InlineData("bncr.rpc.call", """ "method":"m","timeoutMs":0 """)]
    [InlineData("bncr.rpc.call", """ "method":"m","timeoutMs":300001 """)]
    [InlineData("bncr.rpc.response", "")]
    [InlineData("bncr.rpc.response", """ "requestId":" ","ok":true """)]
    public async Task Bad_Parameters_AreRefused(string method, string members)
    {
        var bncr = new BncrUnderTest();
        await bncr.ClientAsync();
        Assert.Equal(ErrorCodes.InvalidRequest, (await bncr.RefusedAsync(bncr.Connect(), method, members)).Code);
    }
}
