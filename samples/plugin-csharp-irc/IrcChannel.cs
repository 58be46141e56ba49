using System.Buffers.Binary;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace IrcSample;

/// <summary>
/// IRC. Who writes to the nick talks to the agent; in a room, who begins a line with the nick. IRC has no receipts, so behind an answer the
/// channel sends a PING: when the server has answered that, it has taken what stands before it. What was said while nobody was
/// connected is gone, as for everybody on IRC; what the agent answers isn't.
/// </summary>
public sealed partial class IrcChannel(
    IOptions<IrcSettings> settings, IInbox inbox, IOutbox outbox, TimeProvider time, ILogger<IrcChannel> logger) : IChannel, IPushTarget, IAsyncDisposable
{
    private const string Account = "Main";
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private readonly IrcSettings _settings = settings.Value;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private volatile IrcConnection? _connection;
    private long _heard;

    public string Id => "cbirc";

    public IEnumerable<RpcMethod> Methods => [];

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        _running = Task.Run(RunAsync, CancellationToken.None);
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        outbox.Detach(Id, Account, this);
        if (_connection is { } connection) await connection.QuitAsync();
        await _stop.CancelAsync();
        await _running;
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() =>
        [new() { AccountId = Account, Connected = _connection is not null, ActiveConnections = _connection is null ? 0 : 1 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        if (target.Length is 0 or > 50 || target.Any(c => char.IsControl(c) || c is ' ' or ',' or ':' or '*' or '?' or '@' or '!'))
            throw new BridgeException(ErrorCodes.NotFound, "a target is a nick, or a room with its #");
        return ValueTask.FromResult(new ChannelTarget(Account, KeyOf(target), target));
    }

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) => ValueTask.FromResult(route);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    string IPushTarget.ConnectionId => Id;

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => new(Volatile.Read(ref _heard), TimeSpan.Zero);

    CancellationToken IPushTarget.Closed => _stop.Token;

    bool IPushTarget.ClosedByClient => false;

    async ValueTask<PushOutcome> IPushTarget.PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (_connection is not { } connection) return PushOutcome.Gone;
        var lines = IrcLine.Split(item.Message.Text).ToList();
        if (item.Message.Attachment is { } file) lines.Add($"[file {IrcLine.Plain(file.FileName ?? file.MimeType)}]");
        try
        {
            // Nothing to say is said.
            var refusal = lines.Count == 0 ? null : await connection.SayAsync(item.Message.Route, lines, item.Id, cancellationToken);
            var ack = refusal is null ? new Ack(item.Id, Id, Account, Ok: true, Delivered: true)
                : new Ack(item.Id, Id, Account, Ok: false, Error: refusal, RetryAfter: TimeSpan.FromSeconds(10));
            await outbox.AckAsync(ack, cancellationToken: cancellationToken);
            return PushOutcome.Flushed;
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            return PushOutcome.Gone;
        }
    }

    // Nicks and rooms are the same in any case.
    private string KeyOf(string target) => $"{Id}:{target.ToLowerInvariant()}";

    private async Task RunAsync()
    {
        var wait = TimeSpan.FromSeconds(1);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await IrcConnection.OpenAsync(_settings, time, _stop.Token);
                LogConnected(_settings.Server, connection.Nick);
                _connection = connection;
                wait = TimeSpan.FromSeconds(1);
                outbox.Attach(Id, Account, this);
                await foreach (var line in connection.ReadAsync(_stop.Token)) await TakeAsync(connection, line);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault) when (fault is IOException or System.Net.Sockets.SocketException or System.Security.Authentication.AuthenticationException
                or OperationCanceledException or BridgeException)
            {
                LogLost(_settings.Server, fault.Message, wait.TotalSeconds);
            }
            finally
            {
                _connection = null;
                outbox.Detach(Id, Account, this);
            }

            await Task.Delay(wait, time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            wait = TimeSpan.FromTicks(Math.Min(wait.Ticks * 2, Longest.Ticks));
        }
    }

    private async Task TakeAsync(IrcConnection connection, IrcLine line)
    {
        Volatile.Write(ref _heard, time.GetUtcNow().UtcTicks);
        if (line.Command != "PRIVMSG" || line.Sender.Length == 0 || string.Equals(line.Sender, connection.Nick, StringComparison.OrdinalIgnoreCase)) return;
        var text = line[1];
        // \u0001 begins what clients ask each other (VERSION, ACTION …): none of it is said to the agent.
        if (text.StartsWith('\u0001')) return;
        var isRoom = line[0] is ['#' or '&', ..];
        if (isRoom)
        {
            var nick = connection.Nick;
            if (!text.StartsWith(nick, StringComparison.OrdinalIgnoreCase) || text.Length <= nick.Length || text[nick.Length] is not (':' or ',')) return;
            text = text[(nick.Length + 1)..];
        }

        text = IrcLine.Plain(text).Trim();
        if (text.Length == 0) return;
        var route = isRoom ? line[0] : line.Sender;
        Span<byte> key = stackalloc byte[16];
        // IRC repeats nothing: each line is a message of its own.
        Guid.NewGuid().TryWriteBytes(key);
        var accepting = inbox.AcceptAsync(
            new InboundMessage
            {
                Channel = Id,
                AccountId = Account,
                SessionKey = KeyOf(route),
                Agent = "",
                Route = route,
                SenderId = line.Sender,
                IsGroup = isRoom,
                Door = Door.Channel,
                Text = text,
            },
            BinaryPrimitives.ReadUInt128BigEndian(key), TimeSpan.FromMinutes(1), cancellationToken: _stop.Token);
        try
        {
            await accepting;
        }
        catch (BridgeException fault)
        {
            // Nobody repeats it but the one who wrote it. Not waited for: what it waits for is read by who called this.
            _ = TellAsync(connection, route, $"I can't take that now: {IrcLine.Plain(fault.Message)}");
        }
    }

    private async Task TellAsync(IrcConnection connection, string route, string text)
    {
        try
        {
            await connection.SayAsync(route, [text], Guid.NewGuid(), _stop.Token);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // They have gone, or this ends.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to {Server} as {Nick}")]
    private partial void LogConnected(string server, string nick);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not connected to {Server} ({Fault}); again in {Seconds} s")]
    private partial void LogLost(string server, string fault, double seconds);
}
