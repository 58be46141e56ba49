using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>One WebSocket to a gateway after its challenge: calls, and events.</summary>
internal sealed class GatewaySocket : IAsyncDisposable
{
    private const int MostCalls = 1000;
    private readonly IDialedSocket _socket;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonElement>> _calls = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<string> _challenge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _last;
    private long _garbage;
    private volatile bool _closed;

    private GatewaySocket(IDialedSocket socket, TimeProvider time)
    {
        _socket = socket;
        _time = time;
    }

    /// <summary>The challenge's nonce.</summary>
    public string Nonce { get; private set; } = "";

    /// <summary>Called for each event, from the reading loop: its name without <c>event/</c>, and its parameters. Must not wait.</summary>
    public Action<string, JsonElement>? OnEvent { get; set; }

    /// <summary>Completes when the connection has ended.</summary>
    public Task Ended => _done.Task;

    /// <summary>True as long as it hasn't.</summary>
    public bool IsOpen => !_closed;

    /// <summary>The code with which the gateway has closed, or null.</summary>
    public int? CloseCode => _socket.CloseCode;

    /// <summary>Why it ended, in words.</summary>
    public string? Reason { get; private set; }

    /// <summary>Messages that made no sense.</summary>
    public long Garbage => Volatile.Read(ref _garbage);

    /// <summary>Connects, and waits for the challenge.</summary>
    /// <exception cref="BridgeException"><c>TIMEOUT</c>, <c>UNAVAILABLE</c>: try again.</exception>
    public static async Task<GatewaySocket> OpenAsync(
        IDialer dialer, Uri gateway, ServerTrust trust, AunConnectorOptions options, Action? heard, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(options.ConnectTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        GatewaySocket? opened = null;
        try
        {
            var request = new DialRequest { Url = gateway, MaxMessageBytes = options.MaxMessageBytes, Trust = trust, Heard = heard };
            opened = new GatewaySocket(await dialer.DialAsync(request, linked.Token).ConfigureAwait(false), time);
            _ = Task.Run(opened.ReadAsync, CancellationToken.None);
            opened.Nonce = await opened._challenge.Task.WaitAsync(linked.Token).ConfigureAwait(false);
            var result = opened;
            opened = null;
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"no connection and challenge within {options.ConnectTimeout.TotalSeconds:0.###} s") { Retryable = true };
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or BridgeException))
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"the gateway can't be reached: {Explain(fault)}", fault) { Retryable = true };
        }
        finally
        {
            if (opened is not null) await opened.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Calls a method.</summary>
    /// <exception cref="AunCallException">The gateway has refused.</exception>
    /// <exception cref="BridgeException"><c>TIMEOUT</c>, <c>UNAVAILABLE</c>: the connection has ended, and it isn't known whether the call took place.</exception>
    public async Task<JsonElement> CallAsync(string method, Action<Utf8JsonWriter> parameters, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (_calls.Count >= MostCalls) throw BridgeException.Busy("too many calls wait for the gateway", TimeSpan.FromSeconds(1));
        var id = "rpc-" + Interlocked.Increment(ref _last).ToString("x", CultureInfo.InvariantCulture);
        var waiting = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var late = new CancellationTokenSource(timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        _calls[id] = waiting;
        try
        {
            if (_closed) throw Gone();
            await _socket.SendAsync(Request(id, method, parameters), linked.Token).ConfigureAwait(false);
            var answer = await waiting.Task.WaitAsync(linked.Token).ConfigureAwait(false);
            if (answer.TryGetProperty("error"u8, out var error) && error.ValueKind != JsonValueKind.Null) throw AunCallException.Of(method, error);
            return answer.TryGetProperty("result"u8, out var result) ? result : default;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"the gateway didn't answer {method} within {timeout.TotalSeconds:0.###} s") { Retryable = true };
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or BridgeException))
        {
            throw Gone();
        }
        finally
        {
            _calls.TryRemove(id, out _);
        }
    }

    /// <summary>Says goodbye; reading ends soon after.</summary>
    public ValueTask CloseAsync() => _socket.CloseAsync();

    /// <summary>Breaks the connection.</summary>
    public void Abort(string reason)
    {
        Reason ??= reason;
        _socket.Abort();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _socket.DisposeAsync().ConfigureAwait(false);
        await _done.Task.ConfigureAwait(false);
    }

    /// <summary>A line for the status. Messages of sockets and TLS name hosts and ports, never what was sent.</summary>
    public static string Explain(Exception fault) => fault switch
    {
        System.Net.WebSockets.WebSocketException { InnerException: { } inner } => Explain(inner),
        HttpRequestException { InnerException: { } inner } => Explain(inner),
        _ => fault.Message.ReplaceLineEndings(" "),
    };

    private static ReadOnlyMemory<byte> Request(string id, string method, Action<Utf8JsonWriter> parameters)
    {
        using var buffer = new MemoryStream();
        using (var writer = Envelope.NewWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0");
            writer.WriteString("id"u8, id);
            writer.WriteString("method"u8, method);
            writer.WriteStartObject("params"u8);
            parameters(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await _socket.ReceiveAsync(CancellationToken.None).ConfigureAwait(false) is { } frame) Take(frame);
            Reason ??= _socket.CloseReason ?? "the gateway closed the connection";
        }
        catch (Exception fault)
        {
            Reason ??= Explain(fault);
        }
        finally
        {
            _closed = true;
            _challenge.TrySetException(new BridgeException(ErrorCodes.Unavailable, $"the gateway sent no challenge: {Reason}") { Retryable = true });
            _ = _challenge.Task.Exception;
            foreach (var call in _calls.Values) call.TrySetException(Gone());
            _done.TrySetResult();
        }
    }

    private void Take(ReadOnlyMemory<byte> frame)
    {
        JsonElement message;
        try
        {
            message = JsonElement.Parse(frame.Span);
        }
        catch (JsonException)
        {
            Interlocked.Increment(ref _garbage);
            return;
        }

        if (message.ValueKind != JsonValueKind.Object)
        {
            Interlocked.Increment(ref _garbage);
            return;
        }

        if (message.TryGetProperty("id"u8, out var id) && id.ValueKind == JsonValueKind.String && !message.TryGetProperty("method"u8, out _))
        {
            if (_calls.TryGetValue(id.GetString()!, out var call)) call.TrySetResult(message);
        }
        else if (message.TryGetProperty("method"u8, out var method) && method.ValueKind == JsonValueKind.String)
        {
            var parameters = message.TryGetProperty("params"u8, out var given) ? given : default;
            var name = method.GetString()!;
            if (name == "challenge") TakeChallenge(parameters);
            else if (name.StartsWith("event/", StringComparison.Ordinal)) OnEvent?.Invoke(name[6..], parameters);
        }
        else
        {
            Interlocked.Increment(ref _garbage);
        }
    }

    private void TakeChallenge(JsonElement parameters)
    {
        if (Wire.Text(parameters, "nonce") is { } nonce) _challenge.TrySetResult(nonce);
    }

    private BridgeException Gone() => new(ErrorCodes.Unavailable, $"the connection to the gateway has ended: {Reason}") { Retryable = true };
}
