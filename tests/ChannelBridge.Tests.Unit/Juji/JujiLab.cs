using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Juji;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>The channel in this process before a fake community, with quick reconnects.</summary>
internal sealed class JujiLab : IAsyncDisposable
{
    private readonly CancellationTokenSource _late = new();
    private JujiChannel _channel = null!;

    private JujiLab(FakeCommunity community) => Community = community;

    public FakeCommunity Community { get; }

    public string Folder { get; } = Scratch.NewFolder("cbjuji");

    public string EnvFile => Path.Combine(Folder, "agent.env");

    public FakeInbox Inbox { get; } = new();

    public FakeOutbox Outbox { get; } = new();

    public FakeNotifier Notifier { get; } = new();

    public MemoryStore Store { get; } = new();

    public JujiChannel Channel => _channel;

    public static async Task<JujiLab> StartAsync(Action<JujiOptions, JujiAccountOptions>? configure = null, Action<FakeCommunity>? before = null, ILoggerFactory? loggers = null)
    {
        var lab = new JujiLab(await FakeCommunity.StartAsync());
        before?.Invoke(lab.Community);
        var account = new JujiAccountOptions { BaseUrl = lab.Community.BaseUrl, EnvFile = lab.EnvFile, Name = "Tester" };
        var options = new JujiOptions
        {
            ReconnectBaseDelay = TimeSpan.FromMilliseconds(20),
            ReconnectMaxDelay = TimeSpan.FromMilliseconds(100),
            Heartbeat = TimeSpan.Zero,
        };
        options.Accounts["main"] = account;
        configure?.Invoke(options, account);
        lab._channel = new JujiChannel(
            Options.Create(options), new WebSocketDialer(), lab.Inbox, lab.Outbox, lab.Notifier, lab.Store, new SingleHost(), TimeProvider.System, new Random(1),
                loggers ?? NullLoggerFactory.Instance);
        await lab._channel.StartAsync(CancellationToken.None);
        return lab;
    }

    public async Task<JsonObject> CallAsync(string method, JsonObject parameters)
    {
        var found = _channel.Methods.Single(one => one.Name == method);
        var output = new ArrayBufferWriter<byte>();
        await found.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), new MethodCall(new Nobody()), output, _late.Token);
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    public async Task<JsonObject> ToolAsync(string tool, JsonObject arguments)
    {
        var found = _channel.Tools.Single(one => one.Name == tool);
        var output = new ArrayBufferWriter<byte>();
        await found.RunAsync(JsonSerializer.SerializeToUtf8Bytes(arguments), new ToolCall(null, new MethodCall(new Nobody())), output, _late.Token);
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    public async Task<JsonObject> StatusAsync() => (await CallAsync("juji.status", []))["accounts"]![0]!.AsObject();

    public Task UntilAsync(Func<JsonObject, bool> condition) => Wait.UntilAsync(async () => condition(await StatusAsync()), "the status");

    public async ValueTask DisposeAsync()
    {
        await _late.CancelAsync();
        await _channel.StopAsync(CancellationToken.None);
        _channel.Dispose();
        await Community.DisposeAsync();
        _late.Dispose();
    }

    private sealed class Nobody : IClientConnection
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

/// <summary>Notes what is told to whom, once per key.</summary>
internal sealed class FakeNotifier : INotifier
{
    private readonly ConcurrentDictionary<string, byte> _keys = new();

    public ConcurrentQueue<(TargetOrigin Target, string Text, IReadOnlyList<RecordWrite>? Records)> Told { get; } = new();

    public ValueTask NotifyAsync(
        NoticeOrigin origin, string text, string key, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        if (_keys.TryAdd(key, 0)) Told.Enqueue(((TargetOrigin)origin, text, records));
        return default;
    }
}
