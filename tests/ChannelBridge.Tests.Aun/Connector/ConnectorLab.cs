using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>The connector in this process before a fake gateway, with quick reconnects. It can be stopped and begun anew over the same folder and store.</summary>
internal sealed class ConnectorLab : IAsyncDisposable
{
    public const string Aid = "bot1.example.org";

    private readonly Action<AunOptions, AunAccountOptions>? _configure;
    private ConnectorPart _part = null!;

    private ConnectorLab(FakeGateway gateway, Action<AunOptions, AunAccountOptions>? configure)
    {
        Gateway = gateway;
        _configure = configure;
        File.WriteAllText(RootPath, gateway.Pki.RootPem);
        Inbox = new RecordingInbox(Store);
    }

    public FakeGateway Gateway { get; }

    public string Folder { get; } = Scratch.NewFolder("cbaun");

    public string RootPath => Path.Combine(Folder, "root.pem");

    public string AunPath => Path.Combine(Folder, "aun");

    public MemoryStore Store { get; } = new();

    public RecordingInbox Inbox { get; }

    public PushingOutbox Outbox { get; } = new();

    public static async Task<ConnectorLab> StartAsync(Action<AunOptions, AunAccountOptions>? configure = null, Action<FakeGateway>? before = null)
    {
        var gateway = await FakeGateway.StartAsync();
        before?.Invoke(gateway);
        var lab = new ConnectorLab(gateway, configure);
        await lab.BeginAsync();
        return lab;
    }

    /// <summary>Begins, as a host does at its start.</summary>
    public async Task BeginAsync()
    {
        var options = new AunOptions();
        options.Connector.ReconnectBaseDelay = options.Connector.ReconnectAfterClose = TimeSpan.FromMilliseconds(20);
        options.Connector.ReconnectMaxDelay = TimeSpan.FromMilliseconds(100);
        var account = new AunAccountOptions { Aid = Aid, AunPath = AunPath, RootCaPath = RootPath, GatewayUrl = Gateway.Url };
        options.Accounts["main"] = account;
        _configure?.Invoke(options, account);
        _part = new ConnectorPart(
            Options.Create(options),
            new ConnectorParts(
                new WebSocketDialer(), Inbox, Outbox, Store, new SingleHost(), null, TimeProvider.System, new Random(1), NullLoggerFactory.Instance));
        await _part.StartAsync(CancellationToken.None);
    }

    public async Task StopAsync()
    {
        await _part.StopAsync(CancellationToken.None);
        _part.Dispose();
    }

    public async Task<JsonObject> CallAsync(string method, JsonObject parameters)
    {
        var found = _part.Methods.Single(one => one.Name == method);
        var output = new ArrayBufferWriter<byte>();
        await found.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), new MethodCall(new Nobody()), output, CancellationToken.None);
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    public async Task<JsonObject> StatusAsync() => (await CallAsync("aun.status", []))["accounts"]![0]!.AsObject();

    public async Task UntilAsync(Func<JsonObject, bool> condition)
    {
        var last = new JsonObject();
        try
        {
            await Wait.UntilAsync(async () => condition(last = await StatusAsync()), "the status");
        }
        catch (Xunit.Sdk.XunitException fault)
        {
            Assert.Fail($"{fault.Message}: {last}");
        }
    }

    /// <summary>Connected, and what had waited was pulled.</summary>
    public async Task ConnectedAsync()
    {
        await UntilAsync(static status => (string)status["state"]! == "connected");
        await Wait.UntilAsync(() => Gateway.Methods.Reverse().TakeWhile(static method => method != "auth.connect").Contains("message.pull"));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Gateway.DisposeAsync();
    }

    /// <summary>Accepts each key once, and commits what rides along, all or nothing, as the core does.</summary>
    internal sealed class RecordingInbox(MemoryStore store) : IInbox
    {
        private readonly ConcurrentDictionary<UInt128, Guid> _known = new();

        public ConcurrentQueue<InboundMessage> Accepted { get; } = new();

        public IEnumerable<string> Texts => Accepted.Select(one => one.Text);

        public Func<Task>? Before { get; set; }

        public async ValueTask<InboxReceipt> AcceptAsync(
            InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            if (Before is { } hook) await hook();
            if (_known.TryGetValue(dedupeKey, out var known)) return new InboxReceipt(known, true);
            if (records is { Count: > 0 }) await ((IRecords)store).WriteAsync(records, cancellationToken);
            var id = _known[dedupeKey] = Guid.NewGuid();
            Accepted.Enqueue(message);
            return new InboxReceipt(id, false);
        }
    }

    /// <summary>Pushes what it is given as soon as there is a target, and notes the acks.</summary>
    internal sealed class PushingOutbox : IOutbox
    {
        private volatile IPushTarget? _target;

        public ConcurrentQueue<OutboundMessage> Sent { get; } = new();

        public ConcurrentDictionary<Guid, Ack> Acks { get; } = new();

        public async ValueTask<OutboxReceipt> SendAsync(
            OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            Sent.Enqueue(message);
            var id = MessageIds.ForOutbox(message.Channel, message.AccountId, idempotencyKey);
            if (_target is { } target) await target.PushAsync(new PushItem(id, Sent.Count, message, 0, 1), cancellationToken);
            return new OutboxReceipt(id, false, Sent.Count);
        }

        public ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            Acks[ack.Id] = ack;
            return ValueTask.FromResult(AckResult.Acked);
        }

        public void Attach(string channel, string accountId, IPushTarget target) => _target = target;

        public void Detach(string channel, string accountId, IPushTarget target) => _target = null;

        public Backlog GetBacklog(string channel, string accountId) => default;
    }

    internal sealed class Nobody : IClientConnection
    {
        public string Id => "test";

        public Caller Caller { get; } = new("test", Scopes.All, Door.Local);

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => default;

        public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(PushOutcome.Flushed);
    }
}
