using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Hosting;

/// <summary>The one owner of the start: its order, and what a faulty channel may not do to the others.</summary>
public sealed class BridgeLifetimeTests
{
    [Fact]
    public async Task Start_ChannelAcceptsInItsStart_CountsTheMessageOnce()
    {
        var store = new MemoryStore();
        using var host = Build(store, services => services.AddSingleton<EagerChannel>(), bridge => bridge.AddChannel<EagerChannel>().AddAgent(new AbsentAgent()));
        await host.StartAsync();
        var backlogs = host.Services.GetRequiredService<Backlogs>();
        Assert.Equal(1, backlogs.InboxPending);
        await host.StopAsync();

        // The counts of the next start come from the store: the same one message.
        using var again = Build(store, _ => { }, bridge => bridge.AddAgent(new AbsentAgent()));
        await again.StartAsync();
        Assert.Equal(1, again.Services.GetRequiredService<Backlogs>().InboxPending);
        await again.StopAsync();
    }

    [Fact]
    public async Task Start_OneChannelFails_TheOthersRunAndTheReasonIsKept()
    {
        using var host = Build(new MemoryStore(), _ => { }, bridge => bridge.AddChannel<BrokenChannel>().AddChannel<QuietChannel>());
        await host.StartAsync();
        var starts = host.Services.GetRequiredService<ChannelStarts>();
        Assert.Equal("the platform is away", starts.FailureOf(host.Services.GetRequiredService<BrokenChannel>()));
        Assert.True(starts.Runs(host.Services.GetRequiredService<QuietChannel>()));
        await host.StopAsync();
        Assert.Equal(0, host.Services.GetRequiredService<BrokenChannel>().Stops);
        Assert.Equal(1, host.Services.GetRequiredService<QuietChannel>().Stops);
    }

    [Fact]
    public async Task Start_WrongSettingsOfAChannel_StopTheStart()
    {
        using var host = Build(new MemoryStore(), _ => { }, bridge => bridge.AddChannel<MisconfiguredChannel>());
        var fault = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("Channels:Misconfigured:Url", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_TwoChannelsOfOneId_SaysWhich()
    {
        using var host = Build(
            new MemoryStore(), _ => { }, bridge => bridge.AddChannel(_ => new QuietChannel()).Services.AddSingleton<IContributor>(new QuietChannel()));
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
        Assert.Contains("'quiet'", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddChannelBridge_Twice_SaysSo()
    {
        var services = new ServiceCollection();
        services.AddChannelBridge();
        Assert.Contains("twice", Assert.Throws<InvalidOperationException>(() => services.AddChannelBridge()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithoutAStore_SaysWhatToCall()
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddLogging();
        builder.Services.AddChannelBridge();
        using var host = builder.Build();
        Assert.Contains("UseSqlite", (await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync())).Message, StringComparison.Ordinal);
    }

    private static IHost Build(IStore store, Action<IServiceCollection> services, Action<IChannelBridgeBuilder> configure)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddLogging();
        builder.Services.AddSingleton(store);
        services(builder.Services);
        configure(builder.Services.AddChannelBridge(options => options.StopGrace = TimeSpan.Zero));
        return builder.Build();
    }

    private class QuietChannel : IChannel
    {
        public int Stops { get; private set; }

        public virtual string Id => "quiet";

        public IEnumerable<RpcMethod> Methods => [];

        public virtual ValueTask StartAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask StopAsync(CancellationToken cancellationToken)
        {
            Stops++;
            return ValueTask.CompletedTask;
        }

        public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [];

        public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
            ValueTask.FromResult(new ChannelTarget(accountId, $"{Id}:{target}", target));
    }

    private sealed class BrokenChannel : QuietChannel
    {
        public override string Id => "broken";

        public override ValueTask StartAsync(CancellationToken cancellationToken) => throw new IOException("the platform is away");
    }

    private sealed class MisconfiguredChannel : QuietChannel
    {
        public override string Id => "misconfigured";

        public override ValueTask StartAsync(CancellationToken cancellationToken) =>
            throw new OptionsValidationException("misconfigured", typeof(QuietChannel), ["Channels:Misconfigured:Url is missing"]);
    }

    private sealed class AbsentAgent : IAgent
    {
        public string Name => "nobody";

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);

        public IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class EagerChannel(IInbox inbox) : QuietChannel
    {
        public override string Id => "eager";

        // An agent that never comes: the message stays pending.
        public override async ValueTask StartAsync(CancellationToken cancellationToken) => await inbox.AcceptAsync(
            new InboundMessage { Channel = Id, AccountId = "main", SessionKey = "eager:a", Agent = "nobody", Route = "a", SenderId = "a", Text = "hello" },
            7,
            TimeSpan.FromDays(1),
            cancellationToken: cancellationToken);
    }
}
