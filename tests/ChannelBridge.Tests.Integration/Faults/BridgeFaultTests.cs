using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.Faults;

/// <summary>Bridges that don't do what they should, and a thousand that come back at once.</summary>
public sealed class BridgeFaultTests
{
    private static readonly Dictionary<string, string> Impatient = new()
    {
        ["CHANNELBRIDGE__CHANNELS__BNCR__DELIVERY__ACKTIMEOUT"] = "200ms",
        ["CHANNELBRIDGE__CHANNELS__BNCR__DELIVERY__BASEDELAY"] = "50ms",
        ["CHANNELBRIDGE__CHANNELS__BNCR__DELIVERY__FACTOR"] = "1",
        ["CHANNELBRIDGE__CHANNELS__BNCR__DELIVERY__MAXATTEMPTS"] = "3",
    };

    [Fact]
    public async Task NeverAcks_DeadLettersInOrder_AndTheOtherAccountsFlow()
    {
        await using var host = await HostProcess.StartAsync(environment: Impatient);
        var pushes = new ConcurrentQueue<(string Id, string Text)>();
        await using var silent = await ConnectAsync(host, "Silent", (client, payload) => pushes.Enqueue(((string)payload["messageId"]!, (string)payload["message"]!["msg"]!)));
        var answered = new ConcurrentQueue<string>();
        await using var good = await ConnectAsync(host, "Good", (client, payload) =>
        {
            _ = AckAsync(client, "Good", (string)payload["messageId"]!);
            answered.Enqueue((string)payload["message"]!["msg"]!);
        });
        for (var number = 0; number < 3; number++) await SendAsync(silent, "Silent", "user", number);
        for (var number = 0; number < 20; number++) await SendAsync(good, "Good", "user", number);
        await WaitAsync(() => answered.Count == 20);
        await WaitAsync(async () => await CountAsync(silent, "Silent", "dead") == 3);

        // Each was pushed three times, under one key, and the next only after the one before was given up.
        Assert.Equal(Enumerable.Range(0, 20).Select(number => $"echo: {number}"), answered);
        Assert.Equal([.. from number in Enumerable.Range(0, 3) from attempt in Enumerable.Range(0, 3) select $"echo: {number}"], pushes.Select(push => push.Text));
        Assert.Equal(3, pushes.Select(push => push.Id).Distinct().Count());
        var dead = (await silent.CallAsync("deadLetters.list", new JsonObject { ["accountId"] = "Silent" }))["entries"]!.AsArray();
        Assert.All(dead, entry => Assert.Equal(("push-retry-limit", 3), ((string?)entry!["reason"], (int)entry["attempts"]!)));
    }

    [Fact]
    public async Task AcksTwice_OrWhatItNeverGot_ChangesNothing()
    {
        await using var host = await HostProcess.StartAsync();
        var pushes = new ConcurrentQueue<string>();
        await using var bridge = await ConnectAsync(host, "Shop", (_, payload) => pushes.Enqueue((string)payload["messageId"]!));
        await using var other = await ConnectAsync(host, "Other", (_, _) => { });
        await SendAsync(bridge, "Shop", "user", 0);
        await SendAsync(bridge, "Shop", "user", 1);
        await WaitAsync(() => pushes.Count == 1);
        var first = pushes.First();

        // Never got: an unknown id, no id at all, another account's.
        Assert.Equal("already-acked-or-missing", (string?)(await AckAsync(bridge, "Shop", Guid.NewGuid().ToString()))["message"]);
        Assert.Equal("already-acked-or-missing", (string?)(await AckAsync(bridge, "Shop", "garbage"))["message"]);
        var foreign = await other.RequestAsync("bncr.ack", Ack("Other", first));
        Assert.False((bool)foreign["ok"]!);
        Assert.Equal("pushed", (string?)(await bridge.CallAsync("outbox.get", new JsonObject { ["messageId"] = first }))["state"]);
        Assert.Single(pushes);

        // Twice, at once and later: one counts, the message isn't pushed again, and the next comes once.
        var acks = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => AckAsync(bridge, "Shop", first)));
        Assert.Single(acks, ack => ack["message"] is null);
        await WaitAsync(() => pushes.Count == 2);
        Assert.Equal("already-acked-or-missing", (string?)(await AckAsync(bridge, "Shop", first))["message"]);
        await AckAsync(bridge, "Shop", pushes.Last());
        await WaitAsync(async () => await CountAsync(bridge, "Shop", "acked") == 2);
        Assert.Equal(2, pushes.Count);

        // Better news about an acked message is taken, worse isn't.
        Assert.Null((await AckAsync(bridge, "Shop", first, delivered: true))["message"]);
        var worse = Ack("Shop", first);
        worse["ok"] = false;
        worse["fatal"] = true;
        Assert.Equal("already-acked-or-missing", (string?)(await bridge.CallAsync("bncr.ack", worse))["message"]);
        Assert.Equal("delivered", (string?)(await bridge.CallAsync("outbox.get", new JsonObject { ["messageId"] = first }))["state"]);
    }

    [Fact]
    public async Task WindowClosed_TheMessageIsHeldOverARestart_UntilTheUserWrites()
    {
        var data = HostProcess.NewDataFolder();
        var holding = new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__BNCR__ACCOUNTS__SHOP__DELIVERY__HOLDUNTILINBOUND"] = "window-closed" };
        string id;
        await using (var host = await HostProcess.StartAsync(data, environment: holding))
        {
            var first = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var bridge = await ConnectAsync(host, "Shop", (_, payload) => first.TrySetResult((string)payload["messageId"]!));
            await SendAsync(bridge, "Shop", "user", 0);
            id = await first.Task.WaitAsync(HostProcess.Timeout);
            var refusal = Ack("Shop", id);
            refusal["ok"] = false;
            refusal["error"] = "window-closed: 24 h have passed";
            var answer = await bridge.CallAsync("bncr.ack", refusal);
            Assert.Equal((true, true), ((bool?)answer["willRetry"], (bool?)answer["held"]));
            await host.KillAsync();
        }

        await using var again = await HostProcess.StartAsync(data, environment: holding);
        var pushed = new ConcurrentQueue<string>();
        await using var back = await ConnectAsync(again, "Shop", (client, payload) =>
        {
            pushed.Enqueue((string)payload["message"]!["msg"]!);
            _ = AckAsync(client, "Shop", (string)payload["messageId"]!);
        });
        // Another conversation's answer shows that the account is being pushed to; the held message isn't among it.
        await SendAsync(back, "Shop", "other", 7);
        await WaitAsync(() => !pushed.IsEmpty);
        Assert.Equal(["echo: 7"], pushed);
        var receipt = await back.CallAsync("outbox.get", new JsonObject { ["messageId"] = id });
        Assert.Equal((true, 0), ((bool?)receipt["held"], (int)receipt["attempts"]!));
        await SendAsync(back, "Shop", "user", 1);
        await WaitAsync(() => pushed.Count == 3);
        Assert.Equal(["echo: 7", "echo: 0", "echo: 1"], pushed);
    }

    [Fact]
    public async Task AThousandBridges_ReconnectAtOnce_EachGetsItsOwnOnce()
    {
        const int Bridges = 1000;
        var data = HostProcess.NewDataFolder();
        var keys = new ConcurrentDictionary<string, string>();
        await using (var host = await HostProcess.StartAsync(data))
        {
            // They get their answers, but the host dies before any of them has acked.
            var clients = await Task.WhenAll(Enumerable.Range(0, Bridges).Select(number => ConnectAsync(
                host, $"Bridge{number}", (_, payload) => keys[$"Bridge{number}"] = (string)payload["idempotencyKey"]!)));
            await Task.WhenAll(clients.Select((client, number) => SendAsync(client, $"Bridge{number}", "user", number)));
            await WaitAsync(() => keys.Count == Bridges);
            await host.KillAsync();
            foreach (var client in clients) await client.DisposeAsync();
        }

        await using var again = await HostProcess.StartAsync(data);
        var pushes = new ConcurrentDictionary<string, ConcurrentQueue<(string Key, string Text)>>();
        var acked = 0;
        var back = await Task.WhenAll(Enumerable.Range(0, Bridges).Select(number => ConnectAsync(again, $"Bridge{number}", (client, payload) =>
        {
            pushes.GetOrAdd($"Bridge{number}", _ => new()).Enqueue(((string)payload["idempotencyKey"]!, (string)payload["message"]!["msg"]!));
            _ = AckAndCountAsync(client, number, (string)payload["messageId"]!);
        })));
        await WaitAsync(() => Volatile.Read(ref acked) == Bridges);
        for (var number = 0; number < Bridges; number++)
        {
            var push = Assert.Single(pushes[$"Bridge{number}"]);
            Assert.Equal((keys[$"Bridge{number}"], $"echo: {number}"), push);
        }

        var outbox = (await back[0].CallAsync("diagnostics", new JsonObject { ["section"] = "messaging" }))["messaging"]!["outbox"]!;
        Assert.Equal((0L, 0), ((long)outbox["pending"]!, (int)outbox["inFlight"]!));
        foreach (var client in back) await client.DisposeAsync();

        async Task AckAndCountAsync(WireClient client, int number, string id)
        {
            await AckAsync(client, $"Bridge{number}", id);
            Interlocked.Increment(ref acked);
        }
    }

    private static async Task<WireClient> ConnectAsync(HostProcess host, string account, Action<WireClient, JsonObject> onPush)
    {
        var client = new WireClient();
        client.OnEvent = (name, payload) =>
        {
            if (name == "bncr.push") onPush(client, payload);
        };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = account, ["ack"] = true });
        return client;
    }

    private static Task<JsonObject> SendAsync(WireClient client, string account, string user, int number) => client.CallAsync("bncr.inbound", new JsonObject
    {
        ["accountId"] = account,
        ["clientId"] = account,
        ["platform"] = "lab",
        ["userId"] = user,
        ["msgId"] = $"m{number}",
        ["msg"] = $"{number}",
    });

    private static JsonObject Ack(string account, string id, bool delivered = false) =>
        new() { ["accountId"] = account, ["clientId"] = account, ["messageId"] = id, ["ok"] = true, ["delivered"] = delivered };

    private static Task<JsonObject> AckAsync(WireClient client, string account, string id, bool delivered = false) => client.CallAsync("bncr.ack", Ack(account, id, delivered));

    private static async Task<int> CountAsync(WireClient client, string account, string state) =>
        (await client.CallAsync("outbox.list", new JsonObject { ["accountId"] = account, ["states"] = new JsonArray(state) }))["entries"]!.AsArray().Count;

    private static Task WaitAsync(Func<bool> condition) => WaitAsync(() => Task.FromResult(condition()));

    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (!await condition()) await Task.Delay(10, timeout.Token);
    }
}
