using System.Net;
using ChannelBridge.Abstractions.Errors;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace ChannelBridge.Agents.Http;

/// <summary>
/// Sends requests of one agent: retried while nothing of an answer has come, and not at all while its breaker is open. Once the headers of a good answer
/// are there it is never repeated: what has been said can't be unsaid, and has been paid for.
/// </summary>
internal sealed class ProviderCaller : IDisposable
{
    private readonly ProviderOptions _options;
    private readonly IProviderTransport _transport;
    private readonly ProviderFaults _faults;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<ProviderAnswer> _breaker;
    private readonly ResiliencePipeline<ProviderAnswer> _retrying;
    private long _requests;
    private long _retries;

    public ProviderCaller(ProviderOptions options, IProviderTransport transport, ProviderFaults faults, TimeProvider time)
    {
        _options = options;
        _transport = transport;
        _faults = faults;
        _breaker = new ResiliencePipelineBuilder<ProviderAnswer> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<ProviderAnswer>
            {
                FailureRatio = 0.5,
                MinimumThroughput = options.BreakerFailures,
                SamplingDuration = options.BreakerWindow,
                BreakDuration = options.BreakerPause,
                StateProvider = _state,
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Exception is BridgeException fault && IsOutage(fault)),
            })
            .Build();
        // A turn counts once, however often it was repeated: one message alone must not stop those of others.
        var builder = new ResiliencePipelineBuilder<ProviderAnswer> { TimeProvider = time };
        builder.AddPipeline(_breaker);
        if (options.Retries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<ProviderAnswer>
            {
                MaxRetryAttempts = options.Retries,
                Delay = options.RetryDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                MaxDelay = options.MaxRetryDelay,
                ShouldHandle = args => ValueTask.FromResult(
                    args.Outcome.Exception is BridgeException { Retryable: true, Code: not ErrorCodes.Unavailable } fault && !(fault.RetryAfter > options.MaxRetryDelay)),
                DelayGenerator = args => ValueTask.FromResult((args.Outcome.Exception as BridgeException)?.RetryAfter),
                OnRetry = _ =>
                {
                    Interlocked.Increment(ref _retries);
                    return ValueTask.CompletedTask;
                },
            });
        }

        _retrying = builder.Build();
    }

    /// <summary>Requests that were sent, repeated ones included.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Of them, repeated ones.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    /// <summary><c>closed</c> (all is well), <c>open</c> (resting) or <c>half-open</c> (one try).</summary>
    public string Breaker => _state.CircuitState switch
    {
        CircuitState.Open or CircuitState.Isolated => "open",
        CircuitState.HalfOpen => "half-open",
        _ => "closed",
    };

    /// <summary>Sends a request; returns when a good answer has begun.</summary>
    /// <exception cref="BridgeException">There is none, and why.</exception>
    public async Task<ProviderAnswer> OpenAsync(BinaryData body, CancellationToken cancellationToken)
    {
        var key = ProviderKey.Read(_options);
        try
        {
            return await _retrying.ExecuteAsync(
                static async (state, token) => await state.Self.AttemptAsync(state.Body, state.Key, token).ConfigureAwait(false),
                (Self: this, Body: body, Key: key),
                cancellationToken).ConfigureAwait(false);
        }
        catch (BrokenCircuitException fault)
        {
            throw _faults.Resting(fault.RetryAfter);
        }
    }

    /// <summary>An answer that had begun well came to nothing: that counts for the breaker, too.</summary>
    public void Report(BridgeException fault)
    {
        if (!IsOutage(fault)) return;
        try
        {
            _breaker.Execute<ProviderAnswer, BridgeException>(static fault => throw fault, fault);
        }
        catch (Exception counted) when (counted is BridgeException or BrokenCircuitException)
        {
            // Counted.
        }
    }

    public void Dispose() => _transport.Dispose();

    private async Task<ProviderAnswer> AttemptAsync(BinaryData body, string? key, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        ProviderAnswer answer;
        try
        {
            answer = await _transport.PostAsync(body, key, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException fault)
        {
            throw _faults.Unreachable(fault);
        }
        catch (IOException fault)
        {
            throw _faults.Unreachable(new HttpRequestException(HttpRequestError.ResponseEnded, fault.Message, fault));
        }
        catch (OperationCanceledException fault) when (!cancellationToken.IsCancellationRequested)
        {
            // The handler's own time-out of the connection.
            throw _faults.ConnectTimeout(fault);
        }

        if (answer.Status is >= (int)HttpStatusCode.OK and < (int)HttpStatusCode.MultipleChoices) return answer;
        using (answer) throw await _faults.RefusedAsync(answer, key, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Faults of the provider; not ours, and not those by which it says that it is well but busy.</summary>
    private static bool IsOutage(BridgeException fault) => fault.Code is AgentErrorCodes.Unreachable or AgentErrorCodes.ConnectTimeout or AgentErrorCodes.Failed
        or AgentErrorCodes.FirstTokenTimeout or AgentErrorCodes.IdleTimeout or AgentErrorCodes.StreamBroken;
}
