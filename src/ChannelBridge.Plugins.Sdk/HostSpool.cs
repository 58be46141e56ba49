using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>
/// The host's spool, from a plugin's process. A file's name says whose it is, too (<c>channel/account/name</c>): the host is asked for it by
/// both. Files have no path here.
/// </summary>
internal sealed class HostSpool(IPluginHost host, PluginStreams streams) : ISpool
{
    public async ValueTask<Attachment> ImportAsync(
        string channel, string account, Stream content, string? fileName, string? mimeType, long? size, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(content);
        using var writer = streams.Open();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, writer.Closed);
        var sending = SendAsync(content, writer, both.Token);
        try
        {
            var taken = await host.PutFileAsync(channel, account, writer.Id, fileName, mimeType, size, cancellationToken).TranslateAsync().ConfigureAwait(false);
            return SdkMapping.FromWire(taken, channel, account);
        }
        finally
        {
            // A refusal closes the stream; the content is the caller's again afterwards.
            writer.Dispose();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Always null: paths are the host's.</summary>
    public ValueTask<Attachment?> FindAsync(string channel, string account, string path, CancellationToken cancellationToken = default) => new((Attachment?)null);

    /// <summary>Nothing: the host keeps the files of what it accepts and sends.</summary>
    public ValueTask KeepAsync(Attachment file, SpoolUse use, Guid messageId, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public string PathOf(Attachment file) => throw BridgeException.Unavailable("a file of the host has no path in a plugin's process; read it by OpenRead");

    public Stream OpenRead(Attachment file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.Content is { } content ? new MemoryStream(content, writable: false) : new HostFile(host, streams, file);
    }

    public async ValueTask<byte[]> ReadAsync(Attachment file, int maxBytes, CancellationToken cancellationToken = default)
    {
        var content = OpenRead(file);
        await using (content.ConfigureAwait(false))
        {
            using var all = new MemoryStream();
            var buffer = new byte[PluginProtocol.MaxFrameBytes];
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (all.Length + read > maxBytes) throw new BridgeException(ErrorCodes.PayloadTooLarge, $"the file has more than {maxBytes} bytes");
                await all.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
            }

            return all.ToArray();
        }
    }

    private static async Task SendAsync(Stream content, PluginStreamWriter writer, CancellationToken cancellationToken)
    {
        await content.CopyToAsync(writer, PluginProtocol.MaxFrameBytes, cancellationToken).ConfigureAwait(false);
        writer.Complete();
    }

    /// <summary>A file of the host, asked for when it is read first.</summary>
    private sealed class HostFile(IPluginHost host, PluginStreams streams, Attachment file) : Stream
    {
        private PluginStreamReader? _reader;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => file.Size;

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_reader is null)
            {
                var (channel, account, name) = SdkMapping.SplitFile(file);
                var opened = await host.GetFileAsync(channel, account, name, cancellationToken).TranslateAsync().ConfigureAwait(false);
                _reader = streams.Take(opened.Stream);
            }

            return await _reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read a file of the host asynchronously");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) _reader?.Dispose();
            base.Dispose(disposing);
        }
    }
}
