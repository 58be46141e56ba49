using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using Microsoft.Extensions.Options;

namespace FolderSample;

/// <summary>
/// A channel: what is put into <c>in/NAME.txt</c>, or <c>in/NAME.more.txt</c>, is a message of the conversation NAME, its answers appear in <c>out/</c>. A message's file is
/// removed when the message is on disk here, an answer is acked when its file is there: killed at any moment, it loses nothing. A file is
/// taken when it isn't empty and hasn't changed for a second; a program that writes with longer pauses writes to another name and moves the file in.
/// </summary>
public sealed partial class FolderChannel : IChannel, IEndpointSource, IPushTarget, IDisposable
{
    private const string Account = "main";
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly FolderOptions _options;
    private readonly IInbox _inbox;
    private readonly IOutbox _outbox;
    private readonly string _in;
    private readonly string _out;
    private readonly CancellationTokenSource _stop = new();
    private Task _reading = Task.CompletedTask;

    public FolderChannel(IOptions<FolderOptions> options, IInbox inbox, IOutbox outbox)
    {
        _options = options.Value;
        _inbox = inbox;
        _outbox = outbox;
        _in = Directory.CreateDirectory(Path.Combine(_options.Path, "in")).FullName;
        _out = Directory.CreateDirectory(Path.Combine(_options.Path, "out")).FullName;
    }

    public string Id => "folder";

    /// <summary>Nobody calls a folder by methods. A channel that has some lists them here, and every door offers them.</summary>
    public IEnumerable<RpcMethod> Methods => [];

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // From now on this object is where the account's messages go.
        _outbox.Attach(Id, Account, this);
        _reading = ReadAsync();
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        _outbox.Detach(Id, Account, this);
        await _stop.CancelAsync();
        await _reading;
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = Account, Connected = true, ActiveConnections = 1 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new ChannelTarget(Account, KeyOf(target), target));

    public void Dispose() => _stop.Dispose();

    private string KeyOf(string name) => $"{Id}:{name}";

    /// <summary>Accepts a message; the same <paramref name="key"/> is the same message. When it has completed the message is on disk.</summary>
    private ValueTask<InboxReceipt> AcceptAsync(string name, string text, string key, CancellationToken cancellationToken) => _inbox.AcceptAsync(
        new InboundMessage
        {
            Channel = Id,
            AccountId = Account,
            SessionKey = KeyOf(name),
            Agent = _options.Agent,
            Route = name,
            SenderId = name,
            Door = Door.Channel,
            Text = text,
        },
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(key))),
        TimeSpan.FromDays(30),
        cancellationToken: cancellationToken);

    // The way in: a message is accepted once, whatever happens between its acceptance and the removal of its file.
    private async Task ReadAsync()
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            do
            {
                foreach (var file in Directory.GetFiles(_in, "*.txt").Order(StringComparer.Ordinal))
                {
                    // Its writer may be in the middle of it.
                    if (new FileInfo(file) is { Length: 0 } || DateTime.UtcNow - File.GetLastWriteTimeUtc(file) < _options.Settled) continue;
                    var name = Path.GetFileName(file).Split('.')[0];
                    var text = await File.ReadAllTextAsync(file, _stop.Token);
                    await AcceptAsync(name, text.Trim(), $"{Path.GetFileName(file)}\n{File.GetLastWriteTimeUtc(file).Ticks}\n{text}", _stop.Token);
                    File.Delete(file);
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    // The way out: the outbox decides on order and retries, the channel only says how it went.
    async ValueTask<PushOutcome> IPushTarget.PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_out, $"{item.Id:N}.txt");
        await File.WriteAllTextAsync(file + ".part", item.Message.Text + "\n", cancellationToken);
        File.Move(file + ".part", file, overwrite: true);
        Tell(item);
        await _outbox.AckAsync(new Ack(item.Id, Id, Account, Ok: true, Delivered: true), cancellationToken: cancellationToken);
        return PushOutcome.Flushed;
    }

    string IPushTarget.ConnectionId => Id;

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => DateTimeOffset.UtcNow;

    CancellationToken IPushTarget.Closed => _stop.Token;

    bool IPushTarget.ClosedByClient => false;
}
