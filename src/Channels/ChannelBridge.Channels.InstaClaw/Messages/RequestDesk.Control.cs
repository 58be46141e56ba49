using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol;
using ChannelBridge.Protocol.Json;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>The platform's instructions, on their own topic: <c>ping</c>, <c>cancel</c>, <c>ack</c>, <c>resume</c>, <c>status</c>. Each is answered.</summary>
internal sealed partial class RequestDesk
{
    private async Task ControlAsync(Frame frame, CancellationToken stop)
    {
        var action = Frame.Text(frame.Data, "action") ?? "";
        JsonObject answer;
        try
        {
            answer = action switch
            {
                "ping" => new JsonObject { ["now"] = _time.GetUtcNow().ToUnixTimeMilliseconds() },
                "cancel" => new JsonObject { ["cancelled"] = await CancelAsync(frame.Data).ConfigureAwait(false) },
                "ack" => new JsonObject { ["confirmed"] = Acknowledge(frame.Data) },
                "resume" => new JsonObject { ["resumed"] = await ResumeAsync(frame.Data, stop).ConfigureAwait(false) },
                "status" => Status(),
                _ => throw BridgeException.Invalid("action must be ping, cancel, ack, resume or status"),
            };
            answer["ok"] = true;
        }
        catch (BridgeException fault)
        {
            LogInstruction(_logger, _accountId, SoundText.Cut(action, 40, "…"), fault.Code);
            answer = new JsonObject { ["ok"] = false, ["error"] = new JsonObject { ["code"] = fault.Code, ["message"] = fault.Message } };
        }

        answer["action"] = action;
        await SendAsync(
            Frame.Write("CONTROL", Topics.ControlAnswers, frame.MessageId, null, null, null, System.Text.Encoding.UTF8.GetBytes(answer.ToJsonString())),
            stop).ConfigureAwait(false);
    }

    private async Task<int> CancelAsync(JsonElement data)
    {
        var session = Frame.Text(data, "sessionId");
        var targets = Named(data) is { } one ? [one]
            : session is not null ? Open.Where(request => request.Stored.SessionId == session).ToList()
            : throw BridgeException.Invalid("cancel needs a messageId, a responseId or a sessionId");
        // The newest first, so that none begins because the one before it has ended.
        var running = targets.Where(request => request.Running).OrderByDescending(request => request.Place).ToList();
        foreach (var request in running) await CancelAsync(request).ConfigureAwait(false);
        return running.Count;
    }

    private bool Acknowledge(JsonElement data)
    {
        var sequence = Sequence(data);
        if (Named(data) is not { } request) return false;
        // What was never sent can't have arrived.
        var confirmed = Math.Min(sequence, request.Sent);
        if (confirmed <= request.Confirmed) return true;
        request.Confirmed = confirmed;
        _ = ConfirmedAsync(request);
        return true;
    }

    private async Task<bool> ResumeAsync(JsonElement data, CancellationToken stop)
    {
        var sequence = Sequence(data);
        if (Named(data) is { } request)
        {
            // Pongs that are still to come say less than the platform itself.
            _proofs.Clear();
            lock (_gate)
            {
                request.Confirmed = Math.Min(sequence, request.Sent);
                Forward(request);
            }

            return true;
        }

        if (Frame.Text(data, "messageId") is not { } messageId)
        {
            throw BridgeException.Invalid("resume needs the messageId of a completely delivered answer");
        }

        if (await _book.FindAsync(messageId, stop).ConfigureAwait(false) is not { } known) return false;
        await ReplayAsync(known with { Confirmed = sequence }, stop).ConfigureAwait(false);
        return true;
    }

    /// <summary>Sends a completely delivered answer once more, behind an event.</summary>
    private async Task ReplayAsync(StoredRequest known, CancellationToken stop)
    {
        if (_runs is null) return;
        var request = new OpenRequest(known, null) { Running = false };
        request.Begin(await _runs.FindAsync(known.ResponseId, Owner, stop).ConfigureAwait(false) is { } run
            ? EventSource.Of(run)
            : EventSource.Failed(known.ResponseId, _agent, _time.GetUtcNow(), "events_expired", "The answer is no longer kept."));
        lock (_gate)
        {
            if (!_open.TryAdd(known.MessageId, request)) return;
            Forward(request);
        }
    }

    private JsonObject Status()
    {
        var requests = new JsonArray();
        foreach (var request in Open)
        {
            requests.Add((JsonNode)new JsonObject
            {
                ["messageId"] = request.Stored.MessageId,
                ["sessionId"] = request.Stored.SessionId,
                ["responseId"] = request.Stored.ResponseId,
                ["running"] = request.Running,
                ["sent"] = request.Sent,
                ["confirmed"] = request.Confirmed,
            });
        }

        return new JsonObject { ["slots"] = _options.MaxConcurrentRequests, ["taken"] = Slots.Taken, ["waiting"] = Slots.Waiting, ["requests"] = requests };
    }

    /// <summary>The open request that an instruction names, or null.</summary>
    private OpenRequest? Named(JsonElement data)
    {
        var messageId = Frame.Text(data, "messageId");
        var responseId = Frame.Text(data, "responseId");
        lock (_gate)
        {
            if (messageId is not null) return _open.GetValueOrDefault(messageId);
            return responseId is null ? null : _open.Values.FirstOrDefault(request => request.Stored.ResponseId == responseId);
        }
    }

    private static long Sequence(JsonElement data)
    {
        if (data.ValueKind == JsonValueKind.Object && data.TryGetProperty("sequence", out var value))
        {
            if (WholeNumbers.TryGet(value, out var number) && number >= -1) return number;
            if (value.ValueKind == JsonValueKind.String && long.TryParse(value.GetString(), out number) && number >= -1) return number;
        }

        throw BridgeException.Invalid("sequence is required: the last sequence_number that the platform has, -1 for none");
    }

    [LoggerMessage(LogEvents.RequestDeskInstruction, LogLevel.Warning, "InstaClaw account {Account}: the platform's instruction '{Action}' is refused ({Code}).")]
    private static partial void LogInstruction(ILogger logger, string account, string action, string code);
}
