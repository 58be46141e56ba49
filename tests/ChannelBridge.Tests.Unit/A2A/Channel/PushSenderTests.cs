using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Core.Net;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>A notification goes where its configuration may lead at that moment, and nowhere else.</summary>
public sealed class PushSenderTests
{
    /// <summary>A name that was public when the configuration was set, and is this machine's when the notification goes out.</summary>
    [Fact]
    public async Task AName_ThatIsPrivateTheSecondTime_IsADeadLetter_AndNobodyHearsOfIt()
    {
        using var inside = new TcpListener(IPAddress.Loopback, 0);
        inside.Start();
        var looks = 0;
        using var http = new GuardedHttp(TimeProvider.System, (_, _) => Task.FromResult(new[] { IPAddress.Parse(looks++ == 0 ? "93.184.216.34" : "127.0.0.1") }));
        var lab = new ServiceLab();
        var outbox = new Outbox();
        var pushes = new PushBook(lab.Records, outbox, http, lab.Options, lab.Time);
        var config = new PushConfig { Id = "p", Url = $"http://rebound.example:{((IPEndPoint)inside.LocalEndpoint).Port}/x" };
        await pushes.CheckAsync(config, CancellationToken.None);
        await lab.SendAsync("m", push: config);
        await lab.CommitEndAsync(lab.Accepted.Single(), replies: "done");
        Assert.True(await pushes.SettleAllAsync(static (_, _) => { }, CancellationToken.None));
        using var sender = new PushSender(ServiceLab.Peer, pushes, lab.Book, outbox, http, lab.Options, lab.Time, NullLogger.Instance);
        var message = Assert.Single(outbox.Sent);
        Assert.Equal(PushOutcome.Flushed, await sender.PushAsync(new PushItem(Guid.NewGuid(), 1, message, 0, 1), CancellationToken.None));

        var ack = await outbox.Acks.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal((false, true), (ack.Ok, ack.Fatal));
        Assert.Contains("network", ack.Error, StringComparison.Ordinal);
        Assert.Equal(2, looks);
        Assert.False(inside.Pending());
    }

    [Fact]
    public async Task AnAddress_ThatIsPrivateAtOnce_IsRefused()
    {
        using var http = new GuardedHttp(TimeProvider.System, (_, _) => Task.FromResult(new[] { IPAddress.Parse("10.0.0.7") }));
        var lab = new ServiceLab();
        var pushes = new PushBook(lab.Records, lab, http, lab.Options, lab.Time);
        var fault = await Assert.ThrowsAsync<A2AException>(
            () => pushes.CheckAsync(new PushConfig { Id = "p", Url = "http://inside.example/x" }, CancellationToken.None).AsTask());
        Assert.Equal(A2AError.InvalidParams, fault.Error);
        Assert.DoesNotContain(ErrorCodes.Internal, fault.Message, StringComparison.Ordinal);
    }

    private sealed class Outbox : IOutbox
    {
        public List<OutboundMessage> Sent { get; } = [];

        public Channel<Ack> Acks { get; } = System.Threading.Channels.Channel.CreateUnbounded<Ack>();

        public ValueTask<OutboxReceipt> SendAsync(
            OutboundMessage message, string idempotencyKey, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            Sent.Add(message);
            return ValueTask.FromResult(new OutboxReceipt(Guid.NewGuid(), Duplicate: false, Sent.Count));
        }

        public async ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
        {
            await Acks.Writer.WriteAsync(ack, cancellationToken);
            return AckResult.MovedToDeadLetter;
        }

        public void Attach(string channel, string accountId, IPushTarget target)
        {
            // The test pushes itself.
        }

        public void Detach(string channel, string accountId, IPushTarget target)
        {
            // As above.
        }

        public Backlog GetBacklog(string channel, string accountId) => default;
    }
}
