using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Client.Internal;

/// <summary>The OpenClaw gateway's dialect, version 4: <c>req</c>, <c>res</c> and <c>event</c> frames.</summary>
internal sealed class OpenClawDialect(ChannelBridgeClientOptions options, DeviceLogin login) : IClientDialect
{
    public void WriteCall(IBufferWriter<byte> output, long id, string method, ReadOnlySpan<byte> parameters, string? traceParent) =>
        OpenClawFrameWriter.WriteRequest(output, id.ToString(CultureInfo.InvariantCulture), method, parameters.IsEmpty ? "{}"u8 : parameters, traceParent);

    public bool WriteCancel(IBufferWriter<byte> output, long id) => false;

    public bool WriteNotServed(IBufferWriter<byte> output, ReadOnlyMemory<byte> rawId) => false;

    public Incoming Read(ReadOnlyMemory<byte> message)
    {
        if (!OpenClawFrameReader.TryRead(message, IClientDialect.Limits, out var frame, out var error))
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"The host sent what is no OpenClaw frame: {error.Message}");
        return frame.Kind switch
        {
            OpenClawFrameKind.Event => new Incoming(IncomingKind.Event, -1, frame.Name, frame.Payload, null, default),
            OpenClawFrameKind.Response => new Incoming(IncomingKind.Answer, Number(frame.Id.Span), default, frame.Payload, frame.Ok ? null : ReadError(frame), default),
            _ => new Incoming(IncomingKind.Call, -1, frame.Name, frame.Payload, null, frame.Id),
        };
    }

    public async Task<ServerInfo> AuthenticateAsync(ClientSession session, string? token, CancellationToken cancellationToken)
    {
        // The server speaks first: a device signs its nonce.
        var first = await session.WaitForFirstEventAsync(cancellationToken).ConfigureAwait(false);
        if (first.Name != OpenClawNames.ChallengeEvent)
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, $"The host's first frame is no {OpenClawNames.ChallengeEvent}.");
        var connect = new ConnectParams
        {
            MinProtocol = OpenClawNames.Protocol,
            MaxProtocol = OpenClawNames.Protocol,
            Client = new ConnectClient
            {
                Id = options.ClientId,
                Mode = options.ClientMode,
                Version = options.ClientVersion,
                Platform = Platform,
                DeviceFamily = options.DeviceFamily,
                DisplayName = options.DisplayName,
            },
            Role = DeviceLogin.Role,
            Scopes = [.. options.Scopes],
            Caps = [],
        };
        connect = await login.PrepareAsync(connect, token, first.Payload, cancellationToken).ConfigureAwait(false);
        var parameters = JsonSerializer.SerializeToUtf8Bytes(connect, OpenClawJsonContext.Default.ConnectParams);
        var answer = await session.CallAsync(OpenClawNames.ConnectMethod, parameters, cancellationToken).ConfigureAwait(false);
        HelloOk hello;
        try
        {
            hello = JsonSerializer.Deserialize(answer.Span, OpenClawJsonContext.Default.HelloOk) ?? throw new JsonException("hello-ok is null");
        }
        catch (JsonException fault)
        {
            throw new ChannelBridgeClientException(ClientErrorCodes.ProtocolError, "The host's answer to connect is no hello-ok.", fault);
        }

        await login.AcceptedAsync(hello.Auth, cancellationToken).ConfigureAwait(false);
        return new ServerInfo
        {
            Version = hello.Server.Version,
            ConnectionId = hello.Server.ConnId,
            Methods = hello.Features.Methods,
            Scopes = hello.Auth.Scopes,
            MaxPayload = hello.Policy.MaxPayload,
        };
    }

    // As Node names them: a paired device is bound to its platform, whatever the client is written in.
    private static string Platform => OperatingSystem.IsWindows() ? "win32" : OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsLinux() ? "linux" : "unix";

    // Our ids are numbers in quotes.
    private static long Number(ReadOnlySpan<byte> id) =>
        id.Length > 2 && Utf8Parser.TryParse(id[1..^1], out long number, out var consumed) && consumed == id.Length - 2 ? number : -1;

    private static ChannelBridgeClientException ReadError(in OpenClawFrame frame)
    {
        // The existing bncr plugin answers a failure in payload.error, without a code.
        var old = WireErrors.Text(WireErrors.Parse(frame.Payload)?["error"]);
        var error = WireErrors.FromObject(WireErrors.Parse(frame.Error), "INVALID_REQUEST", old ?? "the host gave no reason");
        var detail = WireErrors.Text(error.Details?["code"]);
        if (detail == OpenClawNames.ConnectErrors.PairingRequired)
            return new ChannelBridgeClientException(ClientErrorCodes.PairingRequired, error.Message, error) { Details = error.Details, RetryAfter = error.RetryAfter };
        return detail is not null && IsAboutCredentials(detail) && !error.Retryable
            ? new ChannelBridgeClientException(ClientErrorCodes.Unauthorized, error.Message, error) { Details = error.Details }
            : error;
    }

    private static bool IsAboutCredentials(string code) =>
        code.StartsWith("AUTH_", StringComparison.Ordinal) || code.StartsWith(OpenClawNames.ConnectErrors.DevicePrefix, StringComparison.Ordinal)
        || code == OpenClawNames.ConnectErrors.DeviceRequired;
}
