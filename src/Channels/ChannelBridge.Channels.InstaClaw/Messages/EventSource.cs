using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>Where a request's events come from: its run, or a short stream that says why there is none.</summary>
internal abstract class EventSource
{
    /// <summary>The events after a sequence number, those to come included.</summary>
    public abstract IAsyncEnumerable<StreamEvent> ReadAsync(long after, CancellationToken cancellationToken);

    /// <summary>The final response, or null when this source has none to give again.</summary>
    public virtual Task<ReadOnlyMemory<byte>>? Final => null;

    /// <summary>Cancels what runs.</summary>
    public virtual ValueTask CancelAsync() => default;

    /// <summary>The events of a run.</summary>
    public static EventSource Of(IResponseRun run) => new RunSource(run);

    /// <summary>The events of a request that came to nothing.</summary>
    public static EventSource Failed(string responseId, string agent, DateTimeOffset now, string code, string message)
    {
        var events = new List<StreamEvent>();
        var machine = new ResponseMachine(
            new ResponseState(responseId, agent, now.ToUnixTimeSeconds(), new ResponseRequest()),
            (sequence, type, json) => events.Add(new StreamEvent(sequence, type, json)));
        machine.Create();
        machine.Fail(new ResponseError(code, message));
        return new FixedSource(events);
    }

    /// <summary>The terminal event anew, for a response whose events have expired: it carries the whole answer.</summary>
    public static StreamEvent Terminal(ReadOnlyMemory<byte> final, long sequence)
    {
        var response = JsonNode.Parse(final.Span)!.AsObject();
        var type = (string?)response["status"] switch
        {
            "completed" => "response.completed",
            "incomplete" => "response.incomplete",
            _ => "response.failed",
        };
        var json = new JsonObject { ["type"] = type, ["sequence_number"] = sequence, ["response"] = response };
        return new StreamEvent(sequence, type, System.Text.Encoding.UTF8.GetBytes(json.ToJsonString(Relaxed)));
    }

    /// <summary>The event as the platform gets it: one that says "failed" carries its error at the top, too, where the existing plugin has it.</summary>
    public static ReadOnlyMemory<byte> Dialect(StreamEvent one)
    {
        if (one.Type != "response.failed") return one.Json;
        var json = JsonNode.Parse(one.Json.Span)!.AsObject();
        if (json["error"] is null && json["response"]?["error"] is { } error) json["error"] = error.DeepClone();
        return System.Text.Encoding.UTF8.GetBytes(json.ToJsonString(Relaxed));
    }

    private static System.Text.Json.JsonSerializerOptions Relaxed => Wire.InstaClawJson.Relaxed.Options;

    /// <summary>The error code that a failed response tells for an exception.</summary>
    public static (string Code, string Message) Explain(Exception fault) => fault switch
    {
        BridgeException { Code: ErrorCodes.Busy or ErrorCodes.RateLimited } known => ("too_many_requests", known.Message),
        BridgeException { Code: ErrorCodes.Internal } => ("server_error", "The host has a fault; its log says more."),
        BridgeException known => ((string?)known.Details?["code"] ?? known.Code.ToLowerInvariant(), known.Message),
        _ => ("server_error", "The host has a fault; its log says more."),
    };

    private sealed class RunSource(IResponseRun run) : EventSource
    {
        public override Task<ReadOnlyMemory<byte>> Final => run.Completion;

        public override IAsyncEnumerable<StreamEvent> ReadAsync(long after, CancellationToken cancellationToken) => run.ReadAsync(after, cancellationToken);

        public override ValueTask CancelAsync() => run.CancelAsync();
    }

    private sealed class FixedSource(List<StreamEvent> events) : EventSource
    {
        public override async IAsyncEnumerable<StreamEvent> ReadAsync(
            long after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask.ConfigureAwait(false);
            if (after >= 0)
            {
                // The platform has heard more of it than there is now: the end comes behind that.
                yield return Terminal(System.Text.Encoding.UTF8.GetBytes(JsonNode.Parse(events[^1].Json.Span)!["response"]!.ToJsonString(Relaxed)), after + 1);
                yield break;
            }

            foreach (var one in events)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return one;
            }
        }
    }
}
