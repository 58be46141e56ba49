using System.Buffers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>One request and its answer, on the host's behalf.</summary>
internal sealed class SdkExchange(
    EndpointRequest request, Caller? caller, string? text, long? body, int maxBody, PluginStreams streams, CancellationTokenSource end)
    : HttpExchange, IDisposable
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly TaskCompletionSource<PluginHttpAnswer> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _reading = new(1, 1);
    private ReadOnlyMemory<byte>? _content;
    private PluginStreamWriter? _output;
    private int _answered;

    /// <summary>The answer, once it has begun.</summary>
    public Task<PluginHttpAnswer> Answer => _answer.Task;

    public override EndpointRequest Request => request;

    public override Caller? Caller => caller;

    public override bool HasAnswered => Volatile.Read(ref _answered) != 0;

    public override async ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken = default)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _content ??= text is not null ? Encoding.UTF8.GetBytes(text) : body is { } id ? await ReadAsync(id, cancellationToken).ConfigureAwait(false) : default;
        }
        finally
        {
            _reading.Release();
        }
    }

    public override ValueTask AnswerAsync(HttpAnswer answer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(answer);
        Begin();
        var told = new PluginHttpAnswer { Status = answer.Status, ContentType = answer.ContentType, Headers = Headers(answer.Headers), ETag = answer.ETag };
        if (TextOf(answer.Content) is { } plain)
        {
            _answer.SetResult(told with { Text = plain });
            return default;
        }

        var output = streams.Open();
        _answer.SetResult(told with { Body = output.Id });
        // The host reads it when it has read the answer.
        return new ValueTask(SendAsync(output, answer.Content));
    }

    public override ValueTask<IEventWriter> BeginEventsAsync(EventStreamStart? start = null, CancellationToken cancellationToken = default)
    {
        Begin();
        start ??= new EventStreamStart();
        var output = streams.Open();
        _output = output;
        // Cancelled where the reader is told of; the handler's token with it.
        output.Closed.UnsafeRegister(static state => _ = Cancel((CancellationTokenSource)state!), end);
        _answer.SetResult(new PluginHttpAnswer { Events = output.Id, HeartbeatMs = (long)start.Heartbeat.TotalMilliseconds, Headers = Headers(start.Headers) });
        return new ValueTask<IEventWriter>(new Events(output));
    }

    /// <summary>The handler has ended as it should.</summary>
    public void Complete() => _output?.Complete();

    /// <summary>The handler has failed after the answer had begun.</summary>
    public void Abandon() => _output?.Abandon(ErrorCodes.Internal);

    public void Dispose()
    {
        _output?.Dispose();
        _reading.Dispose();
        if (body is not { } unread || _content is not null) return;
        try
        {
            // The host waits for its reader, or for word that there is none.
            streams.Take(unread).Dispose();
        }
        catch (BridgeException)
        {
            // It was taken, or the pipe is gone.
        }
    }

    private static async Task Cancel(CancellationTokenSource source)
    {
        try
        {
            await source.CancelAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // The handler has ended.
        }
    }

    private static async Task SendAsync(PluginStreamWriter output, ReadOnlyMemory<byte> content)
    {
        using (output)
        {
            await output.WriteAsync(content).ConfigureAwait(false);
            output.Complete();
        }
    }

    private async Task<ReadOnlyMemory<byte>> ReadAsync(long id, CancellationToken cancellationToken)
    {
        using var reader = streams.Take(id);
        var all = new ArrayBufferWriter<byte>();
        int read;
        while ((read = await reader.ReadAsync(all.GetMemory(PluginProtocol.MaxFrameBytes), cancellationToken).ConfigureAwait(false)) > 0)
        {
            all.Advance(read);
            if (all.WrittenCount > maxBody) throw new BridgeException(ErrorCodes.PayloadTooLarge, $"a body has at most {maxBody} bytes here");
        }

        return all.WrittenMemory;
    }

    private void Begin()
    {
        if (Interlocked.Exchange(ref _answered, 1) != 0) throw new InvalidOperationException("This request was answered already; each gets one answer.");
    }

    private static string? TextOf(ReadOnlyMemory<byte> content)
    {
        if (content.Length > PluginProtocol.MaxTextBody) return null;
        try
        {
            return Strict.GetString(content.Span);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static IReadOnlyList<PluginHeader>? Headers(IReadOnlyList<KeyValuePair<string, string>> headers) =>
        headers.Count == 0 ? null : [.. headers.Select(header => new PluginHeader(header.Key, header.Value))];

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle nobody asks for holds nothing.")]
    private sealed class Events(PluginStreamWriter output) : IEventWriter
    {
        private readonly SemaphoreSlim _line = new(1, 1);
        private readonly ArrayBufferWriter<byte> _item = new();
        private Utf8JsonWriter? _writer;

        public CancellationToken Closed => output.Closed;

        public async ValueTask<bool> WriteAsync(ServerEvent item, CancellationToken cancellationToken = default)
        {
            await _line.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                _item.ResetWrittenCount();
                _writer ??= new Utf8JsonWriter(_item, EventItem.Options);
                _writer.Reset();
                EventItem.Write(_writer, item);
                await output.WriteItemAsync(_item.WrittenMemory, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (Exception over) when (over is BridgeException or ObjectDisposedException)
            {
                return false;
            }
            finally
            {
                _line.Release();
            }
        }
    }
}
