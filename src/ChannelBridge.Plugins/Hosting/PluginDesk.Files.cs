using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Hosting;

/// <content>Files: a plugin puts them into the spool and reads those of its own accounts and pushes. Paths of the host mean nothing to it.</content>
internal sealed partial class PluginDesk
{
    private const int MostRemembered = 1024;
    private readonly Dictionary<(string Channel, string Account, string File), Attachment> _pushed = [];
    private readonly Queue<(string Channel, string Account, string File)> _pushedOrder = new();

    public async Task<PluginAttachment> PutFileAsync(
        string channel, string accountId, long stream, string? fileName, string? mimeType, long? size, CancellationToken cancellationToken)
    {
        var (own, account) = Own(channel, accountId);
        if (fileName is not null) Bounded(fileName, MaxName, "fileName");
        if (mimeType is not null) Bounded(mimeType, MaxName, "mimeType");
        if (size < 0) throw BridgeException.Invalid("size isn't negative");
        using var content = link.RequireLive().Streams.Take(stream);
        var taken = await Files().ImportAsync(own.Id, account, content, fileName, mimeType, size, cancellationToken).ConfigureAwait(false);
        return PluginMapping.ToWire(taken);
    }

    public async Task<PluginFile> GetFileAsync(string channel, string accountId, string file, CancellationToken cancellationToken)
    {
        var (own, account) = Own(channel, accountId);
        Bounded(file, MaxName, "file");
        var found = await FindFileAsync(own.Id, account, file, cancellationToken).ConfigureAwait(false);
        var content = Files().OpenRead(found);
        try
        {
            var writer = link.RequireLive().Streams.Open();
            var size = content.Length;
            _ = Task.Run(() => GiveAsync(content, writer), CancellationToken.None);
            return new PluginFile(writer.Id, size);
        }
        catch
        {
            await content.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task GiveAsync(Stream content, PluginStreamWriter writer)
    {
        using (writer)
        {
            await using (content.ConfigureAwait(false))
            {
                try
                {
                    await content.CopyToAsync(writer, PluginProtocol.MaxFrameBytes, writer.Closed).ConfigureAwait(false);
                    writer.Complete();
                }
                catch (Exception fault) when (fault is IOException or BridgeException or OperationCanceledException or ObjectDisposedException)
                {
                    // The disk failed, or the plugin wants no more: its reader sees that the file isn't whole.
                    writer.Abandon(fault is IOException ? ErrorCodes.Unavailable : ErrorCodes.Cancelled);
                }
            }
        }
    }

    // What was pushed is the plugin's to read, however long the message has waited.
    private void Remember(OutboundMessage message)
    {
        if (message.Attachment is not { File: { } file } attachment) return;
        var key = (message.Channel, message.AccountId.ToLowerInvariant(), file);
        lock (_pushed)
        {
            if (!_pushed.TryAdd(key, attachment)) return;
            _pushedOrder.Enqueue(key);
            if (_pushedOrder.Count > MostRemembered) _pushed.Remove(_pushedOrder.Dequeue());
        }
    }

    private async Task<Attachment> FindFileAsync(string channel, string account, string file, CancellationToken cancellationToken)
    {
        lock (_pushed)
        {
            if (_pushed.TryGetValue((channel, account.ToLowerInvariant(), file), out var pushed)) return pushed;
        }

        try
        {
            // By the account: another's file is none.
            if (await Files().FindAsync(channel, account, Files().PathOf(new Attachment { File = file }), cancellationToken).ConfigureAwait(false) is { } own)
                return own;
        }
        catch (BridgeException fault) when (fault.Code is ErrorCodes.Internal or ErrorCodes.InvalidRequest)
        {
            // It isn't a name of the spool.
        }

        throw new BridgeException(ErrorCodes.NotFound, "this account has no such file");
    }

    private async Task<IReadOnlyList<Attachment>?> FindFilesAsync(
        string channel, string account, IReadOnlyList<PluginAttachment>? given, CancellationToken cancellationToken)
    {
        if (given is null or { Count: 0 }) return null;
        var files = new List<Attachment>(given.Count);
        foreach (var one in given)
        {
            var plain = PluginMapping.FromWire(one);
            if (one.File is not { } name)
            {
                files.Add(plain);
                continue;
            }

            Bounded(name, MaxName, "attachments.file");
            var found = await FindFileAsync(channel, account, name, cancellationToken).ConfigureAwait(false);
            files.Add(found with { FileName = plain.FileName ?? found.FileName, IsVoice = plain.IsVoice });
        }

        return files;
    }

    private async ValueTask KeepAsync(IReadOnlyList<Attachment>? files, SpoolUse use, Guid message)
    {
        foreach (var file in files ?? [])
        {
            if (file.File is not null) await Files().KeepAsync(file, use, message, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private ISpool Files() => spool ?? throw BridgeException.Unavailable("this host takes no files");
}
