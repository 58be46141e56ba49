using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Tests.Unit.Bncr.Fakes;
using ChannelBridge.Tests.Unit.Support;
using ChannelBridge.Tests.Unit.Transfers;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Bncr;

/// <summary>The channel over fakes; its methods are called as the router calls them, with JSON in and out.</summary>
internal sealed class BncrUnderTest
{
    public const string Route = """ "platform":"lab","userId":"u1","clientId":"bridge-1" """;

    private int _connections;

    public BncrUnderTest(
        Action<BncrOptions>? configure = null,
        MemoryStore? store = null,
        ManualTime? time = null,
        bool withGateway = true,
        IInbox? inbox = null,
        IOutbox? outbox = null,
        TransfersUnderTest? transfers = null)
    {
        Options = new BncrOptions();
        configure?.Invoke(Options);
        Store = store ?? new MemoryStore();
        Time = time ?? new ManualTime();
        Channel = new BncrChannel(
            inbox ?? Inbox, outbox ?? Outbox, Store, new Deliveries(Store, new ChannelBridge.Core.Messaging.MessagingOptions()),
            Microsoft.Extensions.Options.Options.Create(Options), Time, NullLoggerFactory.Instance, withGateway ? Gateway : null,
            new FakeDeadLetters(Store),
            transfers?.Uploads, transfers?.Spool, transfers?.Downloads, agents: ["echo", "openclaw", "Big"]);
    }

    public BncrOptions Options { get; }

    public MemoryStore Store { get; }

    public ManualTime Time { get; }

    public FakeInbox Inbox { get; } = new();

    public FakeOutbox Outbox { get; } = new();

    public FakeAdmission Gateway { get; } = new();

    public BncrChannel Channel { get; }

    public FakeConnection Connect(string token = "first", Door door = Door.Listener, string? id = null) =>
        new(id ?? $"c{Interlocked.Increment(ref _connections)}", new Caller(token, Scopes.Read | Scopes.Write, door)) { LastReceivedAt = Time.GetUtcNow() };

    /// <summary>A connection of an operator's token.</summary>
    public FakeConnection Operator() => Connect(new Caller("first", Scopes.Read | Scopes.Write | Scopes.Admin, Door.Listener));

    /// <summary>A connection of any caller.</summary>
    public FakeConnection Connect(Caller caller) => new($"c{Interlocked.Increment(ref _connections)}", caller) { LastReceivedAt = Time.GetUtcNow() };

    /// <summary>Called when a method has ended and its answer isn't on its way yet.</summary>
    public Action? BeforeAnswer { get; set; }

    /// <summary>Calls a method; the parameters are the members of an object, without its braces.</summary>
    public async Task<JsonNode> CallAsync(FakeConnection connection, string method, string members = "")
    {
        var target = Channel.Methods.Single(candidate => candidate.Name == method);
        var result = new ArrayBufferWriter<byte>();
        var call = new MethodCall(connection);
        try
        {
            await target.InvokeAsync(Encoding.UTF8.GetBytes("{" + members + "}"), call, result, CancellationToken.None);
        }
        finally
        {
            BeforeAnswer?.Invoke();
            call.Answered();
        }

        return JsonNode.Parse(result.WrittenSpan)!;
    }

    public Task<JsonNode> InboundAsync(FakeConnection connection, string members) => CallAsync(connection, "bncr.inbound", members);

    public async Task<BridgeException> RefusedAsync(FakeConnection connection, string method, string members) =>
        await Assert.ThrowsAsync<BridgeException>(() => CallAsync(connection, method, members));

    /// <summary>Connects a client and waits until it is the one that is pushed to.</summary>
    public async Task<(FakeConnection Connection, JsonNode Answer, IPushTarget Target)> ClientAsync(
        string members = """ "clientId":"bridge-1" """, string token = "first", Door door = Door.Listener, FakeConnection? connection = null)
    {
        connection ??= Connect(token, door);
        var answer = await CallAsync(connection, "bncr.connect", members);
        var target = await Outbox.AttachedAsync(answer["accountId"]!.GetValue<string>(), connection.Id);
        return (connection, answer, target!);
    }

    public static PushItem Item(string text = "hello", long seq = 1, Guid? id = null, Func<OutboundMessage, OutboundMessage>? with = null)
    {
        var message = new OutboundMessage
        {
            Channel = "bncr",
            AccountId = "Primary",
            SessionKey = "agent:main:bncr:direct:" + Convert.ToHexStringLower("lab:0:u1"u8),
            Route = "lab:0:u1",
            Text = text,
            Kind = "final",
        };
        return new PushItem(id ?? Guid.NewGuid(), seq, with?.Invoke(message) ?? message, 1_700_000_000_000, 1);
    }
}
