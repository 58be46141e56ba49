using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>
/// Several hosts on one database, with bridges and users. Each account has a bridge on one host and users whose messages come in through another one;
/// whoever loses his host goes to the next, and sends what wasn't accepted again under its id.
/// </summary>
internal sealed class Fleet : IAsyncDisposable
{
    public const string Token = "a-token-for-all-hosts-of-a-test";

    private readonly string _connection;
    private readonly string _schema = $"f{Guid.NewGuid():N}";
    private readonly Dictionary<string, string> _environment;
    private readonly HostProcess?[] _hosts;
    private readonly string[] _data;
    private readonly List<Task> _traffic = [];
    private readonly CancellationTokenSource _quiet = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Func<int, string> _connectionOf;

    private Fleet(int hosts, string connection, Func<int, string>? connectionOf, TimeSpan claimTime, IReadOnlyDictionary<string, string>? settings)
    {
        _connection = connection;
        _connectionOf = connectionOf ?? (_ => connection);
        _hosts = new HostProcess?[hosts];
        _data = [.. Enumerable.Range(0, hosts).Select(_ => HostProcess.NewDataFolder())];
        _environment = new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__STORE__SCHEMA"] = _schema,
            ["CHANNELBRIDGE__STORE__CLAIMTIME"] = $"{claimTime.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)}ms",
            ["CHANNELBRIDGE__STORE__CLAIMLINGER"] = "500ms",
            ["CHANNELBRIDGE__STORE__COMMANDTIMEOUT"] = "5s",
            ["CHANNELBRIDGE__ACCESS__TOKEN"] = Token,
        };
        foreach (var (name, value) in settings ?? new Dictionary<string, string>()) _environment[name] = value;
    }

    /// <summary>Rounds of faults; the long run asks for more.</summary>
    public static int Rounds(int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_FLEET_ROUNDS"), out var rounds) ? rounds : usual;

    public static int Seed => int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_SEED"), out var seed) ? seed : 20261121;

    public FleetLedger Ledger { get; } = new();

    public int Count => _hosts.Length;

    public string Schema => _schema;

    public static async Task<Fleet> StartAsync(
        int hosts,
        string? connection = null,
        Func<int, string>? connectionOf = null,
        TimeSpan? claimTime = null,
        IReadOnlyDictionary<string, string>? settings = null)
    {
        var fleet = new Fleet(hosts, connection ?? ServerFactAttribute.Server, connectionOf, claimTime ?? TimeSpan.FromSeconds(2), settings);
        try
        {
            // At once: whoever comes second waits for the first one's migration.
            await Task.WhenAll(Enumerable.Range(0, hosts).Select(fleet.StartHostAsync));
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }

        return fleet;
    }

    public HostProcess Host(int index) => _hosts[index] ?? throw new InvalidOperationException($"host {index} doesn't run");

    public bool Runs(int index) => _hosts[index] is not null;

    public async Task StartHostAsync(int index) =>
        _hosts[index] = await HostProcess.StartAsync(_data[index], ["--store", _connectionOf(index)], environment: _environment);

    public async Task KillAsync(int index)
    {
        var host = Host(index);
        _hosts[index] = null;
        await host.KillAsync();
        await host.DisposeAsync();
    }

    public async Task StopHostAsync(int index)
    {
        var host = Host(index);
        _hosts[index] = null;
        var code = await host.StopAsync();
        Assert.True(code == 0, $"host {index} ended with {code}:\n{host.Errors}");
        await host.DisposeAsync();
    }

    /// <summary>Starts bridges and users: so many accounts with so many lanes each.</summary>
    public void StartTraffic(int accounts, int lanes, TimeSpan? pause = null)
    {
        for (var account = 0; account < accounts; account++)
        {
            var name = $"acc{account}";
            var first = account;
            _traffic.Add(Task.Run(() => BridgeAsync(name, first)));
            for (var lane = 0; lane < lanes; lane++)
            {
                var user = lane;
                _traffic.Add(Task.Run(() => UserAsync(name, user, first + user + 1, pause ?? TimeSpan.FromMilliseconds(10))));
            }
        }
    }

    /// <summary>No new messages; everything accepted must be answered.</summary>
    public async Task FinishAsync(string seed)
    {
        await _quiet.CancelAsync();
        await Ledger.WaitUntilAnsweredAsync(Logs);
        await _end.CancelAsync();
        await Task.WhenAll(_traffic);
        Ledger.AssertComplete(seed);
    }

    public string Logs() => string.Join("\n", _hosts.Select((host, index) => $"--- host {index}\n{Tail(host?.Errors ?? "gone", 4000)}"));

    public async ValueTask DisposeAsync()
    {
        await _quiet.CancelAsync();
        await _end.CancelAsync();
        foreach (var host in _hosts)
        {
            if (host is not null) await host.DisposeAsync();
        }

        await Task.WhenAll(_traffic).ContinueWith(_ => { }, TaskScheduler.Default);
        await Sql.TryAsync(_connection, $"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }

    private static string Tail(string text, int length) => text.Length <= length ? text : text[^length..];

    /// <summary>A bridge: on some host, until that is gone; acks what it gets.</summary>
    private async Task BridgeAsync(string account, int start)
    {
        for (var at = start; !_end.IsCancellationRequested; at++)
        {
            if (await ConnectAsync(at, account, bridge: true) is not { } client) continue;
            await using (client)
            {
                await Task.WhenAny(client.Closed, Task.Delay(Timeout.Infinite, _end.Token));
            }
        }
    }

    /// <summary>A user: 0, 1, 2 … through some host, again under the same id until it is accepted.</summary>
    private async Task UserAsync(string account, int lane, int start, TimeSpan pause)
    {
        WireClient? client = null;
        var number = 0;
        for (var at = start; !_quiet.IsCancellationRequested;)
        {
            try
            {
                client ??= await ConnectAsync(at, account, bridge: false);
                if (client is null)
                {
                    at++;
                    continue;
                }

                var text = $"{account}/{lane}/{number}";
                var result = await client.CallAsync("bncr.inbound", new JsonObject
                {
                    ["accountId"] = account,
                    ["clientId"] = "user",
                    ["platform"] = "lab",
                    ["groupId"] = "0",
                    ["userId"] = $"user{lane}",
                    ["msgId"] = text,
                    ["msg"] = text,
                });
                if ((bool?)result["accepted"] != true) throw new InvalidOperationException(result.ToJsonString());
                Ledger.Accepted(text);
                number++;
                if (pause > TimeSpan.Zero) await Task.Delay(pause);
            }
            catch (Exception fault) when (IsTrouble(fault))
            {
                // The same message again, elsewhere.
                if (client is not null) await client.DisposeAsync();
                client = null;
                at++;
                await Task.Delay(20);
            }
        }

        // Stays as long as somebody may push to it: it has no lease, but it may be the only client of its account.
        if (client is not null)
        {
            await Task.WhenAny(client.Closed, Task.Delay(Timeout.Infinite, _end.Token));
            await client.DisposeAsync();
        }
    }

    private async Task<WireClient?> ConnectAsync(int at, string account, bool bridge)
    {
        var client = new WireClient();
        client.OnEvent = (name, payload) =>
        {
            if (!name.EndsWith("bncr.push", StringComparison.Ordinal)) return;
            Ledger.Push(payload);
            _ = AckAsync(client, account, (string)payload["messageId"]!);
        };
        try
        {
            if (_hosts[at % Count] is not { } host) throw new InvalidOperationException("not running");
            await client.ConnectAsync(host.WebSocketUrl, Token);
            if (bridge) await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = "bridge", ["ack"] = true });
            return client;
        }
        catch (Exception fault) when (IsTrouble(fault))
        {
            await client.DisposeAsync();
            await Task.Delay(20);
            return null;
        }
    }

    private static async Task AckAsync(WireClient client, string account, string messageId)
    {
        try
        {
            await client.CallAsync("bncr.ack", new JsonObject { ["accountId"] = account, ["messageId"] = messageId, ["ok"] = true });
        }
        catch (Exception fault) when (IsTrouble(fault))
        {
            // Not confirmed: it comes again.
        }
    }

    private static bool IsTrouble(Exception fault) => fault is WebSocketException or InvalidOperationException or OperationCanceledException or IOException
        or ObjectDisposedException or TimeoutException or HttpRequestException;
}
