using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Settings;
using Microsoft.Extensions.Options;

namespace FolderSample;

/// <summary>What stands under <c>Channels:Folder</c> of the host's configuration.</summary>
public sealed class FolderOptions
{
    /// <summary>The settings, with their checks and words: handed over with the channel, a host knows them without knowing the channel.</summary>
    public static ChannelSettings<FolderOptions> Settings { get; } = new ChannelSettings<FolderOptions>("Folder", keys => keys
            .Text("Path", o => o.Path, (o, v) => o.Path = SettingText.FullPath(v), "The folder in which `in` and `out` lie", "/srv/letters")
            .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers")
            .Duration("Settled", TimeSpan.Zero, TimeSpan.FromHours(1), o => o.Settled, (o, v) => o.Settled = v,
                "How long a file must have stayed as it is before it is taken"))
        .WithDefaults((options, reader) => options.Agent = reader.DefaultAgent);

    /// <summary>The folder in which <c>in</c> and <c>out</c> lie.</summary>
    public string Path { get; set; } = System.IO.Path.GetFullPath("folder-channel");

    /// <summary>The agent that answers.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>How long a file must have stayed as it is before it is taken.</summary>
    public TimeSpan Settled { get; set; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// A channel in one file: what is put into <c>in/NAME.txt</c> is a message of the conversation NAME, its answers appear in <c>out/</c>. A message's
/// file is removed when the message is on disk here, an answer is acked when its file is there: killed at any moment, it loses nothing. A file is
/// taken when it isn't empty and hasn't changed for a second; a program that writes with longer pauses writes to another name and moves the file in.
/// </summary>
public sealed class FolderChannel(IOptions<FolderOptions> options, IInbox inbox, IOutbox outbox) : IChannel, IPushTarget, IDisposable
{
    private const string Account = "main";
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly string _in = Directory.CreateDirectory(Path.Combine(options.Value.Path, "in")).FullName;
    private readonly string _out = Directory.CreateDirectory(Path.Combine(options.Value.Path, "out")).FullName;
    private readonly CancellationTokenSource _stop = new();
    private Task _reading = Task.CompletedTask;

    public string Id => "folder";

    /// <summary>Nobody calls a folder. A channel with methods lists them here, and every door offers them.</summary>
    public IEnumerable<RpcMethod> Methods => [];

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // From now on this object is where the account's messages go.
        outbox.Attach(Id, Account, this);
        _reading = ReadAsync();
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        outbox.Detach(Id, Account, this);
        await _stop.CancelAsync();
        await _reading;
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = Account, Connected = true, ActiveConnections = 1 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new ChannelTarget(Account, $"folder:{target}", target));

    public void Dispose() => _stop.Dispose();

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
                    if (new FileInfo(file) is { Length: 0 } || DateTime.UtcNow - File.GetLastWriteTimeUtc(file) < options.Value.Settled) continue;
                    var name = Path.GetFileNameWithoutExtension(file);
                    var text = await File.ReadAllTextAsync(file, _stop.Token);
                    var message = new InboundMessage
                    {
                        Channel = Id,
                        AccountId = Account,
                        SessionKey = $"folder:{name}",
                        Agent = options.Value.Agent,
                        Route = name,
                        SenderId = name,
                        Text = text.Trim(),
                    };
                    var same = SHA256.HashData(Encoding.UTF8.GetBytes($"{name}\n{File.GetLastWriteTimeUtc(file).Ticks}\n{text}"));
                    await inbox.AcceptAsync(message, BinaryPrimitives.ReadUInt128BigEndian(same), TimeSpan.FromDays(30), cancellationToken: _stop.Token);
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
        await outbox.AckAsync(new Ack(item.Id, Id, Account, Ok: true, Delivered: true), cancellationToken: cancellationToken);
        return PushOutcome.Flushed;
    }

    string IPushTarget.ConnectionId => "folder";

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => DateTimeOffset.UtcNow;

    CancellationToken IPushTarget.Closed => _stop.Token;

    bool IPushTarget.ClosedByClient => false;
}
