using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Endpoints.Buffers;
using ChannelBridge.Endpoints.Router;
using ChannelBridge.Protocol;
using ChannelBridge.Protocol.Json;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>A client that speaks the OpenClaw gateway's own protocol, version 4: existing bridges, unchanged.</summary>
internal sealed class OpenClawConnection : ClientConnection
{
    private static readonly TimeSpan Arrival = TimeSpan.FromSeconds(5);

    private readonly Audit _audit;
    private readonly Challenge _said;
    private Task? _deciding;
    private DeviceGrant? _device;
    private string? _issued;
    private long _issuedAt;
    private long _seq;
    private long _lastTick;

    public OpenClawConnection(EndpointRuntime runtime, MessageTransport transport, ConnectionOrigin origin)
        : base(runtime, transport, origin, new Caller("anonymous", Scopes.None, origin.Door))
    {
        _audit = new Audit(runtime);
        _said = new Challenge(Guid.NewGuid().ToString(), runtime.Time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    public override string Dialect => "openclaw";

    /// <inheritdoc/>
    public override void Sweep()
    {
        base.Sweep();
        if (!IsClosing && Volatile.Read(ref _issued) is not null && Runtime.Time.GetElapsedTime(_issuedAt) > Arrival) TokenArrived();
        var interval = Runtime.Limits.TickInterval;
        if (!IsAuthenticated || IsClosing || interval <= TimeSpan.Zero) return;
        if (Runtime.Time.GetElapsedTime(_lastTick) < interval) return;
        _lastTick = Runtime.Time.GetTimestamp();
        SendEvent(OpenClawNames.TickEvent, new JsonObject { ["ts"] = Now });
    }

    /// <summary>Tells the client that the host is about to go.</summary>
    public void AnnounceShutdown()
    {
        if (IsAuthenticated) SendEvent(OpenClawNames.ShutdownEvent, new JsonObject { ["reason"] = "service restart" });
    }

    protected override void OnOpened()
    {
        var challenge = OutgoingMessage.Rent();
        var payload = new JsonObject { ["nonce"] = _said.Nonce, ["ts"] = _said.At, ["capabilities"] = new JsonArray() };
        OpenClawFrameWriter.BeginEvent(challenge, OpenClawNames.ChallengeEvent, Utf8(payload));
        OpenClawFrameWriter.EndEvent(challenge, null);
        Send(challenge);
    }

    protected override void Handle(IncomingMessage message)
    {
        switch (message.Kind)
        {
            case IncomingKind.Text:
                HandleText(message);
                break;
            case IncomingKind.TooLarge when !IsAuthenticated:
                Close(1009, "preauth payload too large");
                break;
            case IncomingKind.NoRoom when !IsAuthenticated:
                Close(1013, "too many large messages before authentication; try again later");
                break;
            case IncomingKind.NoRoom:
                Reply(OpenClawFrameReader.AsFrameId(message.RecoveredId, Runtime.Json).Span, NoRoom(message));
                break;
            case IncomingKind.TooLarge:
                Reply(
                    OpenClawFrameReader.AsFrameId(message.RecoveredId, Runtime.Json).Span,
                    new BridgeException(ErrorCodes.PayloadTooLarge, $"frame of {message.WireLength} bytes is larger than maxPayload {Transport.MaxMessageBytes}"));
                break;
            default:
                var refusal = new BridgeException(ErrorCodes.InvalidRequest, "frames are text messages; this host takes no binary ones here");
                Reply(default, refusal);
                if (!IsAuthenticated) Close(1008, "invalid request frame");
                break;
        }
    }

    protected override void WriteEvent(OutgoingMessage output, string name, ReadOnlySpan<byte> payload) =>
        OpenClawFrameWriter.BeginEvent(output, name, payload);

    protected override void EndEvent(OutgoingMessage output) => OpenClawFrameWriter.EndEvent(output, ++_seq);

    protected override void BeginResult(PendingRequest request) => OpenClawFrameWriter.BeginResult(request.Response, request.Id.Span);

    protected override void EndResult(PendingRequest request) => request.Response.Write(OpenClawFrameWriter.End);

    protected override void WriteError(PendingRequest request, BridgeException error) =>
        ErrorRenderer.WriteOpenClaw(request.Response, request.Id.Span, error, request.Method?.LegacyErrors ?? error.LegacyText is not null);

    protected override Task? Handshake => _deciding;

    protected override void OnClosed()
    {
        if (ClosedByClient) TokenArrived();
        _device?.Dispose();
    }

    protected override CancellationToken TokenOf(PendingRequest request) => Closed;

    private static ReadOnlySpan<byte> Utf8(JsonObject value) => JsonSerializer.SerializeToUtf8Bytes(value, EndpointJson.Default.JsonObject);

    private long Now => Runtime.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private void HandleText(IncomingMessage message)
    {
        var understood = OpenClawFrameReader.TryReadRequest(message.Memory, Runtime.Json, out var frame, out var error);
        if (!IsAuthenticated)
        {
            if (understood) Connect(frame);
            else RefuseHandshake(frame, error);
            return;
        }

        TokenArrived();
        if (!understood)
        {
            Reply(frame.Id.Span, TakeRate() ?? ErrorRenderer.Describe(error, "invalid request frame: "));
            return;
        }

        if (frame.Name.Span.SequenceEqual("connect"u8))
        {
            Reply(frame.Id.Span, BridgeException.Invalid("connect is only valid as the first request"));
            return;
        }

        var request = PendingRequest.Rent(this, message, frame.Id, Runtime.Time.GetTimestamp());
        if (!Requests.TryAdd(request))
        {
            request.Return();
            Reply(frame.Id.Span, BridgeException.Invalid("a request with this id is still running on this connection"));
            return;
        }

        var parameters = frame.Payload.Span.SequenceEqual("null"u8) ? default : frame.Payload;
        Start(request, frame.Name.Span, parameters, frame.TraceParent.Span);
    }

    // As the gateway does: what isn't even a request is closed without an answer, the rest is told why first.
    private void RefuseHandshake(OpenClawFrame frame, in ProtocolError error)
    {
        if (!frame.Id.IsEmpty) Reply(frame.Id.Span, ErrorRenderer.Describe(error, "invalid request frame: "));
        Close(1008, "invalid request frame");
    }

    private void Connect(OpenClawFrame frame)
    {
        if (!frame.Name.Span.SequenceEqual("connect"u8))
        {
            Fail(frame, BridgeException.Invalid("invalid handshake: first request must be connect"));
            return;
        }

        if (!ConnectParamsReader.TryRead(frame.Payload, out var connect, out var fault))
        {
            Fail(frame, BridgeException.Invalid($"invalid connect params: {fault}"));
            return;
        }

        _deciding = DecideAsync(connect!, frame);
    }

    private async Task DecideAsync(ConnectParams connect, OpenClawFrame frame)
    {
        ConnectOutcome outcome;
        try
        {
            outcome = await ConnectPolicy.CheckAsync(connect, Runtime, Origin, _said, Closed).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // The store can't say who the device is; a client that tries again gets in when it can.
            Fail(frame, fault, closeCode: 1013);
            return;
        }
        catch (OperationCanceledException) when (Closed.IsCancellationRequested)
        {
            return;
        }

        if (outcome.Refusal is { } refusal)
        {
            if (refusal.IsFailedAuthentication) _audit.Failed(this, connect.Client.Id, refusal.Identity, refusal.Reason);
            Fail(frame, refusal.Error, refusal.CloseCode);
            return;
        }

        var caller = outcome.Caller!;
        _device = outcome.Device?.Grant;
        if (IsClosing) return;
        SetAuthenticated(caller);
        _lastTick = Runtime.Time.GetTimestamp();
        _audit.Authenticated(this, connect.Client.Id);
        (_issuedAt, _issued) = (_lastTick, outcome.Device?.IssuedToken);
        Send(Hello(frame.Id.Span, caller, outcome));
    }

    /// <summary>A client that speaks, stays, or takes its leave has read its hello, and with it the token that was issued.</summary>
    private void TokenArrived()
    {
        if (Interlocked.Exchange(ref _issued, null) is { } token) _ = Runtime.Devices!.ArrivedAsync(_device!.DeviceId, token);
    }

    private OutgoingMessage Hello(ReadOnlySpan<byte> id, Caller caller, ConnectOutcome outcome)
    {
        var limits = Runtime.Limits;
        var hello = new HelloOk
        {
            Server = new HelloServer(Runtime.Options.Version, Id, Runtime.BootId),
            Features = new HelloFeatures(
                Runtime.Router.NamesFor(caller),
                [OpenClawNames.ChallengeEvent, .. Runtime.Router.Events, OpenClawNames.ShutdownEvent, OpenClawNames.TickEvent],
                []),
            Auth = new HelloAuth(DeviceMethods.Role, caller.Scopes.ToNames(), outcome.Method, outcome.Device?.IssuedToken, outcome.Device?.IssuedAt),
            Policy = new HelloPolicy(limits.MaxPayloadBytes, limits.MaxBufferedBytes, (int)limits.TickInterval.TotalMilliseconds),
        };
        var message = OutgoingMessage.Rent();
        OpenClawFrameWriter.BeginResult(message, id);
        message.Write(JsonSerializer.SerializeToUtf8Bytes(hello, OpenClawJsonContext.Default.HelloOk));
        message.Write(OpenClawFrameWriter.End);
        return message;
    }

    private void Fail(OpenClawFrame frame, BridgeException error, int closeCode = 1008)
    {
        Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", "handshake"));
        Reply(frame.Id.Span, error);
        // A reason has room for 123 bytes.
        var reason = SoundText.Cut(error.Message, 100);
        Close(closeCode, reason.All(char.IsAscii) ? reason : "invalid handshake");
    }

    private void Reply(ReadOnlySpan<byte> id, BridgeException error)
    {
        Telemetry.Errors.Add(1, new KeyValuePair<string, object?>("channelbridge.code", error.Code));
        var message = OutgoingMessage.Rent();
        ErrorRenderer.WriteOpenClaw(message, id, error, legacy: false);
        Send(message);
    }

    private void SendEvent(string name, JsonObject payload)
    {
        var message = OutgoingMessage.Rent();
        WriteEvent(message, name, Utf8(payload));
        if (Outgoing.TryEnqueue(message, EndEvent) != EnqueueOutcome.Enqueued) message.Return();
    }
}
