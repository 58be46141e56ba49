using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>
/// Runs of the host's agents, from a plugin's process. The owner is a channel and an account (<c>mychat:Main</c>). What the host alone can do
/// isn't offered: a message of the channel's own, slots, other texts' bounds, a history beside the request.
/// </summary>
internal sealed class HostRuns(IPluginHost host, PluginStreams streams, IReadOnlyList<string> agents) : IResponseRuns
{
    public async ValueTask<IResponseRun> StartAsync(ResponseStart start, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.Message is not null || start.Slots is not null || start.History is not null || start.Timeout is not null || start.Coalescing is not null || !start.Generate)
            throw BridgeException.Invalid("a plugin's run has a request, an owner, an id, a session and an agent; the rest of ResponseStart is the host's");
        var (channel, account) = Split(start.Owner);
        var run = await host.StartRunAsync(
            new PluginRunStart
            {
                Channel = channel,
                AccountId = account,
                Request = Write(start.Request),
                Agent = start.Agent is { } agent && agents.Contains(agent, StringComparer.Ordinal) ? agent : null,
                Id = start.ResponseId,
                Session = start.Session,
                OutlivesHost = start.OutlivesHost,
            },
            cancellationToken).TranslateAsync().ConfigureAwait(false);
        return new Run(this, channel, account, run.Id, streams.Take(run.Stream));
    }

    public async ValueTask<IResponseRun?> FindAsync(string responseId, string owner, CancellationToken cancellationToken)
    {
        var (channel, account) = Split(owner);
        try
        {
            var run = await host.ReadRunAsync(channel, account, responseId, -1, cancellationToken).TranslateAsync().ConfigureAwait(false);
            return new Run(this, channel, account, run.Id, streams.Take(run.Stream));
        }
        catch (BridgeException unknown) when (unknown.Code == ErrorCodes.NotFound)
        {
            return null;
        }
    }

    private static (string Channel, string Account) Split(string owner) => owner.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon
        ? (owner[..colon], owner[(colon + 1)..])
        : throw BridgeException.Invalid("the owner of a plugin's run is channel:account");

    private static JsonElement Write(ResponseRequest request)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (request.Model is { } model) writer.WriteString("model"u8, model);
            if (request.Instructions is { } instructions) writer.WriteString("instructions"u8, instructions);
            if (request.PreviousResponseId is { } previous) writer.WriteString("previous_response_id"u8, previous);
            if (request.User is { } user) writer.WriteString("user"u8, user);
            writer.WriteBoolean("stream"u8, true);
            writer.WriteStartArray("input"u8);
            foreach (var item in request.Input) ResponseWriter.WriteItem(writer, item);
            writer.WriteEndArray();
            RequestWriter.WriteSettings(writer, request);
            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory, ResponseRequestReader.Deep);
        return document.RootElement.Clone();
    }

    private sealed class Run(HostRuns runs, string channel, string account, string id, PluginStreamReader first) : IResponseRun
    {
        private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private PluginStreamReader? _first = first;
        private int _waiting;

        public string Id => id;

        public Task<ReadOnlyMemory<byte>> Completion
        {
            get
            {
                // Whoever waits for the end only has nobody that reads up to it.
                if (Interlocked.Exchange(ref _waiting, 1) == 0) _ = WaitAsync();
                return _completion.Task;
            }
        }

        public async IAsyncEnumerable<StreamEvent> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            // The stream that came with the start begins at the first event.
            var reader = Interlocked.Exchange(ref _first, null);
            if (after >= 0)
            {
                reader?.Dispose();
                reader = null;
            }

            reader ??= runs.Take(await runs.OpenAsync(channel, account, id, after, cancellationToken).ConfigureAwait(false));
            using (reader)
            {
                await foreach (var item in reader.ReadItemsAsync(cancellationToken: cancellationToken).ConfigureAwait(false))
                {
                    var happened = Parse(item);
                    if (happened.IsTerminal) End(happened);
                    yield return happened;
                }
            }
        }

        public async ValueTask CancelAsync() => await runs.CancelAsync(channel, account, id).ConfigureAwait(false);

        private async Task WaitAsync()
        {
            try
            {
                await foreach (var _ in ReadAsync(-1, CancellationToken.None).ConfigureAwait(false))
                {
                    // The terminal one completes it.
                }

                _completion.TrySetException(BridgeException.Unavailable("the host is gone"));
            }
            catch (BridgeException fault)
            {
                _completion.TrySetException(fault);
            }
        }

        private void End(StreamEvent terminal)
        {
            using var document = JsonDocument.Parse(terminal.Json, ResponseRequestReader.Deep);
            _completion.TrySetResult(System.Text.Encoding.UTF8.GetBytes(document.RootElement.GetProperty("response").GetRawText()));
        }

        private static StreamEvent Parse(ReadOnlyMemory<byte> item)
        {
            var json = item.ToArray();
            using var document = JsonDocument.Parse(json, ResponseRequestReader.Deep);
            var root = document.RootElement;
            return new StreamEvent(root.GetProperty("sequence_number").GetInt64(), root.GetProperty("type").GetString()!, json);
        }
    }

    private PluginStreamReader Take(PluginRun run) => streams.Take(run.Stream);

    private Task<PluginRun> OpenAsync(string channel, string account, string id, long after, CancellationToken cancellationToken) =>
        host.ReadRunAsync(channel, account, id, after, cancellationToken).TranslateAsync();

    private Task CancelAsync(string channel, string account, string id) => host.CancelRunAsync(channel, account, id, CancellationToken.None).TranslateAsync();
}
