using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>A host with its data folder and address, which can be killed and started again, and what its operator asks it.</summary>
internal sealed class SessionHost : IAsyncDisposable
{
    private readonly string _data = HostProcess.NewDataFolder();
    private readonly Dictionary<string, string> _settings;
    private readonly string[] _arguments;
    private ChannelBridgeClient? _client;

    private SessionHost(Dictionary<string, string> settings, string[] arguments) => (_settings, _arguments) = (settings, arguments);

    public HostProcess Process { get; private set; } = null!;

    public string Url => Process.Url.GetLeftPart(UriPartial.Authority);

    public static async Task<SessionHost> StartAsync(Dictionary<string, string>? settings = null, params string[] arguments)
    {
        var all = new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE"] = "0", ["CHANNELBRIDGE__CHANNELS__A2A__SENDSPERMINUTE"] = "60000" };
        foreach (var (name, value) in settings ?? []) all[name] = value;
        var host = new SessionHost(all, arguments);
        host.Process = await HostProcess.StartAsync(host._data, arguments, environment: all);
        return host;
    }

    public async Task<JsonObject> CallAsync(string method, JsonObject? parameters = null)
    {
        if (_client is null)
        {
            var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{Process.Socket}", Token = Process.Token });
            await client.ConnectAsync();
            _client = client;
        }

        var answer = await _client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters ?? []));
        return JsonNode.Parse(answer.Span)!.AsObject();
    }

    /// <summary>Starts a session of which a session of the gateway is told.</summary>
    public async Task<string> BeginAsync(string url, string message, string tell)
    {
        var started = await CallAsync("session.start", new JsonObject { ["agentUrl"] = url, ["message"] = message, ["origin"] = new JsonObject { ["sessionKey"] = tell } });
        Assert.True((string?)started["status"] == "running", started.ToJsonString());
        return (string)started["sessionId"]!;
    }

    public Task<JsonObject> StatusAsync(string id) => CallAsync("session.status", new JsonObject { ["sessionId"] = id });

    public async Task<JsonObject> UntilAsync(string id, string status)
    {
        // An end that isn't awaited is told at once, with its reason.
        await Wait.UntilAsync(async () => (string?)(await StatusAsync(id))["status"] is "completed" or "failed" or "canceled" or "input-required", $"the session is {status}");
        var session = await StatusAsync(id);
        Assert.True((string?)session["status"] == status, session.ToJsonString());
        return session;
    }

    /// <summary>How many notices a session of the gateway has to get.</summary>
    public async Task<int> NoticesAsync(string tell) =>
        (await CallAsync("outbox.list", new JsonObject { ["channel"] = "openclaw", ["sessionKey"] = tell }))["entries"]!.AsArray().Count;

    public async Task KillAsync()
    {
        await LeaveAsync();
        await Process.KillAsync();
    }

    /// <summary>Starts again on the same folder and port.</summary>
    public async Task StartAgainAsync()
    {
        var url = Url;
        await Process.DisposeAsync();
        Process = await HostProcess.StartAsync(_data, _arguments, url, _settings);
    }

    public async ValueTask DisposeAsync()
    {
        await LeaveAsync();
        await Process.DisposeAsync();
    }

    private async Task LeaveAsync()
    {
        if (Interlocked.Exchange(ref _client, null) is { } client) await client.DisposeAsync();
    }
}
