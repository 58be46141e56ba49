using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Tests.Juji;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>The channel in a host of one's own that has nothing to do with the gateway.</summary>
public sealed class OwnHostTests
{
    [Fact]
    public async Task WithoutTheGateway_PushesReachTargetsOfOtherChannels_AndItsSessionsAreRefused()
    {
        await using var community = await FakeCommunity.StartAsync();
        var file = Path.Combine(Scratch.NewFolder("cbjuji"), "agent.env");
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IStore>(new MemoryStore());
        builder.Services.AddChannelBridge(options => options.StopGrace = TimeSpan.Zero).AddChannel<DeskChannel>().AddJuji(options =>
        {
            var account = new JujiAccountOptions { BaseUrl = community.BaseUrl, EnvFile = file };
            account.Routes["1"] = new JujiRouteOptions { Topics = ["task.*"], To = "desk:7", Data = ["id"] };
            options.Accounts["main"] = account;
        });
        using var host = builder.Build();
        await host.StartAsync();
        var desk = new Desk();
        host.Services.GetRequiredService<IOutbox>().Attach("desk", "all", desk);
        var side = await community.NextConnectionAsync();
        await side.SendAsync("""{"type":"juji/notification","topic":"task.published","variant":"public","title":"A task","message":"Water the plants","data":{"id":5,"more":1}}""");
        await Wait.UntilAsync(() => !desk.Told.IsEmpty);
        Assert.Equal(("7", "A task\nWater the plants\nid: 5"), Assert.Single(desk.Told));

        var notifier = host.Services.GetRequiredService<INotifier>();
        var fault = await Assert.ThrowsAsync<BridgeException>(async () => await notifier.NotifyAsync(new GatewaySessionOrigin("agent:main:main"), "hello", "k"));
        Assert.Equal(ErrorCodes.NotFound, fault.Code);
        Assert.Contains("gateway", fault.Message, StringComparison.Ordinal);
        await host.StopAsync();
    }

    private sealed class DeskChannel : IChannel
    {
        public string Id => "desk";

        public IEnumerable<RpcMethod> Methods => [];

        public ValueTask StartAsync(CancellationToken cancellationToken) => default;

        public ValueTask StopAsync(CancellationToken cancellationToken) => default;

        public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [];

        public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
            ValueTask.FromResult(new ChannelTarget("all", $"desk:{target}", target));
    }

    private sealed class Desk : IPushTarget
    {
        public ConcurrentQueue<(string Route, string Text)> Told { get; } = new();

        public string ConnectionId => "desk";

        public bool RequiresAck => false;

        public DateTimeOffset LastReceivedAt => default;

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
        {
            Told.Enqueue((item.Message.Route, item.Message.Text));
            return ValueTask.FromResult(PushOutcome.Flushed);
        }
    }
}
