using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji.Connector;

namespace ChannelBridge.Host.Commands.Juji;

/// <summary>
/// <c>channelbridge juji daemon</c>: one connection that is kept, calls as lines of standard input, everything else printed. A call that the community refuses ends
/// nothing, and a call that
/// a broken connection has left unanswered is sent again under its own id.
/// </summary>
internal sealed class JujiDaemon(JujiSession session, int window, int interval)
{
    private const string Hint = "断线后将自动重连(指数退避);后台推送: {\"kind\":\"push\",...};输入 JSON: {\"action\":\"task/list\",\"params\":{}};exit 退出";
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly CallTable _calls = new(JujiSession.Options, TimeProvider.System);

    /// <summary>Runs until the input ends or says so.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var agentId = (await session.RegisterAsync(cancellationToken).ConfigureAwait(false)).AgentId;
        var heartbeat = session.Variables.HeartbeatSecondsOrDefault();
        var highest = session.Variables.BackoffMaxSecondsOrNull() ?? (window > 0 ? Math.Clamp(window / 2, 30, 120) : 60d);
        _ = Task.Run(ReadLinesAsync, CancellationToken.None);
        double first = Math.Max(1, interval);
        var wait = first;
        while (true)
        {
            var connection = await ConnectAsync(agentId, heartbeat, cancellationToken).ConfigureAwait(false);
            try
            {
                wait = first;
                session.Print(JujiSession.Element(new JsonObject
                {
                    ["mode"] = "daemon",
                    ["agent_id"] = agentId,
                    ["connected"] = JsonNode.Parse(connection.Connected.GetRawText()),
                    ["heartbeat_sec"] = Float(heartbeat),
                    ["hint"] = Hint,
                }));
                while (true)
                {
                    var reading = _lines.Reader.WaitToReadAsync(cancellationToken).AsTask();
                    if (await Task.WhenAny(reading, connection.Lost).ConfigureAwait(false) != reading && !reading.IsCompleted) break;
                    if (!await reading.ConfigureAwait(false)) return ExitCodes.Ok;
                    if (!_lines.Reader.TryRead(out var line) || line.Length == 0) continue;
                    if (line.Equals("exit", StringComparison.OrdinalIgnoreCase) || line.Equals("quit", StringComparison.OrdinalIgnoreCase)) return ExitCodes.Ok;
                    connection = await TakeAsync(line, connection, agentId, heartbeat, cancellationToken).ConfigureAwait(false);
                }

                session.Print(JujiSession.Element(new JsonObject { ["kind"] = "connection_lost", ["message"] = "接收线程结束,即将重连" }));
                if (connection.WasRefused) agentId = (await session.RegisterAsync(cancellationToken).ConfigureAwait(false)).AgentId;
            }
            finally
            {
                await connection.DisposeAsync().ConfigureAwait(false);
            }

            session.Print(JujiSession.Element(new JsonObject { ["kind"] = "reconnecting", ["sleep_sec"] = Float(Math.Round(wait, 1)) }));
            await Task.Delay(TimeSpan.FromSeconds(wait), cancellationToken).ConfigureAwait(false);
            wait = Math.Min(highest, Math.Max(wait * 2, interval));
        }
    }

    private async Task<JujiConnection> TakeAsync(string line, JujiConnection connection, long agentId, double heartbeat, CancellationToken cancellationToken)
    {
        var (action, parameters, wrong) = Read(line);
        if (wrong is not null)
        {
            session.Print(JujiSession.Element(new JsonObject { ["error"] = wrong }));
            return connection;
        }

        var reconnected = false;
        var asking = _calls.AskAsync(action!, parameters, JujiSession.Options.CallTimeout, cancellationToken);
        while (await Task.WhenAny(asking, connection.Lost).ConfigureAwait(false) != asking && !asking.IsCompleted)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            connection = await ConnectAsync(agentId, heartbeat, cancellationToken).ConfigureAwait(false);
            reconnected = true;
        }

        var document = new JsonObject { ["action"] = action };
        try
        {
            document["result"] = JsonNode.Parse(JujiConnection.ContentOf(await asking.ConfigureAwait(false)).GetRawText());
        }
        catch (Exception fault) when (fault is JujiActionException or BridgeException)
        {
            document["error"] = fault.Message;
        }

        if (reconnected) document["reconnected"] = true;
        session.Print(JujiSession.Element(document));
        return connection;
    }

    private async Task<JujiConnection> ConnectAsync(long agentId, double heartbeat, CancellationToken cancellationToken)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await session.ConnectAsync(agentId, _calls, Push, TimeSpan.FromSeconds(heartbeat), cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                if (TimeProvider.System.GetElapsedTime(begun) >= TimeSpan.FromSeconds(Math.Max(0, window)))
                    throw new BridgeException(ErrorCodes.Unavailable,
                        string.Create(CultureInfo.InvariantCulture, $"WS reconnect window exceeded ({window}s): {fault.Message}"), fault);
            }

            await Task.Delay(TimeSpan.FromSeconds(Math.Max(1, interval)), cancellationToken).ConfigureAwait(false);
        }
    }

    private void Push(JsonElement message) =>
        session.Print(JujiSession.Element(new JsonObject { ["kind"] = "push", ["message"] = JsonNode.Parse(message.GetRawText()) }));

    private static (string? Action, JsonElement Parameters, string? Wrong) Read(string line)
    {
        try
        {
            var payload = JsonElement.Parse(line);
            if (payload.ValueKind != JsonValueKind.Object) return (null, default, "invalid json: it must be an object");
            var parameters = payload.TryGetProperty("params"u8, out var given) ? given : default;
            var isNothing = parameters.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null or JsonValueKind.False
                || (parameters.ValueKind == JsonValueKind.String && parameters.GetString() is "")
                || (parameters.ValueKind == JsonValueKind.Array && parameters.GetArrayLength() == 0)
                || (parameters.ValueKind == JsonValueKind.Number && parameters.GetDouble() == 0);
            if (isNothing) parameters = default;
            else if (parameters.ValueKind != JsonValueKind.Object) return (null, default, "params must be an object");
            return payload.TryGetProperty("action"u8, out var action) && action.ValueKind == JsonValueKind.String && action.GetString() is { Length: > 0 and <= 256 } name
                ? (name, parameters, null)
                : (null, default, "missing action");
        }
        catch (JsonException fault)
        {
            return (null, default, string.Create(CultureInfo.InvariantCulture, $"invalid json: line 1 column {(fault.BytePositionInLine ?? 0) + 1}"));
        }
    }

    /// <summary>A number that Python has as a float, and prints so.</summary>
    private static JsonNode Float(double number) => JsonNode.Parse(number.ToString("0.0###############", CultureInfo.InvariantCulture))!;

    private async Task ReadLinesAsync()
    {
        try
        {
            while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line) _lines.Writer.TryWrite(line.TrimEnd('\r', '\n'));
        }
        catch (IOException)
        {
            // No more input.
        }

        _lines.Writer.TryComplete();
    }
}
