using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji.Connector;

namespace ChannelBridge.Host.Commands.Juji;

/// <summary>One connection of a command to the community.</summary>
internal sealed class JujiConnection(long agentId, CallTable calls, Action<JsonElement>? push, TimeSpan heartbeat) : IAsyncDisposable
{
    private const int MaxMissed = 2;
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<CallTable.Call> _outgoing = Channel.CreateUnbounded<CallTable.Call>();
    private readonly Heartbeat _heartbeat = new(MaxMissed, TimeSpan.Zero, TimeProvider.System);
    private CommunitySocket? _socket;
    private Task _running = Task.CompletedTask;

    /// <summary>The first frame, or <c>{"raw":…}</c> where it is no JSON, or there was none.</summary>
    public JsonElement Connected { get; private set; }

    /// <summary>Ends when the connection does.</summary>
    public Task Lost => _lost.Task;

    /// <summary>True when the community refused the token or the signature.</summary>
    public bool WasRefused => _socket?.CloseCode == CommunitySocket.Refused;

    /// <summary>Connects and begins to listen.</summary>
    public async Task OpenAsync(IDialer dialer, Uri url, CancellationToken cancellationToken)
    {
        var options = JujiSession.Options;
        _socket = await CommunitySocket.OpenAsync(
            dialer, url, options.MaxMessageBytes, _heartbeat.Heard, options.ConnectTimeout, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        Connected = Read(_socket.First, "raw");
        _running = RunAsync(_socket);
        calls.Attach(call => _outgoing.Writer.TryWrite(call));
    }

    /// <summary>Calls an action; without a connection there is no answer to wait for.</summary>
    /// <exception cref="JujiActionException">The community refuses it.</exception>
    public async Task<JsonElement> CallAsync(string action, JsonElement parameters, CancellationToken cancellationToken)
    {
        var asking = calls.AskAsync(action, parameters, JujiSession.Options.CallTimeout, cancellationToken);
        if (await Task.WhenAny(asking, Lost).ConfigureAwait(false) != asking)
        {
            // The answer may have come with the last frame.
            if (!asking.IsCompletedSuccessfully)
            {
                throw BridgeException.Unavailable(WasRefused
                    ? "the community refused the token or the signature (4401)" : "the connection to the community was lost before the answer came");
            }
        }

        return ContentOf(await asking.ConfigureAwait(false));
    }

    /// <summary>An answer's content.</summary>
    /// <exception cref="JujiActionException">It is a refusal.</exception>
    public static JsonElement ContentOf(JsonElement answer)
    {
        var content = answer.TryGetProperty("content"u8, out var found) ? found : JsonElement.Parse("null"u8);
        return CallTable.IsSuccess(answer) ? content : throw new JujiActionException(content);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        calls.Attach(null);
        if (_socket is not null) await _socket.CloseAsync().ConfigureAwait(false);
        await _end.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        if (_socket is not null) await _socket.DisposeAsync().ConfigureAwait(false);
        _end.Dispose();
    }

    private static JsonElement Read(ReadOnlyMemory<byte> frame, string otherwise)
    {
        try
        {
            return JsonElement.Parse(frame.Span);
        }
        catch (JsonException)
        {
            return JujiSession.Element(new JsonObject { [otherwise] = Encoding.UTF8.GetString(frame.Span) });
        }
    }

    private async Task RunAsync(CommunitySocket socket)
    {
        var sending = SendAsync(socket);
        var beating = BeatAsync(socket);
        try
        {
            while (!socket.First.IsEmpty && await socket.ReceiveAsync(CancellationToken.None).ConfigureAwait(false) is { } frame)
            {
                var message = Read(frame, "_raw");
                if (message.ValueKind == JsonValueKind.Object && (calls.Take(message) || IsPong(message))) continue;
                push?.Invoke(message);
            }
        }
        catch (Exception)
        {
            // Whatever broke it: it is lost.
        }

        await _end.CancelAsync().ConfigureAwait(false);
        _lost.TrySetResult();
        await sending.ConfigureAwait(false);
        await beating.ConfigureAwait(false);
    }

    private async Task SendAsync(CommunitySocket socket)
    {
        try
        {
            await foreach (var call in _outgoing.Reader.ReadAllAsync(_end.Token).ConfigureAwait(false))
            {
                await socket.SendAsync(CommunitySocket.Request(agentId, call.Id, call.Action, call.Parameters), _end.Token).ConfigureAwait(false);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            socket.Abort();
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    private async Task BeatAsync(CommunitySocket socket)
    {
        if (heartbeat <= TimeSpan.Zero) return;
        try
        {
            using var timer = new PeriodicTimer(heartbeat);
            while (await timer.WaitForNextTickAsync(_end.Token).ConfigureAwait(false))
            {
                if (!_heartbeat.Beat())
                {
                    socket.Abort();
                    return;
                }

                await socket.PingAsync(_end.Token).ConfigureAwait(false);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            socket.Abort();
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
    }

    private static bool IsPong(JsonElement message) =>
        message.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("pong"u8);
}

/// <summary>The community refuses a call.</summary>
internal sealed class JujiActionException(JsonElement content) : Exception($"WS action failed: {PythonText.Show(content)}");
