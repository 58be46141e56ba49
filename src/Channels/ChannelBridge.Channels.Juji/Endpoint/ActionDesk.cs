using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.Buffers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>An answer to a call.</summary>
/// <param name="Ok">Whether it was done.</param>
/// <param name="Content">JSON.</param>
internal sealed record ActionAnswer(bool Ok, ReadOnlyMemory<byte> Content)
{
    /// <summary>It was done.</summary>
    public static ActionAnswer Done(JsonNode? content) => new(true, Write(content));

    /// <summary>It wasn't done.</summary>
    public static ActionAnswer Failed(string why) => new(false, Write(new JsonObject { ["error"] = why }));

    private static byte[] Write(JsonNode? content)
    {
        using var buffer = new PooledBuffer();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            if (content is null) writer.WriteNullValue();
            else content.WriteTo(writer);
        }

        return buffer.Written.ToArray();
    }
}

/// <summary>
/// Runs actions: each <c>u_id</c> of a member once in ten minutes, and whoever sends it again gets the first answer, also while it is still being made. Of a member that
/// calls more than is kept the oldest answers go first.
/// </summary>
internal sealed partial class ActionDesk(IReadOnlyDictionary<string, IJujiAction> actions, JujiEndpointOptions options, TimeProvider time, ILogger<ActionDesk> logger)
{
    private const int MostPerAgent = 10_000;
    private const int MostBytesPerAgent = 8 * 1024 * 1024;
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(10);
    private readonly Lock _lock = new();
    private readonly Dictionary<long, AgentCalls> _agents = [];

    /// <summary>The actions by name.</summary>
    public IReadOnlyDictionary<string, IJujiAction> Actions => actions;

    /// <summary>Calls that were repeated.</summary>
    public long Repeated { get; private set; }

    /// <summary>
    /// The answer to a call. It is made to the end even if its member leaves, and on the caller's thread up to the action's first wait: most actions have none, and
    /// their answer is there when this returns.
    /// </summary>
    public ValueTask<ActionAnswer> RunAsync(long agentId, string requestId, JsonElement request)
    {
        AgentCalls? calls;
        Call call;
        lock (_lock)
        {
            if (!_agents.TryGetValue(agentId, out calls)) _agents[agentId] = calls = new AgentCalls();
            Trim(calls);
            if (calls.ById.TryGetValue(requestId, out var before))
            {
                Repeated++;
                return before.Answer is { } made ? ValueTask.FromResult(made) : new ValueTask<ActionAnswer>(before.Wait());
            }

            // A member's connections bound what it has under way; one that reconnects has no more.
            if (calls.Running >= AgentConnection.MostAtOnce * options.MaxConnectionsPerAgent)
                return ValueTask.FromResult(ActionAnswer.Failed("too many calls are running"));
            call = new Call(requestId, time.GetTimestamp());
            calls.ById.Add(requestId, call);
            calls.Order.Enqueue(call);
            calls.Running++;
        }

        return MakeAsync(calls, call, agentId, request);
    }

    /// <summary>Forgets members whose last call is long ago.</summary>
    public void Sweep()
    {
        lock (_lock)
        {
            foreach (var (agent, calls) in _agents.ToList())
            {
                Trim(calls);
                if (calls.Order.Count == 0) _agents.Remove(agent);
            }
        }
    }

    private void Trim(AgentCalls calls)
    {
        while (calls.Order.TryPeek(out var oldest) && oldest.Answer is not null
            && (time.GetElapsedTime(oldest.At) >= Kept || calls.Bytes > MostBytesPerAgent || calls.Order.Count >= MostPerAgent))
        {
            calls.Order.Dequeue();
            calls.ById.Remove(oldest.Id);
            calls.Bytes -= oldest.Answer.Content.Length;
        }
    }

    private async ValueTask<ActionAnswer> MakeAsync(AgentCalls calls, Call call, long agentId, JsonElement request)
    {
        var answer = await AnswerAsync(agentId, call.Id, request).ConfigureAwait(false);
        lock (_lock)
        {
            calls.Running--;
            calls.Bytes += answer.Content.Length;
            call.Made(answer);
        }

        return answer;
    }

    private async ValueTask<ActionAnswer> AnswerAsync(long agentId, string requestId, JsonElement request)
    {
        var name = Connector.Push.Text(request, "action"u8, 256);
        if (!actions.TryGetValue(name, out var action)) return ActionAnswer.Failed(name.Length == 0
            ? "missing action" : $"unknown action: {(name.Length > 100 ? name[..100] : name)}");
        var parameters = request.TryGetProperty("params"u8, out var given) && given.ValueKind != JsonValueKind.Null ? given : JsonElement.Parse("{}"u8);
        if (parameters.ValueKind != JsonValueKind.Object) return ActionAnswer.Failed("params.params must be an object");
        using var late = new CancellationTokenSource(options.ActionTimeout, time);
        try
        {
            var running = action.RunAsync(new JujiActionCall(agentId, requestId, parameters), late.Token);
            var content = running.IsCompleted
                ? await running.ConfigureAwait(false) : await running.AsTask().WaitAsync(late.Token).ConfigureAwait(false);
            return ActionAnswer.Done(content);
        }
        catch (BridgeException fault)
        {
            return ActionAnswer.Failed(fault.Message);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            return ActionAnswer.Failed(string.Create(CultureInfo.InvariantCulture, $"{name} took longer than {options.ActionTimeout.TotalSeconds:0} s"));
        }
        catch (Exception fault)
        {
            LogFailed(logger, fault, name);
            return ActionAnswer.Failed($"{name} has failed; the host's log says why");
        }
    }

    [LoggerMessage(LogEvents.ActionDeskFailed, LogLevel.Error, "The action {Action} of the Juji community has failed in an unexpected way.")]
    private static partial void LogFailed(ILogger logger, Exception fault, string action);

    private sealed class AgentCalls
    {
        public Dictionary<string, Call> ById { get; } = new(StringComparer.Ordinal);

        public Queue<Call> Order { get; } = new();

        public long Bytes { get; set; }

        public int Running { get; set; }
    }

    private sealed class Call(string id, long at)
    {
        private TaskCompletionSource<ActionAnswer>? _waiting;

        public string Id => id;

        public long At => at;

        /// <summary>The answer; null while it is being made.</summary>
        public ActionAnswer? Answer { get; private set; }

        /// <summary>Waits for it; few calls are repeated so soon.</summary>
        public Task<ActionAnswer> Wait() => (_waiting ??= new TaskCompletionSource<ActionAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        /// <summary>It is made.</summary>
        public void Made(ActionAnswer answer)
        {
            Answer = answer;
            _waiting?.SetResult(answer);
            _waiting = null;
        }
    }
}
