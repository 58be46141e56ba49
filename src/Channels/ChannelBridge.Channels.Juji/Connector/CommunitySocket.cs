using System.Text.Json;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>One WebSocket to the community, after its first frame.</summary>
internal sealed class CommunitySocket : IAsyncDisposable
{
    /// <summary>The code with which the community closes what it doesn't let in.</summary>
    public const int Refused = 4401;

    private static readonly byte[] Ping = "ping"u8.ToArray();
    private readonly IDialedSocket _socket;

    private CommunitySocket(IDialedSocket socket, ReadOnlyMemory<byte> first)
    {
        _socket = socket;
        First = first;
    }

    /// <summary>The first frame's bytes, as a rule <c>{"type":"connected",…}</c>; empty when the community closed instead.</summary>
    public ReadOnlyMemory<byte> First { get; }

    /// <summary>The code with which the community closed, or null.</summary>
    public int? CloseCode => _socket.CloseCode;

    /// <summary>Why it closed, or null.</summary>
    public string? CloseReason => _socket.CloseReason;

    /// <summary>Connects and waits for the first frame.</summary>
    /// <exception cref="BridgeException"><c>TIMEOUT</c>, <c>UNAVAILABLE</c>.</exception>
    public static async Task<CommunitySocket> OpenAsync(
        IDialer dialer, Uri url, int maxMessageBytes, Action? heard, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        IDialedSocket? socket = null;
        try
        {
            socket = await dialer.DialAsync(new DialRequest { Url = url, MaxMessageBytes = maxMessageBytes, Heard = heard }, linked.Token).ConfigureAwait(false);
            var first = await socket.ReceiveAsync(linked.Token).ConfigureAwait(false);
            var opened = new CommunitySocket(socket, first ?? default);
            socket = null;
            return opened;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"no connection within {timeout.TotalSeconds:0.###} s") { Retryable = true };
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or BridgeException))
        {
            // The address has the token in it; the words of sockets and of the upgrade don't.
            throw new BridgeException(ErrorCodes.Unavailable, CommunityApi.Explain(fault), fault) { Retryable = true };
        }
        finally
        {
            if (socket is not null) await socket.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The next frame's bytes; null when the community has closed.</summary>
    public ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken) => _socket.ReceiveAsync(cancellationToken);

    /// <summary>Sends a frame.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) => _socket.SendAsync(frame, cancellationToken);

    /// <summary>Sends frames together.</summary>
    public ValueTask SendAsync(IReadOnlyList<ReadOnlyMemory<byte>> frames, CancellationToken cancellationToken) => _socket.SendAsync(frames, cancellationToken);

    /// <summary>Sends the word <c>ping</c>, which is no JSON.</summary>
    public ValueTask PingAsync(CancellationToken cancellationToken) => _socket.SendAsync(Ping, cancellationToken);

    /// <summary>Says goodbye.</summary>
    public ValueTask CloseAsync() => _socket.CloseAsync();

    /// <summary>Breaks the connection.</summary>
    public void Abort() => _socket.Abort();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _socket.DisposeAsync();

    /// <summary>A request's frame.</summary>
    public static byte[] Request(long agentId, string requestId, string action, JsonElement parameters)
    {
        using var buffer = new PooledBuffer();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("agent_id"u8, agentId);
            writer.WriteString("u_id"u8, requestId);
            writer.WriteStartObject("params"u8);
            writer.WriteString("action"u8, action);
            writer.WritePropertyName("params"u8);
            if (parameters.ValueKind == JsonValueKind.Undefined) writer.WriteRawValue("{}"u8);
            else parameters.WriteTo(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.Written.ToArray();
    }
}
