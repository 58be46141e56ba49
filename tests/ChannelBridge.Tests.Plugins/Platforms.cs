using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Testing;

namespace ChannelBridge.Tests.Plugins;

/// <summary>The folders of the samples as a platform: what is put into one is said, what appears in the other was heard.</summary>
internal sealed class FolderPlatform(string channel, string account, char separator, PlatformTraits traits) : IPlatform
{
    private string _data = "";

    public string Channel => channel;

    public string Account => account;

    public PlatformTraits Traits => traits;

    public IReadOnlyList<PlatformMessage> Heard
    {
        get
        {
            var heard = new List<PlatformMessage>();
            foreach (var file in Directory.GetFiles(Path.Combine(_data, "out"), "*.txt"))
                heard.Add(new PlatformMessage(File.ReadAllText(file), File.GetLastWriteTimeUtc(file).Ticks));
            return heard;
        }
    }

    public async Task AttachAsync(ChannelHost host, CancellationToken cancellationToken)
    {
        _data = host.Data;
        while (!Directory.Exists(Path.Combine(_data, "in")) || !Directory.Exists(Path.Combine(_data, "out"))) await Task.Delay(10, cancellationToken);
    }

    public async Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        var name = $"{conversation}{separator}{id}.txt";
        var part = Path.Combine(_data, name + ".part");
        await File.WriteAllBytesAsync(part, Encoding.UTF8.GetBytes(text), cancellationToken);
        // A message's time is a part of what it is; one that is brought again has the same.
        File.SetLastWriteTimeUtc(part, DateTime.UnixEpoch.AddSeconds(SHA256.HashData(Encoding.UTF8.GetBytes(id))[0]));
        var file = Path.Combine(_data, "in", name);
        File.Move(part, file, overwrite: true);
        // A folder has no order: the next one of the conversation comes when this one was taken.
        while (File.Exists(file)) await Task.Delay(10, cancellationToken);
    }

    public void RefuseNext(bool forGood) => File.WriteAllText(Path.Combine(_data, "refuse"), forGood ? "fatal" : "again");

    public void Block(bool blocked)
    {
        var file = Path.Combine(_data, "block");
        if (blocked) File.WriteAllText(file, "");
        else File.Delete(file);
    }
}

/// <summary>A platform in this process that can do everything, and the ways in which a channel may lie to it.</summary>
internal sealed class LoopPlatform(LoopPlatform.Lie lie = LoopPlatform.Lie.None) : IPlatform
{
    private readonly Lock _lock = new();
    private ImmutableList<(string Conversation, string Id, string Text)> _said = [];
    private ImmutableList<PlatformMessage> _heard = [];
    private bool? _refuse;
    private bool _blocked;

    internal enum Lie
    {
        None,

        /// <summary>Says that users have what they don't.</summary>
        AcksWhatIsLost,

        /// <summary>Takes each message for a new one.</summary>
        ForgetsKeys,

        /// <summary>Never says that users have it.</summary>
        NeverAcks,

        /// <summary>Takes a message for taken before the host has it.</summary>
        AnswersTooEarly,
    }

    public string Channel => "loop";

    public string Account => "Main";

    public PlatformTraits Traits => PlatformTraits.Repeats | PlatformTraits.Refuses | PlatformTraits.Blocks;

    public IReadOnlyList<PlatformMessage> Heard => _heard;

    public Lie How => lie;

    public bool IsBlocked => Volatile.Read(ref _blocked);

    public Task AttachAsync(ChannelHost host, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        lock (_lock) _said = _said.Add((conversation, id, text));
        return Task.CompletedTask;
    }

    public void RefuseNext(bool forGood)
    {
        lock (_lock) _refuse = forGood;
    }

    public void Block(bool blocked) => Volatile.Write(ref _blocked, blocked);

    public (string Conversation, string Id, string Text)? Next()
    {
        lock (_lock) return _said.IsEmpty ? null : _said[0];
    }

    public void Taken()
    {
        lock (_lock) _said = _said.RemoveAt(0);
    }

    /// <summary>Users hear it; null, or whether it is refused for good.</summary>
    public bool? Hear(string text)
    {
        lock (_lock)
        {
            var refuse = _refuse;
            _refuse = null;
            if (refuse is null && lie != Lie.AcksWhatIsLost) _heard = _heard.Add(new PlatformMessage(text, _heard.Count));
            return refuse;
        }
    }
}

/// <summary>The channel of <see cref="LoopPlatform"/>.</summary>
internal sealed class LoopChannel(LoopPlatform platform, IInbox inbox, IOutbox outbox) : IChannel, IPushTarget, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _taking = Task.CompletedTask;

    public string Id => platform.Channel;

    public IEnumerable<RpcMethod> Methods => [];

    string IPushTarget.ConnectionId => Id;

    bool IPushTarget.RequiresAck => true;

    DateTimeOffset IPushTarget.LastReceivedAt => DateTimeOffset.UtcNow;

    CancellationToken IPushTarget.Closed => _stop.Token;

    bool IPushTarget.ClosedByClient => false;

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        outbox.Attach(Id, platform.Account, this);
        _taking = Task.Run(TakeAsync, CancellationToken.None);
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        outbox.Detach(Id, platform.Account, this);
        await _stop.CancelAsync();
        await _taking;
    }

    public void Dispose() => _stop.Dispose();

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [new() { AccountId = platform.Account, Connected = true, ActiveConnections = 1 }];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new ChannelTarget(platform.Account, $"{Id}:{target}", target));

    async ValueTask<PushOutcome> IPushTarget.PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (platform.IsBlocked) return PushOutcome.Full;
        var refused = platform.Hear(item.Message.Text);
        if (platform.How == LoopPlatform.Lie.NeverAcks) return PushOutcome.Flushed;
        var ack = refused is { } forGood
            ? new Ack(item.Id, Id, platform.Account, Ok: false, Fatal: forGood, Error: "refused", RetryAfter: TimeSpan.FromMilliseconds(50))
            : new Ack(item.Id, Id, platform.Account, Ok: true, Delivered: true);
        await outbox.AckAsync(ack, cancellationToken: cancellationToken);
        return PushOutcome.Flushed;
    }

    private async Task TakeAsync()
    {
        try
        {
            while (true)
            {
                if (platform.Next() is not { } said)
                {
                    await Task.Delay(10, _stop.Token);
                    continue;
                }

                if (platform.How == LoopPlatform.Lie.AnswersTooEarly && said.Text.Contains('1', StringComparison.Ordinal))
                {
                    // Taken, and then something happens.
                    platform.Taken();
                    continue;
                }

                var key = platform.How == LoopPlatform.Lie.ForgetsKeys ? Guid.NewGuid().ToString() : $"{said.Conversation}\n{said.Id}";
                var message = new InboundMessage
                {
                    Channel = Id,
                    AccountId = platform.Account,
                    SessionKey = $"{Id}:{said.Conversation}",
                    Agent = "echo",
                    Route = said.Conversation,
                    SenderId = said.Conversation,
                    Door = Door.Channel,
                    Text = said.Text,
                };
                var hash = SHA256.HashData(Encoding.UTF8.GetBytes(key));
                await inbox.AcceptAsync(
                    message, System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash), TimeSpan.FromDays(1), cancellationToken: _stop.Token);
                platform.Taken();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }
}
