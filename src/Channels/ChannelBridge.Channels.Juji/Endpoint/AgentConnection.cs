using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>One connection of a member: what it says is taken here, what it is told goes out by it.</summary>
internal sealed class AgentConnection(long agentId, ISocketPeer peer, ActionDesk actions, TimeProvider time) : IPushTarget
{
    private const int MaxFrame = 1024 * 1024;
    internal const int MostAtOnce = 32;
    private const int MaxId = 200;
    private static readonly byte[] Pong = """{"type":"pong"}"""u8.ToArray();
    private static readonly JsonDocumentOptions Bounds = new() { MaxDepth = 64 };
    private readonly Lock _gate = new();
    private TaskCompletionSource? _room;
    private int _running;
    private long _saidAt = time.GetTimestamp();

    /// <summary>Whose.</summary>
    public long AgentId => agentId;

    /// <summary>The other end.</summary>
    public ISocketPeer Peer => peer;

    /// <summary>Since when nothing was said to it.</summary>
    public TimeSpan Silence => time.GetElapsedTime(Volatile.Read(ref _saidAt));

    /// <inheritdoc/>
    public string ConnectionId => peer.Id;

    /// <inheritdoc/>
    public bool RequiresAck => false;

    /// <inheritdoc/>
    public DateTimeOffset LastReceivedAt => peer.LastHeardAt;

    /// <inheritdoc/>
    public CancellationToken Closed => peer.Closed;

    /// <inheritdoc/>
    public bool ClosedByClient => peer.End is { ByPeer: true, Code: 1000 or 1001 or 1005 };

    /// <inheritdoc/>
    public ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken) => SendAsync(FrameOf(item), cancellationToken);

    /// <summary>Says pong unasked, so that a member that waits 30 s for anything goes on waiting.</summary>
    public ValueTask<PushOutcome> PongAsync(CancellationToken cancellationToken) => SendAsync(Pong, cancellationToken);

    /// <summary>Says that the connection is there.</summary>
    public ValueTask<PushOutcome> GreetAsync(CancellationToken cancellationToken) =>
        SendAsync(Encoding.UTF8.GetBytes(new JsonObject { ["type"] = "connected", ["agent_id"] = agentId }.ToJsonString()), cancellationToken);

    /// <summary>
    /// Takes what the member says until it leaves. Calls run beside each other, up to a bound, then the member waits. Those that run when it leaves run to their end:
    /// who comes back with the same <c>u_id</c> gets the answer.
    /// </summary>
    public async Task ServeAsync(CancellationToken cancellationToken)
    {
        while (await peer.ReceiveAsync(cancellationToken).ConfigureAwait(false) is { } message)
        {
            if (IsPing(message.Content.Span))
            {
                await PongAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            var (request, id, wrong) = Read(message);
            if (wrong is not null)
            {
                await AnswerAsync(id, ActionAnswer.Failed(wrong), cancellationToken).ConfigureAwait(false);
                continue;
            }

            await EnterAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            _ = RunAsync(request, id!);
        }
    }

    /// <summary>Takes a place for a call; completes when one was free.</summary>
    private Task EnterAsync()
    {
        lock (_gate)
        {
            if (_running++ < MostAtOnce) return Task.CompletedTask;
            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    private void Leave()
    {
        TaskCompletionSource? next;
        lock (_gate)
        {
            _running--;
            (next, _room) = (_room, null);
        }

        next?.SetResult();
    }

    private async Task RunAsync(JsonElement request, string id)
    {
        try
        {
            var answer = await actions.RunAsync(agentId, id, request).ConfigureAwait(false);
            await AnswerAsync(id, answer, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            Leave();
        }
    }

    private (JsonElement Request, string? Id, string? Wrong) Read(SocketMessage message)
    {
        if (message.IsBinary) return (default, null, "a frame is text");
        if (message.Content.Length > MaxFrame) return (default, null, $"a frame has at most {MaxFrame} bytes");
        JsonElement frame;
        try
        {
            frame = JsonElement.Parse(message.Content.Span, Bounds);
        }
        catch (JsonException)
        {
            return (default, null, "the frame is no JSON, or nested too deeply");
        }

        if (frame.ValueKind != JsonValueKind.Object) return (default, null, "a frame is an object");
        var id = Connector.CallTable.IdOf(frame);
        if (id is not { Length: > 0 and <= MaxId }) return (default, null, $"u_id is missing, or longer than {MaxId} characters");
        if (Connector.CommunityApi.IdOf(frame) != agentId) return (default, id, "agent_id must be that of the connection");
        if (!frame.TryGetProperty("params"u8, out var request) || request.ValueKind != JsonValueKind.Object) return (default, id,
            "params must be an object with action and params");
        return (request, id, null);
    }

    private async ValueTask AnswerAsync(string? id, ActionAnswer answer, CancellationToken cancellationToken)
    {
        using var buffer = new PooledBuffer();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("agent_id"u8, agentId);
            if (id is null) writer.WriteNull("u_id"u8);
            else writer.WriteString("u_id"u8, id);
            writer.WritePropertyName("content"u8);
            // Written by this host itself a moment ago.
            writer.WriteRawValue(answer.Content.Span, skipInputValidation: true);
            writer.WriteString("status"u8, answer.Ok ? "success"u8 : "error"u8);
            writer.WriteEndObject();
        }

        await SendAsync(buffer.Written, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _saidAt, time.GetTimestamp());
        return peer.SendAsync(frame, cancellationToken: cancellationToken);
    }

    private static ReadOnlyMemory<byte> FrameOf(PushItem item)
    {
        if (item.Message.Type == Community.PushType) return Community.Identified(item.Message.Text, item.Id);
        var push = new JsonObject
        {
            ["type"] = "agent/message",
            ["topic"] = "agent.message",
            ["event"] = "agent.message",
            ["message"] = item.Message.Text,
            ["push_id"] = item.Id.ToString("N"),
        };
        return Encoding.UTF8.GetBytes(push.ToJsonString());
    }

    private static bool IsPing(ReadOnlySpan<byte> content) => content.SequenceEqual("ping"u8) || content.Trim(" \t\r\n"u8).SequenceEqual("{}"u8);
}
