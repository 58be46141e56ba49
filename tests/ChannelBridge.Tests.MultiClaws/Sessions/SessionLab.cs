using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.MultiClaws;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Sessions;
using ChannelBridge.Channels.MultiClaws.Tools;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>The channel in this process, with its store in memory; it can be started anew on it.</summary>
internal sealed class SessionLab : IAsyncDisposable
{
    private SessionDesk _desk = null!;
    private AgentClients _clients = null!;
    private SessionRunner _runner = null!;

    private SessionLab(MultiClawsOptions options)
    {
        Options = options;
        Notifier = new MemoryNotifier(Records);
        Agents = new BookOfAgents();
    }

    public MultiClawsOptions Options { get; }

    public MemoryRecords Records { get; } = new();

    public MemoryNotifier Notifier { get; }

    public BookOfAgents Agents { get; }

    public MultiClawsChannel Channel { get; private set; } = null!;

    public static async Task<SessionLab> StartAsync(Action<MultiClawsOptions>? configure = null)
    {
        var options = new MultiClawsOptions();
        configure?.Invoke(options);
        var lab = new SessionLab(options);
        await lab.StartAsync();
        return lab;
    }

    /// <summary>The host stops and starts again on the same store.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    public async Task<JsonObject> CallAsync(string method, JsonObject parameters, Caller? caller = null)
    {
        var found = Channel.Methods.Single(one => one.Name == method);
        var output = new ArrayBufferWriter<byte>();
        await found.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), new MethodCall(new Somebody(caller)), output, CancellationToken.None);
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    public async Task<string> CodeAsync(string method, JsonObject parameters, Caller? caller = null) =>
        (await Assert.ThrowsAnyAsync<BridgeException>(() => CallAsync(method, parameters, caller))).Code;

    public async Task<JsonObject> ToolAsync(string tool, JsonObject arguments, string? sessionKey = null, InboundMessage? message = null)
    {
        var found = Channel.Tools.Single(one => one.Name == tool);
        var output = new ArrayBufferWriter<byte>();
        var call = new ToolCall(sessionKey, new MethodCall(new Somebody(null))) { Message = message };
        await found.RunAsync(JsonSerializer.SerializeToUtf8Bytes(arguments), call, output, CancellationToken.None);
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    /// <summary>Starts a session with a conversation that is told.</summary>
    public async Task<string> BeginAsync(string url, string message, long? timeoutMs = null)
    {
        var parameters = new JsonObject { ["agentUrl"] = url, ["message"] = message, ["origin"] = new JsonObject { ["sessionKey"] = "agent:main:main" } };
        if (timeoutMs is not null) parameters["timeoutMs"] = timeoutMs;
        var started = await CallAsync("session.start", parameters);
        Assert.Equal("running", (string?)started["status"]);
        return (string)started["sessionId"]!;
    }

    public Task<JsonObject> StatusAsync(string id) => CallAsync("session.status", new JsonObject { ["sessionId"] = id });

    public async Task<JsonObject> UntilAsync(string id, string status)
    {
        await Wait.UntilAsync(async () => (string?)(await StatusAsync(id))["status"] == status, $"the session is {status}");
        return await StatusAsync(id);
    }

    public static string Last(JsonObject session) => (string)session["messages"]!.AsArray()[^1]!["content"]!;

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task StartAsync()
    {
        var book = new SessionBook(Records);
        var notices = new SessionNotices(Options, book);
        var writer = new SessionWriter(Records, Notifier, notices, TimeProvider.System, NullLogger<SessionWriter>.Instance);
        _clients = new AgentClients(Agents, TimeProvider.System);
        _runner = new SessionRunner(Agents, _clients, book, writer, Options, TimeProvider.System, new Random(1), NullLogger<SessionRunner>.Instance);
        _desk = new SessionDesk(book, writer, _runner, Agents, new OneHost(), Options, TimeProvider.System, NullLogger<SessionDesk>.Instance);
        Channel = new MultiClawsChannel(_desk, new SessionCalls(_desk));
        await Channel.StartAsync(CancellationToken.None);
    }

    private async Task StopAsync()
    {
        await Channel.StopAsync(CancellationToken.None);
        _desk.Dispose();
        _runner.Dispose();
        _clients.Dispose();
    }

    private sealed class Somebody(Caller? caller) : IClientConnection
    {
        public string Id => "test";

        public Caller Caller { get; } = caller ?? new("test", Scopes.All, Door.Local);

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => default;

        public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(PushOutcome.Flushed);
    }

    private sealed class OneHost : IHostClaims
    {
        public IHostClaim Take(string name) => new Held(name);

        private sealed class Held(string name) : IHostClaim
        {
            public string Name => name;

            public bool IsHeld => true;

            public ValueTask<CancellationToken> HeldAsync(CancellationToken cancellationToken) => ValueTask.FromResult(CancellationToken.None);

            public ValueTask DisposeAsync() => default;
        }
    }
}

/// <summary>Agents that a test has named.</summary>
internal sealed class BookOfAgents : IAgentBook
{
    private readonly Dictionary<string, AgentEntry> _agents = [];

    public void Add(Uri url, string name = "remote")
    {
        var key = AgentUrls.Normalise(url.AbsoluteUri)!;
        lock (_agents) _agents[key] = new AgentEntry { Url = key, Name = name };
    }

    public void Remove(Uri url)
    {
        lock (_agents) _agents.Remove(AgentUrls.Normalise(url.AbsoluteUri)!);
    }

    public void OnChange(Action changed)
    {
    }

    public ValueTask<AgentEntry?> FindAsync(string url, CancellationToken cancellationToken)
    {
        lock (_agents) return ValueTask.FromResult(AgentUrls.Normalise(url) is { } key ? _agents.GetValueOrDefault(key) : null);
    }

    public ValueTask<IReadOnlyList<AgentEntry>> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<AgentEntry> AddAsync(string url, string? apiKey, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> RemoveAsync(string url, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask AuthorizeAsync(AgentEntry agent, HttpRequestMessage request, CancellationToken cancellationToken) => default;

    public bool MayConnect(AgentEntry agent, System.Net.IPAddress address) => true;
}
