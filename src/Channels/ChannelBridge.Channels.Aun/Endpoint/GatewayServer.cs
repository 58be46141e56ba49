using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Messages;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>
/// Serves the WebSocket: the challenge, who it is, then calls. Calls are taken one after the other, so that what depends on their order has it; messages and acks wait for
/// the disk beside each other, up to a bound.
/// </summary>
internal sealed partial class GatewayServer(
    Hub hub, LoginDesk logins, MessageDesk messages, PrekeyDesk prekeys, AunOptions options, TimeProvider time, ILogger<GatewayServer> logger)
{
    private const int MostAtOnce = 64;
    private const int LongestId = 256;
    private const int LongestReason = 100;
    private const int SlowReader = 1008;
    private static readonly JsonDocumentOptions Bounds = new() { MaxDepth = 512 };
    private static readonly byte[] NoId = "null"u8.ToArray();

    /// <summary>Serves one connection to its end.</summary>
    public async Task ServeAsync(ISocketPeer peer, CancellationToken cancellationToken)
    {
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(18));
        var connection = new GatewayConnection(peer, nonce, time);
        hub.Arrived(connection);
        SemaphoreSlim? places = null;
        try
        {
            // SDKs begin to listen a moment after the upgrade and lose what comes before.
            if (options.ChallengeDelay > TimeSpan.Zero) await Task.Delay(options.ChallengeDelay, time, cancellationToken).ConfigureAwait(false);
            await peer.SendAsync(Challenge(nonce), cancellationToken: cancellationToken).ConfigureAwait(false);
            while (await peer.ReceiveAsync(cancellationToken).ConfigureAwait(false) is { } message)
            {
                if (await TakeAsync(connection, message, cancellationToken).ConfigureAwait(false) is not { } later) continue;
                places ??= new SemaphoreSlim(MostAtOnce);
                await places.WaitAsync(cancellationToken).ConfigureAwait(false);
                _ = FinishAsync(connection, later.Id, later.Work, places);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // It has left, or the host stops.
        }
        finally
        {
            hub.Left(connection);
            if (places is not null)
            {
                // What is under way ends by itself; its places are its own until then.
                for (var i = 0; i < MostAtOnce; i++) await places.WaitAsync(CancellationToken.None).ConfigureAwait(false);
                places.Dispose();
            }
        }
    }

    /// <summary>What this gateway can do, as it is told in the challenge and after it.</summary>
    private static JsonObject Capabilities() => new()
    {
        ["e2ee"] = true,
        ["group_e2ee"] = false,
        ["multi_device"] = true,
        ["short_connections"] = true,
        ["delivery_modes"] = new JsonArray("fanout", "queue"),
    };

    private byte[] Challenge(string nonce) => RpcText.Event("challenge", new JsonObject
    {
        ["nonce"] = nonce,
        ["server"] = "channelbridge",
        ["protocol"] = ConnectRequest.ServerRange(),
        ["auth_methods"] = new JsonArray("kite_token", "aid", "pairing_code"),
        ["capabilities"] = Capabilities(),
        ["server_time"] = ServerTime,
    });

    private double ServerTime => time.GetUtcNow().ToUnixTimeMilliseconds() / 1000d;

    // Answers a call, or gives what is still to be waited for.
    private async ValueTask<(byte[] Id, Task<JsonObject> Work)?> TakeAsync(GatewayConnection connection, SocketMessage message, CancellationToken cancellationToken)
    {
        connection.Called();
        var id = NoId;
        RpcFault fault;
        try
        {
            if (message.IsBinary) throw new RpcFault(RpcFault.InvalidRequest, "a frame is text");
            using var document = Parse(message.Content);
            var frame = document.RootElement;
            if (frame.ValueKind != JsonValueKind.Object) throw new RpcFault(RpcFault.InvalidRequest, "a frame is one object");
            id = ReadId(frame);
            if (Params.Text(frame, "method", code: RpcFault.InvalidRequest) is not { } method)
            {
                // An answer to nothing that was asked, or nothing at all.
                if (frame.TryGetProperty("result"u8, out _) || frame.TryGetProperty("error"u8, out _)) return null;
                throw new RpcFault(RpcFault.InvalidRequest, "method is missing");
            }

            // A notification of a client: there is none that means anything here.
            if (id.Length == 0) return null;
            var parameters = Params.Object(frame, "params") ?? default;
            if (parameters.ValueKind == JsonValueKind.Undefined) parameters = Empty;
            var answer = await CallAsync(connection, id, method, parameters, cancellationToken).ConfigureAwait(false);
            if (answer.Later is { } later) return (id, later);
            if (answer.Frame is { } text) await AnswerAsync(connection, text, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (RpcFault known)
        {
            fault = known;
        }
        catch (BridgeException known)
        {
            fault = RpcFault.Of(known);
        }
        catch (Exception unknown) when (unknown is not OperationCanceledException)
        {
            LogFault(logger, unknown, connection.ModuleId);
            fault = Unexpected;
        }

        await AnswerAsync(connection, RpcText.Error(id.Length == 0 ? NoId : id, fault), cancellationToken).ConfigureAwait(false);
        if (fault.Close is { } code) connection.Peer.Close(code, fault.Message.Length <= LongestReason ? fault.Message : fault.Message[..LongestReason]);
        return null;
    }

    private static RpcFault Unexpected => new(RpcFault.Internal, "the gateway has a fault; its log says more");

    private static JsonElement Empty { get; } = JsonElement.Parse("{}");

    private async ValueTask<Answer> CallAsync(GatewayConnection connection, byte[] id, string method, JsonElement parameters, CancellationToken cancellationToken)
    {
        switch (method)
        {
            case "auth.connect":
                await ConnectAsync(connection, id, parameters, cancellationToken).ConfigureAwait(false);
                return default;
            case "auth.create_aid": return Answer.Of(id, await logins.CreateAsync(parameters, connection.Address, cancellationToken).ConfigureAwait(false));
            case "auth.aid_login1": return Answer.Of(id, await logins.Login1Async(parameters, connection.Address, cancellationToken).ConfigureAwait(false));
            case "auth.aid_login2": return Answer.Of(id, await logins.Login2Async(parameters, connection.Address, cancellationToken).ConfigureAwait(false));
            case "auth.refresh_token": return Answer.Of(id, await logins.RefreshAsync(parameters, connection.Address, cancellationToken).ConfigureAwait(false));
        }

        if (connection.Key is not { } key) throw new RpcFault(RpcFault.NotConnected, "not connected: auth.connect comes first");
        switch (method)
        {
            case "message.send": return new Answer(null, await messages.BeginSendAsync(connection, parameters, cancellationToken).ConfigureAwait(false));
            case "message.ack": return new Answer(null, messages.AckAsync(connection, parameters));
            case "message.pull": return Answer.Of(id, await messages.PullAsync(connection, parameters, cancellationToken).ConfigureAwait(false));
            case "message.recall": return Answer.Of(id, await messages.RecallAsync(connection, parameters, cancellationToken).ConfigureAwait(false));
            case "message.query_online": return Answer.Of(id, messages.QueryOnline(parameters));
            case "message.e2ee.put_prekey": return Answer.Of(id, await prekeys.PutAsync(key, parameters, cancellationToken).ConfigureAwait(false));
            case "message.e2ee.get_prekey": return Answer.Of(id, await prekeys.GetAsync(parameters, cancellationToken).ConfigureAwait(false));
            case "message.e2ee.record_replay_guard": return Answer.Of(id, await prekeys.GuardAsync(key, parameters, cancellationToken).ConfigureAwait(false));
            case "meta.ping":
                return Answer.Of(id, new JsonObject { ["pong"] = true, ["timestamp"] = ServerTime, ["heartbeat_interval"] = Heartbeat });
            case "meta.status":
                return Answer.Of(id, new JsonObject
                {
                    ["mode"] = "gateway",
                    ["aid"] = key.Aid,
                    ["role"] = "agent",
                    ["connected_at"] = connection.ConnectedAt / 1000d,
                    ["protocol_version"] = connection.Protocol,
                });
            default:
                throw new RpcFault(RpcFault.MethodNotFound, IsOfOthers(method)
                    ? "this gateway carries messages between two AIDs; groups, message.v2 and other services aren't offered"
                    : "there is no such method");
        }
    }

    private async ValueTask ConnectAsync(GatewayConnection connection, byte[] id, JsonElement parameters, CancellationToken cancellationToken)
    {
        var nonce = Params.Text(parameters, "nonce", code: RpcFault.Validation) ?? throw new RpcFault(RpcFault.Validation, "nonce is missing");
        if (!connection.TakeNonce(nonce)) throw new RpcFault(RpcFault.BadNonce, "the nonce isn't the challenge's, or was used; connect anew");
        var protocol = ConnectRequest.Negotiate(parameters);
        var request = ConnectRequest.Read(parameters);
        var auth = Params.Object(parameters, "auth", RpcFault.Validation) ?? throw new RpcFault(RpcFault.Validation, "auth is missing");
        var address = connection.Address;
        var identity = Params.Text(auth, "method", code: RpcFault.Validation) switch
        {
            null or "kite_token" => await logins.ShowTokenAsync(Params.Needed(auth, "token", 4096, RpcFault.Validation), address, cancellationToken).ConfigureAwait(false),
            "aid" => await logins.ProveAsync(auth, address, cancellationToken).ConfigureAwait(false),
            "pairing_code" => await logins.ShowCodeAsync(auth, address, cancellationToken).ConfigureAwait(false),
            _ => throw new RpcFault(RpcFault.Validation, "auth.method is kite_token, aid or pairing_code"),
        };
        var key = new SlotKey(identity.Aid, request.Device, request.Slot);
        ValueTask<PushOutcome> hello = default;
        hub.Enter(connection, key, request, protocol, () =>
            hello = connection.Peer.SendAsync(RpcText.Result(id, Hello(connection, key, protocol)), cancellationToken: cancellationToken));
        connection.Peer.Authenticate(new Caller($"{AunChannel.ChannelId}:{identity.Aid}", Scopes.None, Door.Channel));
        await hello.ConfigureAwait(false);
    }

    private JsonObject Hello(GatewayConnection connection, SlotKey key, string protocol) => new()
    {
        ["status"] = "ok",
        ["protocol"] = protocol,
        ["server_time"] = ServerTime,
        ["authenticated"] = true,
        ["identity"] = new JsonObject { ["module_id"] = connection.ModuleId, ["role"] = "agent", ["aid"] = key.Aid },
        ["connection"] = new JsonObject { ["id"] = "conn_" + connection.ModuleId, ["device_id"] = key.Device, ["kind"] = connection.IsLong ? "long" : "short" },
        ["capabilities"] = Capabilities(),
        ["heartbeat_interval"] = Heartbeat,
    };

    private long Heartbeat => (long)options.HeartbeatInterval.TotalSeconds;

    private async Task FinishAsync(GatewayConnection connection, byte[] id, Task<JsonObject> work, SemaphoreSlim places)
    {
        try
        {
            byte[] frame;
            try
            {
                var result = await work.ConfigureAwait(false);
                frame = RpcText.Result(id, result);
            }
            catch (RpcFault fault)
            {
                frame = RpcText.Error(id, fault);
            }
            catch (BridgeException fault)
            {
                frame = RpcText.Error(id, RpcFault.Of(fault));
            }

            await AnswerAsync(connection, frame, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogFault(logger, fault, connection.ModuleId);
            await AnswerAsync(connection, RpcText.Error(id, Unexpected), CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The connection has ended.
        }
        finally
        {
            places.Release();
        }
    }

    private static async ValueTask AnswerAsync(GatewayConnection connection, byte[] frame, CancellationToken cancellationToken)
    {
        // A client that doesn't read its answers gets no further ones.
        var outcome = await connection.Peer.SendAsync(frame, cancellationToken: cancellationToken).ConfigureAwait(false);
        if (outcome == PushOutcome.Full) connection.Peer.Close(SlowReader, "slow consumer");
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> content)
    {
        try
        {
            return JsonDocument.Parse(content, Bounds);
        }
        catch (JsonException)
        {
            throw new RpcFault(RpcFault.ParseError, "the frame is no JSON, or nested too deeply");
        }
    }

    // As it came, so that it goes back the same; empty: there is none.
    private static byte[] ReadId(JsonElement frame)
    {
        if (!frame.TryGetProperty("id"u8, out var id) || id.ValueKind == JsonValueKind.Null) return [];
        if (id.ValueKind is not (JsonValueKind.String or JsonValueKind.Number)) throw new RpcFault(RpcFault.InvalidRequest, "id is a text or a number");
        var raw = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(id);
        return raw.Length <= LongestId ? raw.ToArray() : throw new RpcFault(RpcFault.InvalidRequest, $"id has at most {LongestId} bytes");
    }

    private static bool IsOfOthers(string method)
    {
        foreach (var service in (ReadOnlySpan<string>)["group.", "message.v2.", "message.thought.", "storage.", "stream.", "notify.", "collab.", "custody.", "search.", "mail."])
        {
            if (method.StartsWith(service, StringComparison.Ordinal)) return true;
        }

        return false;
    }

    [LoggerMessage(LogEvents.EndpointConnectionFault, LogLevel.Error, "A call of the connection {Connection} of the AUN endpoint failed.")]
    private static partial void LogFault(ILogger logger, Exception fault, string connection);

    /// <summary>An answer, or what is still to be waited for; neither: it was given already.</summary>
    private readonly record struct Answer(byte[]? Frame, Task<JsonObject>? Later)
    {
        public static Answer Of(byte[] id, JsonObject result) => new(RpcText.Result(id, result), null);

        public static Answer Of(byte[] id, byte[] result) => new(RpcText.Result(id, result), null);
    }
}
