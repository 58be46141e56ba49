using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Agents.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Agents;

/// <summary>An agent behind a URL: what its two kinds share.</summary>
internal abstract partial class ProviderAgent : IAgent, IDisposable
{
    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly Uri _address;
    private readonly ILogger _logger;
    private long _turns;
    private long _running;
    private long _completed;
    private long _failed;
    private long _cancelled;
    private string? _lastError;
    private long _lastErrorAt;

    protected ProviderAgent(ProviderOptions options, IProviderTransport transport, Uri address, TimeProvider time, ILogger<ProviderAgent> logger)
    {
        Options = options;
        Time = time;
        Faults = new ProviderFaults(options, address, time);
        Caller = new ProviderCaller(options, transport, Faults, time);
        _address = address;
        _logger = logger;
    }

    public string Name => Options.Name;

    public AgentMemory? Memory => Options.Memory;

    internal ProviderOptions Options { get; }

    internal ProviderFaults Faults { get; }

    internal ProviderCaller Caller { get; }

    internal TimeProvider Time { get; }

    /// <summary>Always at once: whether a server is there is found by asking it, and while it isn't the breaker makes messages wait.</summary>
    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        cancellationToken.ThrowIfCancellationRequested();
        var conversation = Conversation.Of(turn, Options);
        using var run = new ProviderRun(this, Write(conversation), NewReading(conversation), turn.Message.Rules?.Timeout ?? Options.TurnTimeout, cancellationToken);
        Interlocked.Increment(ref _turns);
        Interlocked.Increment(ref _running);
        try
        {
            while (await run.NextAsync().ConfigureAwait(false))
            {
                foreach (var agentEvent in run.Events) yield return agentEvent;
            }
        }
        finally
        {
            Interlocked.Decrement(ref _running);
            Count(turn, run);
        }
    }

    public JsonObject Describe() => new()
    {
        ["kind"] = Options.Kind == AgentKind.Responses ? "responses" : "chat-completions",
        ["url"] = ProviderAddress.Show(_address),
        ["model"] = Options.Model,
        ["breaker"] = Caller.Breaker,
        ["running"] = Interlocked.Read(ref _running),
        ["turns"] = Interlocked.Read(ref _turns),
        ["completed"] = Interlocked.Read(ref _completed),
        ["failed"] = Interlocked.Read(ref _failed),
        ["cancelled"] = Interlocked.Read(ref _cancelled),
        ["requests"] = Caller.Requests,
        ["retries"] = Caller.Retries,
        ["lastError"] = Volatile.Read(ref _lastError),
        ["lastErrorAt"] = Interlocked.Read(ref _lastErrorAt) is var at and > 0 ? at : null,
    };

    public void Dispose() => Caller.Dispose();

    /// <summary>Writes the request's body.</summary>
    protected abstract void WriteBody(Utf8JsonWriter json, Conversation conversation);

    /// <summary>A reading of one answer.</summary>
    protected abstract IProviderReading NewReading(Conversation conversation);

    private BinaryData Write(Conversation conversation)
    {
        var output = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(output, Writing)) WriteBody(json, conversation);
        return BinaryData.FromBytes(output.WrittenMemory);
    }

    private void Count(AgentTurn turn, ProviderRun run)
    {
        if (run.Fault is { } fault)
        {
            Interlocked.Increment(ref _failed);
            Volatile.Write(ref _lastError, fault.Code);
            Interlocked.Exchange(ref _lastErrorAt, Time.GetUtcNow().ToUnixTimeMilliseconds());
            if (fault.Code != ErrorCodes.Unavailable) LogFailed(_logger, turn.Id, Name, fault.Code, fault.Message);
        }
        else if (run.IsComplete)
        {
            Interlocked.Increment(ref _completed);
        }
        else
        {
            Interlocked.Increment(ref _cancelled);
        }
    }

    [LoggerMessage(LogEvents.ProviderAgentFailed, LogLevel.Warning, "Turn {Turn}: the agent '{Agent}' failed with {Code}: {Reason}")]
    private static partial void LogFailed(ILogger logger, Guid turn, string agent, string code, string reason);
}
