using System.Text.Json;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// Where an account's messages go: <c>message.send</c>, sealed unless the account says otherwise. The gateway answers when it has the message, which is the ack. The outbox id is
/// the message's id for good, so that a message that is sent again is the same one.
/// </summary>
internal sealed class AunPushes(string accountId, AunAccountOptions account, AunLink link, IOutbox outbox, AunConnectorOptions options, TimeProvider time, CancellationToken closed)
    : IPushTarget
{
    /// <summary>The type of a message whose text is the payload itself, as JSON.</summary>
    public const string PayloadType = "payload";

    private long _lastAt;

    /// <inheritdoc/>
    public string ConnectionId => $"{AunChannel.ChannelId}/{accountId}";

    /// <inheritdoc/>
    public bool RequiresAck => true;

    /// <inheritdoc/>
    public DateTimeOffset LastReceivedAt => DateTimeOffset.FromUnixTimeMilliseconds(link.HeardAt);

    /// <inheritdoc/>
    public CancellationToken Closed => closed;

    /// <inheritdoc/>
    public bool ClosedByClient => false;

    /// <summary>When a message was last taken (Unix ms), or 0.</summary>
    public long LastAt => Volatile.Read(ref _lastAt);

    /// <inheritdoc/>
    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (link.Socket is not { IsOpen: true } socket) return PushOutcome.Gone;
        var ack = new Ack(item.Id, AunChannel.ChannelId, accountId, Ok: true);
        try
        {
            await SendAsync(socket, item, cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _lastAt, time.GetUtcNow().ToUnixTimeMilliseconds());
        }
        catch (SealingException fault)
        {
            // A receiver may publish a prekey when it next connects; what can't be sealed at all never can.
            link.Sealer?.Forget(item.Message.Route);
            var isFinal = fault.Fault is SealingFault.Malformed or SealingFault.TooManyDevices;
            ack = ack with { Ok = false, Fatal = isFinal, Error = fault.Receipt };
        }
        catch (AunCallException fault)
        {
            ack = ack with { Ok = false, Fatal = IsFinal(fault), Error = fault.Message, RetryAfter = fault.RetryAfter };
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.InvalidRequest)
        {
            ack = ack with { Ok = false, Fatal = true, Error = fault.Message };
        }
        catch (BridgeException fault)
        {
            // Whether it arrived isn't known; its id makes sending it again safe. A connection that has ended costs no attempt.
            if (!socket.IsOpen) return PushOutcome.Gone;
            ack = ack with { Ok = false, Error = fault.Message, RetryAfter = fault.RetryAfter };
        }

        await outbox.AckAsync(ack, cancellationToken: cancellationToken).ConfigureAwait(false);
        return PushOutcome.Flushed;
    }

    /// <summary>Sends a message; gives the gateway's answer.</summary>
    /// <exception cref="SealingException">It can't be sealed.</exception>
    /// <exception cref="BridgeException">It isn't taken, or it isn't known whether it was.</exception>
    public async Task<JsonElement> SendAsync(GatewaySocket socket, PushItem item, CancellationToken cancellationToken)
    {
        var message = item.Message;
        if (message.Attachment is not null) throw BridgeException.Invalid("files don't travel over AUN; send a link in the text");
        var payload = message.Type == PayloadType
            ? PayloadText.Parse(message.Text) ?? throw BridgeException.Invalid("the payload isn't one JSON object")
            : PayloadText.Write(message.Text);
        var id = item.Id.ToString("D");
        SealedSend? sealedSend = null;
        if (account.Encrypt)
        {
            var sealer = link.Sealer ?? throw BridgeException.Unavailable("the identity isn't known yet");
            sealedSend = await sealer.SealAsync(message.Route, id, payload, cancellationToken).ConfigureAwait(false);
        }

        var answer = await socket.CallAsync(
            "message.send",
            writer => WriteSend(writer, message.Route, id, payload, sealedSend),
            options.CallTimeout,
            cancellationToken).ConfigureAwait(false);
        // So says a host like this one of what its agent can't open.
        if (Wire.Text(answer, "status") == "dead")
        {
            var why = AunCallException.Clean(Wire.Text(answer, "error") ?? "no reason");
            throw AunCallException.Make(AunErrorClass.Validation, 0, $"the receiver's host didn't take it: {why}");
        }

        return answer;
    }

    /// <summary>Writes the parameters of <c>message.send</c>.</summary>
    public static void WriteSend(Utf8JsonWriter writer, string to, string id, ReadOnlyMemory<byte> payload, SealedSend? sealedSend)
    {
        writer.WriteString("to"u8, to);
        writer.WriteString("message_id"u8, id);
        if (sealedSend is not null)
        {
            writer.WriteString("type"u8, sealedSend.Type);
            writer.WriteBoolean("encrypted"u8, true);
            writer.WriteNumber("timestamp"u8, sealedSend.Timestamp);
        }

        writer.WritePropertyName("payload"u8);
        writer.WriteRawValue((sealedSend?.Payload ?? payload).Span);
    }

    /// <summary>The code -32603 stands for several things; that the receiver doesn't exist and that the message is too large never change by themselves.</summary>
    private static bool IsFinal(AunCallException fault) => fault.Class switch
    {
        AunErrorClass.Validation or AunErrorClass.NotFound or AunErrorClass.Permission => true,
        AunErrorClass.Other => fault.GatewayCode == -32603 && (Says(fault, "unknown") || Says(fault, "not found") || Says(fault, "too large") || Says(fault, "exceeds")),
        _ => false,
    };

    private static bool Says(AunCallException fault, string word) => fault.Message.Contains(word, StringComparison.OrdinalIgnoreCase);
}
