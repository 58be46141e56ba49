using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Agents;
using ChannelBridge.Core.Events;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Inbox, lanes and outbox over a store in memory, with a clock that a test moves.</summary>
internal sealed class CoreUnderTest
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public CoreUnderTest(MemoryStore? store = null, IAgent? agent = null, Action<MessagingOptions>? configure = null, ManualTime? time = null, ILogger<Outbox>? log = null)
    {
        Time = time ?? new ManualTime();
        Store = store ?? new MemoryStore(Time);
        Options = new MessagingOptions { StopGrace = TimeSpan.Zero, DelayNotice = TimeSpan.Zero };
        configure?.Invoke(Options);
        var backlogs = new Backlogs();
        Hub = new EventHub(Time);
        Events = new MessagingEvents(Hub, new AccountNames(new Registry()), Time);
        Outbox = new Outbox(Store, backlogs, Events, Options, Time, new Random(1), log ?? NullLogger<Outbox>.Instance);
        Registry = new Registry();
        var cancels = new TurnCancels(Store, Time);
        var runner = new TurnRunner(Store, Outbox, backlogs, Registry, Events, Options, cancels, Time, NullLogger<TurnRunner>.Instance);
        Turns = new TurnScheduler(Store, [agent ?? new EchoAgent()], runner, Options, cancels, Time, NullLogger<TurnScheduler>.Instance);
        Cancels = new Turns(Store, Turns, cancels, Time, NullLogger<Turns>.Instance);
        Inbox = new Inbox(Store, Turns, Outbox, backlogs, Events, Options, Time, Random.Shared);
        DeadMessages = new DeadMessages(Store, Turns, backlogs, Options, Time);
        Retention = new DeadLetterRetention(Store, Outbox, DeadMessages, backlogs, Options, Time, Log);
        Service = new MessagingService(
            Store, backlogs, Inbox, Turns, Cancels, Outbox, new StoreJanitor(Store, Retention, Options, Time, NullLogger<StoreJanitor>.Instance),
            new ExpirySweep(Store, Outbox, backlogs, Options, Time, NullLogger<ExpirySweep>.Instance),
            new MessagingGauges(backlogs, Turns, Outbox));
        Backlogs = backlogs;
    }

    public MemoryStore Store { get; }

    public ManualTime Time { get; }

    public MessagingOptions Options { get; }

    public Backlogs Backlogs { get; }

    public EventHub Hub { get; }

    public MessagingEvents Events { get; }

    public Outbox Outbox { get; }

    public TurnScheduler Turns { get; }

    public Turns Cancels { get; }

    public Registry Registry { get; }

    public Inbox Inbox { get; }

    public DeadMessages DeadMessages { get; }

    public DeadLetterRetention Retention { get; }

    public LineLog<DeadLetterRetention> Log { get; } = new();

    public MessagingService Service { get; }

    public static InboundMessage Message(string conversation, string text, string agent = "echo") => new()
    {
        Channel = "test",
        AccountId = "Primary",
        SessionKey = conversation,
        Agent = agent,
        Route = conversation,
        SenderId = "u",
        MessageId = conversation + "/" + text,
        Text = text,
    };

    public static OutboundMessage Outbound(string conversation, string text) => new()
    {
        Channel = "test",
        AccountId = "Primary",
        SessionKey = conversation,
        Route = conversation,
        Text = text,
    };

    public async Task<CoreUnderTest> StartAsync()
    {
        await Service.StartAsync(CancellationToken.None);
        return this;
    }

    public ValueTask<InboxReceipt> AcceptAsync(InboundMessage message) =>
        Inbox.AcceptAsync(message, KeyOf(message), TimeSpan.FromDays(30));

    /// <summary>Its dedupe key. As wide as a real one: of ten thousand messages with keys of 32 bits two are the same in one run of a hundred.</summary>
    private static UInt128 KeyOf(InboundMessage message) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{message.SessionKey}\n{message.Text}")));

    public ValueTask<AckResult> AckAsync(Guid id, bool ok = true, bool fatal = false) =>
        Outbox.AckAsync(new Ack(id, "test", "primary", ok, fatal));

    public void Attach(IPushTarget target) => Outbox.Attach("test", "Primary", target);

    public void Detach(IPushTarget target) => Outbox.Detach("test", "Primary", target);
}

/// <summary>A client of the outbox that notes what it gets.</summary>
internal sealed class FakeTarget(TimeProvider time) : IPushTarget
{
    private readonly CancellationTokenSource _closed = new();
    private readonly SemaphoreSlim _arrived = new(0);

    public string ConnectionId { get; } = Guid.NewGuid().ToString("N");

    public bool RequiresAck { get; set; } = true;

    public DateTimeOffset LastReceivedAt { get; set; } = time.GetUtcNow();

    public CancellationToken Closed => _closed.Token;

    public bool ClosedByClient { get; set; }

    public PushOutcome Outcome { get; set; } = PushOutcome.Flushed;

    /// <summary>Called inside the push, before it returns.</summary>
    public Func<PushItem, Task>? OnPush { get; set; }

    public ConcurrentQueue<PushItem> Pushed { get; } = new();

    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (Outcome == PushOutcome.Flushed)
        {
            Pushed.Enqueue(item);
            _arrived.Release();
        }

        if (OnPush is { } hook) await hook(item);
        return Outcome;
    }

    /// <summary>The next push that hasn't been waited for, in the order of arrival.</summary>
    public async Task<IReadOnlyList<PushItem>> WaitForAsync(int count)
    {
        for (var arrived = 0; arrived < count; arrived++)
        {
            Assert.True(await _arrived.WaitAsync(CoreUnderTest.Patience), $"only {Pushed.Count} pushes came, {count} were expected");
        }

        return [.. Pushed];
    }

    public void Close() => _closed.Cancel();
}

/// <summary>An agent whose turns a test decides.</summary>
internal sealed class ScriptedAgent(string name, Func<AgentTurn, CancellationToken, Task<IReadOnlyList<AgentEvent>>> script) : IAgent
{
    public string Name => name;

    public TaskCompletionSource Available { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ScriptedAgent Ready()
    {
        Available.TrySetResult();
        return this;
    }

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Available.Task.WaitAsync(cancellationToken);

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var agentEvent in await script(turn, cancellationToken)) yield return agentEvent;
    }
}
