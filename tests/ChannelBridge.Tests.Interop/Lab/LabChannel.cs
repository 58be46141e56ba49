using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// A channel that the plugin's manifest doesn't name: what it is given is accepted for the gateway's agent, what is pushed to it can be
/// awaited.
/// </summary>
public sealed class LabChannel(IInbox inbox, IOutbox outbox) : IChannel, IPushTarget
{
    private const string Account = "main";

    private readonly ConcurrentDictionary<string, Channel<OutboundMessage>> _pushed = new();
    private readonly CancellationTokenSource _closed = new();

    public string Id => "labchat";

    public IEnumerable<RpcMethod> Methods => [];

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        outbox.Attach(Id, Account, this);
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        outbox.Detach(Id, Account, this);
        await _closed.CancelAsync();
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = Account, Connected = true }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new ChannelTarget(Account, LaneOf(target), target));

    /// <summary>The lane of a user.</summary>
    public static string LaneOf(string user) => $"labchat:{user}";

    /// <summary>A user says something.</summary>
    public ValueTask<InboxReceipt> SayAsync(string user, string text, TurnRules? rules = null) => inbox.AcceptAsync(
        new InboundMessage
        {
            Channel = Id,
            AccountId = Account,
            SessionKey = LaneOf(user),
            Agent = "openclaw",
            Route = user,
            SenderId = user,
            Door = Door.Channel,
            IsCommand = text.StartsWith('/'),
            Text = text,
            Rules = rules,
        },
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{user}\n{text}"))),
        TimeSpan.FromDays(1));

    /// <summary>The next message to a user.</summary>
    public async Task<string> AnswerAsync(string user)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(240));
        return (await Of(user).Reader.ReadAsync(patience.Token)).Text;
    }

    async ValueTask<PushOutcome> IPushTarget.PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        Of(item.Message.Route).Writer.TryWrite(item.Message);
        await outbox.AckAsync(new Ack(item.Id, Id, Account, Ok: true, Delivered: true), cancellationToken: cancellationToken);
        return PushOutcome.Flushed;
    }

    string IPushTarget.ConnectionId => "labchat";

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => DateTimeOffset.UtcNow;

    CancellationToken IPushTarget.Closed => _closed.Token;

    bool IPushTarget.ClosedByClient => false;

    private Channel<OutboundMessage> Of(string user) => _pushed.GetOrAdd(user, _ => Channel.CreateUnbounded<OutboundMessage>());
}
