using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Sdk;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MyChat;

/// <summary>
/// The channel: brings messages of <see cref="MyChatPlatform"/> to the agent, and its answers back. A message is taken from the platform when the host has
/// it on disk, an answer is acked when the platform has it: killed at any moment, nothing is lost.
/// </summary>
public sealed partial class MyChatChannel : IChannel, IPushTarget, IAsyncDisposable
{
    private const string Account = "Main";
    private readonly MyChatPlatform _platform;
    private readonly TimeSpan _interval;
    private readonly IInbox _inbox;
    private readonly IOutbox _outbox;
    private readonly TimeProvider _time;
    private readonly ILogger<MyChatChannel> _logger;
    private readonly CancellationTokenSource _stop = new();
    private Task _reading = Task.CompletedTask;

    public MyChatChannel(
        IOptions<MyChatSettings> settings, PluginFolders folders, IInbox inbox, IOutbox outbox, TimeProvider time, ILogger<MyChatChannel> logger)
    {
        _platform = new MyChatPlatform(settings.Value.Folder ?? folders.Data);
        _interval = TimeSpan.FromMilliseconds(settings.Value.IntervalMs);
        (_inbox, _outbox, _time, _logger) = (inbox, outbox, time, logger);
    }

    public string Id => "mychat";

    /// <summary>Methods that clients of the host may call. Name them in channelbridge.plugin.json, too.</summary>
    public IEnumerable<RpcMethod> Methods => [];

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // From now on this object is where the account's messages go.
        _outbox.Attach(Id, Account, this);
        _reading = Task.Run(ReadAsync, CancellationToken.None);
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        _outbox.Detach(Id, Account, this);
        await _stop.CancelAsync();
        await _reading;
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = Account, Connected = true, ActiveConnections = 1 }];

    /// <summary>Whom "send" and the agent's tools mean by a text: here, a user's name.</summary>
    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) => IsName(target)
        ? ValueTask.FromResult(new ChannelTarget(Account, KeyOf(target), target))
        : throw new BridgeException(ErrorCodes.NotFound, "a target is a user's name: letters, digits, - and _");

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) => ValueTask.FromResult(route);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        _stop.Dispose();
    }

    // The way in: the same message again (same key) is the same message, whatever happened between its acceptance and Taken.
    private async Task ReadAsync()
    {
        using var timer = new PeriodicTimer(_interval, _time);
        try
        {
            do
            {
                try
                {
                    foreach (var text in _platform.Waiting())
                    {
                        if (IsName(text.User)) await AcceptAsync(text);
                        MyChatPlatform.Taken(text);
                    }
                }
                catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or BridgeException)
                {
                    LogLater(fault.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task AcceptAsync(PlatformText text) => await _inbox.AcceptAsync(
        new InboundMessage
        {
            Channel = Id,
            AccountId = Account,
            SessionKey = KeyOf(text.User),
            // The operator's choice: Channels:mychat:Agent, else the default.
            Agent = "",
            Route = text.User,
            SenderId = text.User,
            Door = Door.Channel,
            Text = text.Text,
        },
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{text.User}\n{text.Id}"))),
        TimeSpan.FromDays(30),
        cancellationToken: _stop.Token);

    // The way out: the host decides on order and retries; the channel says how it went.
    async ValueTask<PushOutcome> IPushTarget.PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        Ack ack;
        try
        {
            await _platform.TellAsync(item.Message.Route, item.Id, item.Message.Text, cancellationToken);
            ack = new Ack(item.Id, Id, Account, Ok: true, Delivered: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It is tried again, and becomes a dead letter after Channels:mychat:Delivery:MaxAttempts.
            ack = new Ack(item.Id, Id, Account, Ok: false, Error: fault.Message);
        }

        await _outbox.AckAsync(ack, cancellationToken: cancellationToken);
        return PushOutcome.Flushed;
    }

    string IPushTarget.ConnectionId => Id;

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => _time.GetUtcNow();

    CancellationToken IPushTarget.Closed => _stop.Token;

    bool IPushTarget.ClosedByClient => false;

    // A session key names a conversation: in order within it, none waits for another.
    private string KeyOf(string user) => $"{Id}:{user.ToLowerInvariant()}";

    // It becomes a file's name: what a stranger says never is a path.
    private static bool IsName(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    [LoggerMessage(EventId = 1, Level = LogLevel.Warning, Message = "The folder is read again later: {Reason}")]
    private partial void LogLater(string reason);
}
