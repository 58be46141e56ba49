using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Responses;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>
/// One WebSocket: requests one after another, their events as text messages. It remembers the most recent response that isn't stored, so that a conversation
/// goes on here without being kept anywhere; a continuation that fails makes it forget.
/// </summary>
internal sealed partial class ResponsesConnection(
    WebSocket socket, HttpContext context, Caller caller, EndpointRuntime runtime, ResponseRuns runs, ResponseOptions options, ResponseAccess access) : IDisposable
{
    // Requests that wait behind the one that runs; the client's further ones wait in the network.
    private const int Waiting = 8;
    private const int Small = 4096;

    private readonly Channel<Arrived> _arrived = Channel.CreateBounded<Arrived>(new BoundedChannelOptions(Waiting) { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource _gone = new();
    private readonly ILogger _logger = runtime.Logger;
    private Remembered? _memory;

    /// <summary>Serves the connection to its end.</summary>
    /// <param name="stopping">The host stops: nothing more is begun.</param>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var old = new CancellationTokenSource(options.SocketLifetime, runtime.Time);
        using var last = CancellationTokenSource.CreateLinkedTokenSource(stopping, old.Token, _gone.Token, caller.Revoked);
        var reading = ReadAsync();
        try
        {
            while (await _arrived.Reader.WaitToReadAsync(last.Token).ConfigureAwait(false))
            {
                while (!last.IsCancellationRequested && _arrived.Reader.TryRead(out var arrived))
                {
                    using (arrived) await ServeAsync(arrived).ConfigureAwait(false);
                }

                last.Token.ThrowIfCancellationRequested();
            }

        }
        catch (OperationCanceledException) when (!_gone.IsCancellationRequested)
        {
            if (caller.Revoked.IsCancellationRequested)
            {
                await CloseAsync(WebSocketCloseStatus.PolicyViolation, "access revoked").ConfigureAwait(false);
            }
            else if (stopping.IsCancellationRequested)
            {
                await CloseAsync((WebSocketCloseStatus)1012, "service restart").ConfigureAwait(false);
            }
            else
            {
                await SendAsync(new ResponseFault(400, "invalid_request",
                    $"A connection lives for {options.SocketLifetime.TotalMinutes:0} minutes; open another one.", null,
                    "websocket_connection_limit_reached").ToMessage()).ConfigureAwait(false);
                await CloseAsync(WebSocketCloseStatus.PolicyViolation, "connection limit reached").ConfigureAwait(false);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or WebSocketException or IOException or ObjectDisposedException)
        {
            // The client has left.
        }
        finally
        {
            // What was sent last must arrive: a connection that is cut takes it along.
            if (socket.State is not (WebSocketState.Open or WebSocketState.Aborted))
                await reading.WaitAsync(runtime.Limits.CloseTimeout, runtime.Time, CancellationToken.None)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _gone.CancelAsync().ConfigureAwait(false);
            // A stream of an upgraded request ends no pending read; its connection does.
            if (!reading.IsCompleted) context.Abort();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (_arrived.Reader.TryRead(out var arrived)) arrived.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _gone.Dispose();

    private async Task ReadAsync()
    {
        try
        {
            while (await ReceiveAsync().ConfigureAwait(false) is { } arrived)
                await _arrived.Writer.WriteAsync(arrived, _gone.Token).ConfigureAwait(false);
            _arrived.Writer.TryComplete();
            await CloseAsync(WebSocketCloseStatus.NormalClosure, null).ConfigureAwait(false);
            // Whether what runs goes on without its client is a setting; the events aren't sent any more.
            await _gone.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            _arrived.Writer.TryComplete();
            await _gone.CancelAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask<Arrived?> ReceiveAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Small);
        var length = 0;
        long taken = 0;
        var fault = (ResponseFault?)null;
        try
        {
            while (true)
            {
                if (length == buffer.Length && fault is null)
                {
                    var more = Math.Min(buffer.Length, options.MaxBodyBytes + 1L - buffer.Length);
                    if (more <= 0)
                    {
                        fault = TooLarge();
                    }
                    else if (!runtime.IncomingMemory.TryTake(more))
                    {
                        fault = ResponseFault.Of(BridgeException.Busy("The host's memory for messages is taken; try again.", TimeSpan.FromSeconds(1)));
                    }
                    else
                    {
                        taken += more;
                        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                        buffer.AsSpan(0, length).CopyTo(larger);
                        ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
                        buffer = larger;
                    }
                }

                // What is too large is read past.
                var received = await socket.ReceiveAsync(fault is null ? buffer.AsMemory(length) : buffer.AsMemory(), _gone.Token).ConfigureAwait(false);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    Return();
                    return null;
                }

                if (fault is null) length += received.Count;
                // The buffer is rounded up; the bound isn't.
                if (length > options.MaxBodyBytes) fault ??= TooLarge();
                if (received.MessageType == WebSocketMessageType.Binary) fault ??= new ResponseFault(400, "invalid_request", "Requests are text messages.");
                if (received.EndOfMessage) return new Arrived(buffer, fault is null ? length : 0, taken, fault, runtime);
            }
        }
        catch
        {
            Return();
            throw;
        }

        ResponseFault TooLarge() => new(413, "invalid_request", $"The message is larger than {options.MaxBodyBytes} bytes.", null, "payload_too_large");

        void Return()
        {
            if (taken > 0) runtime.IncomingMemory.Give(taken);
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }

    private async Task ServeAsync(Arrived arrived)
    {
        string? continued = null;
        var failed = true;
        try
        {
            if ((arrived.Fault ?? access.CheckRate(context, caller)) is { } refused)
            {
                await SendAsync(refused.ToMessage()).ConfigureAwait(false);
                return;
            }

            var (request, generate) = Read(arrived.Content);
            continued = request.PreviousResponseId;
            var remembered = continued is not null && _memory?.Id == continued ? _memory : null;
            var store = request.Store ?? true;
            var (history, session) = await RecallAsync(request, remembered, store).ConfigureAwait(false);
            var run = await runs.StartAsync(
                new ResponseStart { Request = request, Owner = caller.Name, History = history, Session = session, Generate = generate }, _gone.Token).ConfigureAwait(false);
            try
            {
                await foreach (var one in run.ReadAsync(-1, _gone.Token).ConfigureAwait(false))
                {
                    // Before the client can ask for more.
                    if (one.IsTerminal)
                    {
                        failed = one.Type == ResponseEventTypes.Failed;
                        await RememberAsync(run, request, history, store, failed, arrived.Content.Length).ConfigureAwait(false);
                    }

                    await SendAsync(one.Json).ConfigureAwait(false);
                }
            }
            catch when (_gone.IsCancellationRequested)
            {
                if (options.CancelOnDisconnect) await run.CancelAsync().ConfigureAwait(false);
                throw;
            }
        }
        catch (Exception fault) when (!_gone.IsCancellationRequested && fault is not (WebSocketException or OperationCanceledException))
        {
            if (fault is not (BridgeException or ResponseRequestException)) LogFault(fault);
            Forget(continued);
            await SendAsync(ResponseFault.Of(fault).ToMessage()).ConfigureAwait(false);
        }
        finally
        {
            if (failed) Forget(continued);
        }
    }

    private static (ResponseRequest Request, bool Generate) Read(ReadOnlyMemory<byte> message)
    {
        using var document = ResponseRequestReader.Parse(message);
        var root = document.RootElement;
        if (!root.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String || type.GetString() != "response.create")
            throw new ResponseRequestException("type must be response.create", "type", "invalid_value");
        var generate = !root.TryGetProperty("generate", out var flag) || flag.ValueKind != JsonValueKind.False;
        var request = generate ? ResponseRequestReader.Read(root) : ResponseRequestReader.ReadWarmUp(root);
        // Events are all that there is here, and who asks for no stream, or to be left alone, is told.
        var ignored = new List<string>(request.Ignored);
        if (root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.False) ignored.Add("stream");
        if (request.Background == true) ignored.Add("background");
        return (IgnoredNote.InMetadata(request with { Stream = true, Background = null, Ignored = ignored }), generate);
    }

    private async ValueTask<(IReadOnlyList<ResponseItem>? History, string? Session)> RecallAsync(ResponseRequest request, Remembered? remembered, bool store)
    {
        if (remembered is not null) return (remembered.Items, remembered.Session);
        // A response that isn't stored must be remembered with all that was before it.
        if (request.PreviousResponseId is not { } previous || store) return (null, null);
        var (items, session) = await runs.GetConversationAsync(previous, caller.Name, _gone.Token).ConfigureAwait(false);
        return (items, session);
    }

    private async ValueTask RememberAsync(IResponseRun run, ResponseRequest request, IReadOnlyList<ResponseItem>? history, bool store, bool failed, int size)
    {
        if (store || failed) return;
        var final = await run.Completion.ConfigureAwait(false);
        var before = _memory is { } memory && memory.Id == request.PreviousResponseId ? memory.Size : 0;
        var whole = before + size + final.Length;
        if (whole > options.ConversationCapacity) return;
        using var document = JsonDocument.Parse(final, ResponseRequestReader.Deep);
        var output = run.Kept ?? ResponseRequestReader.ReadItems(document.RootElement.GetProperty("output"));
        _memory = new Remembered(run.Id, run.Session, [.. history ?? [], .. request.Input, .. output], whole);
    }

    private void Forget(string? id)
    {
        if (id is not null && _memory?.Id == id) _memory = null;
    }

    private ValueTask SendAsync(ReadOnlyMemory<byte> json) =>
        socket.State == WebSocketState.Open
            ? socket.SendAsync(json, WebSocketMessageType.Text, WebSocketMessageFlags.EndOfMessage, _gone.Token)
            : ValueTask.CompletedTask;

    private async Task CloseAsync(WebSocketCloseStatus status, string? reason)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived)) return;
        using var late = new CancellationTokenSource(runtime.Limits.CloseTimeout, runtime.Time);
        try
        {
            await socket.CloseOutputAsync(status, reason, late.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // It is gone already.
        }
    }

    [LoggerMessage(LogEvents.ResponsesConnectionFault, LogLevel.Error, "A request over the WebSocket of /v1/responses failed")]
    private partial void LogFault(Exception fault);

    private sealed record Remembered(string Id, string Session, IReadOnlyList<ResponseItem> Items, long Size);

    private sealed class Arrived(byte[] buffer, int length, long taken, ResponseFault? fault, EndpointRuntime runtime) : IDisposable
    {
        public ReadOnlyMemory<byte> Content => buffer.AsMemory(0, length);

        public ResponseFault? Fault => fault;

        public void Dispose()
        {
            if (taken > 0) runtime.IncomingMemory.Give(taken);
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
