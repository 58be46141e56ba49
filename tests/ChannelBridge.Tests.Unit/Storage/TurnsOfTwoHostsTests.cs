using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Messaging;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Two hosts on one database: a turn that one of them runs is ended by a word at the other.</summary>
public sealed class TurnsOfTwoHostsTests : IAsyncLifetime
{
    private readonly string _schema = $"turns_{Guid.NewGuid():N}";
    private readonly List<IHost> _hosts = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.StopAsync();
            host.Dispose();
        }

        if (_hosts.Count > 0) await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }

    [StoreFact]
    public async Task Cancel_AtTheHostThatDoesNotRunTheTurn_EndsItThere()
    {
        var (first, second) = (new StuckAgent(), new StuckAgent());
        var (here, there) = (await StartAsync(first), await StartAsync(second));
        var receipt = await AcceptAsync(here, "1");
        await first.Began.Task.WaitAsync(CoreUnderTest.Patience);
        var waiting = await AcceptAsync(here, "2");
        Assert.True(await there.Services.GetRequiredService<ITurns>().CancelAsync(waiting.Id));
        await UntilAsync(there, waiting.Id);
        Assert.True(await there.Services.GetRequiredService<ITurns>().CancelAsync(receipt.Id));
        await first.Cancelled.Task.WaitAsync(CoreUnderTest.Patience);
        await UntilAsync(there, receipt.Id);
        Assert.False(second.Began.Task.IsCompleted);
        Assert.Equal(["1"], first.Ran);
        // The wishes go with the turns, a moment later.
        var deadline = DateTime.UtcNow + CoreUnderTest.Patience;
        while ((await there.Services.GetRequiredService<IStore>().ListRecordsAsync("core.cancel", null, null, 10)).Count > 0)
        {
            Assert.True(DateTime.UtcNow < deadline, "a wish outlived its turn");
            await Task.Delay(20);
        }
    }

    [StoreFact]
    public async Task Stop_AcceptedByTheOtherHost_EndsTheTurn()
    {
        var (first, second) = (new StuckAgent(), new StuckAgent());
        var (here, there) = (await StartAsync(first), await StartAsync(second));
        var receipt = await AcceptAsync(here, "1");
        await first.Began.Task.WaitAsync(CoreUnderTest.Patience);
        var stop = await AcceptAsync(there, "/stop");
        await first.Cancelled.Task.WaitAsync(CoreUnderTest.Patience);
        await UntilAsync(here, receipt.Id);
        await UntilAsync(here, stop.Id);
        var answer = Assert.Single(await here.Services.GetRequiredService<IStore>().QueryOutboxAsync(new OutboxQuery()));
        Assert.Contains("Stopped.", System.Text.Encoding.UTF8.GetString(answer.Payload.Span), StringComparison.Ordinal);
    }

    private static ValueTask<InboxReceipt> AcceptAsync(IHost host, string text) => host.Services.GetRequiredService<IInbox>().AcceptAsync(
        new InboundMessage { Channel = "test", AccountId = "main", SessionKey = "a", Agent = "stuck", Route = "a", SenderId = "u", Text = text },
        (UInt128)text.GetHashCode(), TimeSpan.FromDays(1));

    private static async Task UntilAsync(IHost host, Guid turn)
    {
        var deadline = DateTime.UtcNow + CoreUnderTest.Patience;
        while (await host.Services.GetRequiredService<IStore>().GetInboxAsync(turn) is not { State: TurnState.Done })
        {
            Assert.True(DateTime.UtcNow < deadline, "the turn wasn't ended in time");
            await Task.Delay(20);
        }
    }

    private async Task<IHost> StartAsync(IAgent agent)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddLogging();
        builder.Services.AddChannelBridge(options => options.StopGrace = TimeSpan.Zero).AddAgent(agent)
            .UsePostgres(options => (options.ConnectionString, options.Schema) = (PostgresServer.Require(), _schema));
        var host = builder.Build();
        _hosts.Add(host);
        await host.StartAsync();
        return host;
    }

    private sealed class StuckAgent : IAgent
    {
        public string Name => "stuck";

        public ConcurrentQueue<string> Ran { get; } = new();

        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Ran.Enqueue(turn.Message.Text);
            Began.TrySetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            finally
            {
                if (turn.Cancelled.IsCancellationRequested) Cancelled.TrySetResult();
            }

            yield break;
        }
    }
}
