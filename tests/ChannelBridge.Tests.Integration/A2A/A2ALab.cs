using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>A host with two peers, alice and bob, whose agents are echo, the conformance agent, and a model that says half of its answer and waits.</summary>
internal sealed class A2ALab : IAsyncDisposable
{
    public const string Alice = "the-token-of-the-peer-alice";
    public const string Bob = "the-token-of-the-peer-bob-00";

    private readonly Dictionary<string, string> _settings;
    private readonly string _data;

    private A2ALab(SlowModel model, IReadOnlyDictionary<string, string>? settings)
    {
        Model = model;
        _data = HostProcess.NewDataFolder();
        _settings = SettingsFor(model, settings);
    }

    public SlowModel Model { get; }

    public HostProcess Host { get; private set; } = null!;

    /// <summary>The settings of such a host.</summary>
    public static Dictionary<string, string> SettingsFor(SlowModel model, IReadOnlyDictionary<string, string>? more = null)
    {
        var settings = new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__ACCESS__TOKENS__ALICE__TOKEN"] = Alice,
            ["CHANNELBRIDGE__ACCESS__TOKENS__ALICE__SCOPES"] = "peer",
            ["CHANNELBRIDGE__ACCESS__TOKENS__BOB__TOKEN"] = Bob,
            ["CHANNELBRIDGE__ACCESS__TOKENS__BOB__SCOPES"] = "peer",
            ["CHANNELBRIDGE__AGENTS__SLOW__KIND"] = "chat-completions",
            ["CHANNELBRIDGE__AGENTS__SLOW__URL"] = model.Url + "/v1",
            ["CHANNELBRIDGE__CHANNELS__A2A__EXPOSE"] = "echo,slow,conformance",
            ["CHANNELBRIDGE__CHANNELS__A2A__SENDSPERMINUTE"] = "60000",
            ["CHANNELBRIDGE__CHANNELS__A2A__READSPERMINUTE"] = "60000",
            ["CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE"] = "0",
        };
        foreach (var (name, value) in more ?? new Dictionary<string, string>()) settings[name] = value;
        return settings;
    }

    public static async Task<A2ALab> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var lab = new A2ALab(await SlowModel.StartAsync(), settings);
        lab.Host = await HostProcess.StartAsync(lab._data, environment: lab._settings);
        return lab;
    }

    public PeerClient Peer(string token = Alice, string? version = "1.0") => new(Host.Url, token, version);

    /// <summary>kill −9, and a start on the same folder and port.</summary>
    public async Task KillAndStartAsync()
    {
        var url = Host.Url;
        await Host.KillAsync();
        await Host.DisposeAsync();
        Host = await HostProcess.StartAsync(_data, url: url.GetLeftPart(UriPartial.Authority), environment: _settings);
    }

    /// <summary>A task of the slow agent that has said its first half.</summary>
    public async Task<JsonNode> WorkingAsync(PeerClient peer, string messageId)
    {
        var sent = await peer.CallAsync("SendMessage", PeerClient.Send(messageId, "take your time", wait: false, tenant: "slow"));
        await Model.AskedAsync();
        // What the model has said is on its way to the host.
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (PeerClient.State(await peer.CallAsync("GetTask", new JsonObject { ["id"] = (string)sent["task"]!["id"]! })) != "WORKING") await Task.Delay(10, timeout.Token);
        return sent["task"]!;
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await Model.DisposeAsync();
    }
}
