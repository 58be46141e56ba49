using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace ChannelBridge.A2A.Client;

/// <summary>
/// Sends the requests of one peer: with its key, within time-outs that are told apart, tried again while nothing of an answer has come, and
/// not at all while the peer's breaker is open.
/// </summary>
internal sealed class PeerCaller : IDisposable
{
    private const int MaxErrorBytes = 64 * 1024;
    private readonly A2AClientOptions _options;
    private readonly Func<UrlOrigin, HttpMessageInvoker> _http;
    private readonly HttpMessageInvoker? _own;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;

    public PeerCaller(A2AClientOptions options)
    {
        _options = options;
        if (options.Http is { } given)
        {
            _http = given;
        }
        else
        {
            _own = new HttpMessageInvoker(new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                ConnectTimeout = options.ConnectTimeout,
                ConnectCallback = new GuardedConnect(options.MayConnect).ConnectAsync,
                PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                MaxResponseHeadersLength = 64,
            });
            _http = _ => _own;
        }

        var builder = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = options.Time };
        if (options.Retries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = options.Retries,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Exception is A2AException { Retryable: true } fault
                    && fault.Fault is not (A2AFault.FirstAnswerTimeout or A2AFault.TotalTimeout)
                    && !(fault.RetryAfter > options.MaxRetryDelay)),
                DelayGenerator = static args => ValueTask.FromResult((args.Outcome.Exception as A2AException)?.RetryAfter),
            });
        }

        // Within the retries: each try counts, and an open breaker ends them.
        builder.AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpResponseMessage>
        {
            FailureRatio = 0.5,
            MinimumThroughput = options.BreakerFailures,
            SamplingDuration = options.BreakerWindow,
            BreakDuration = options.BreakerPause,
            StateProvider = _state,
            ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Exception is A2AException
            {
                Fault: A2AFault.Unreachable or A2AFault.ConnectTimeout or A2AFault.FirstAnswerTimeout or A2AFault.PeerFailed,
            }),
        });
        _pipeline = builder.Build();
    }

    /// <summary>True while the peer is left alone.</summary>
    public bool Resting => _state.CircuitState is CircuitState.Open or CircuitState.Isolated;

    /// <summary>Sends a request until its answer has begun well.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        Func<HttpRequestMessage> request, UrlOrigin origin, bool waits, CancellationToken cancellationToken)
    {
        try
        {
            return await _pipeline.ExecuteAsync(
                static async (state, token) =>
                    await state.Self.TryAsync(state.request(), state.origin, state.waits, token).ConfigureAwait(false),
                (Self: this, request, origin, waits),
                cancellationToken).ConfigureAwait(false);
        }
        catch (BrokenCircuitException fault)
        {
            throw new A2AException(A2AFault.Resting, "The peer has failed often; it is left alone for a while.", fault)
            {
                Retryable = true,
                RetryAfter = fault.RetryAfter ?? _options.BreakerPause,
            };
        }
    }

    /// <summary>Reads a body within a bound.</summary>
    public async Task<byte[]> ReadAsync(HttpResponseMessage answer, int bound, string what, CancellationToken cancellationToken)
    {
        if (answer.Content.Headers.ContentLength > bound) throw TooLarge(what, bound);
        using var silence = new CancellationTokenSource(_options.SilenceTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        try
        {
            var stream = await answer.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
            await using var closing = stream.ConfigureAwait(false);
            using var whole = new MemoryStream((int)(answer.Content.Headers.ContentLength ?? 4096));
            var chunk = new byte[8192];
            int read;
            while ((read = await stream.ReadAsync(chunk, either.Token).ConfigureAwait(false)) > 0)
            {
                if (whole.Length + read > bound) throw TooLarge(what, bound);
                whole.Write(chunk, 0, read);
            }

            return whole.ToArray();
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            var seconds = _options.SilenceTimeout.TotalSeconds;
            throw new A2AException(
                A2AFault.SilenceTimeout, $"The peer's answer did not come to its end within {seconds:0} s.")
            { Retryable = true };
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            throw new A2AException(A2AFault.BadAnswer, "The peer's answer broke off.", fault) { Retryable = true };
        }
    }

    public void Dispose() => _own?.Dispose();

    private async Task<HttpResponseMessage> TryAsync(
        HttpRequestMessage request, UrlOrigin origin, bool waits, CancellationToken cancellationToken)
    {
        using var sent = request;
        await AuthorizeAsync(request, cancellationToken).ConfigureAwait(false);
        using var patience = new CancellationTokenSource(waits ? _options.TotalTimeout : _options.FirstAnswerTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        HttpResponseMessage answer;
        try
        {
            answer = await _http(origin).SendAsync(request, either.Token).ConfigureAwait(false);
        }
        catch (HttpRequestException fault) when (fault.InnerException is A2AException refused)
        {
            throw new A2AException(refused.Fault, refused.Message, fault);
        }
        catch (HttpRequestException fault)
        {
            throw new A2AException(A2AFault.Unreachable, $"The peer can't be reached: {fault.Message}", fault) { Retryable = true };
        }
        catch (IOException fault)
        {
            throw new A2AException(
                A2AFault.Unreachable, "The connection to the peer broke before it had answered.", fault)
            { Retryable = true };
        }
        catch (OperationCanceledException fault) when (!cancellationToken.IsCancellationRequested)
        {
            if (!patience.IsCancellationRequested)
            {
                // The handler's own time-out.
                throw new A2AException(
                    A2AFault.ConnectTimeout, "No connection to the peer came about in time.", fault)
                { Retryable = true };
            }

            var (which, waited) = waits
                ? (A2AFault.TotalTimeout, _options.TotalTimeout)
                : (A2AFault.FirstAnswerTimeout, _options.FirstAnswerTimeout);
            throw new A2AException(
                which, $"The peer has not begun to answer within {waited.TotalSeconds:0} s.", fault)
            { Retryable = true };
        }

        if (answer.StatusCode is >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices or HttpStatusCode.NotModified) return answer;
        using (answer) throw await RefusedAsync(answer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The key goes to the host that the operator named, and by nothing weaker than what the operator wrote.</summary>
    private async ValueTask AuthorizeAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (InterfaceChoice.OriginOf(request.RequestUri!, _options) is not UrlOrigin.Operator) return;
        if (_options.Key?.Invoke() is { Length: > 0 } key) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (_options.Authorize is { } authorize) await authorize(request, cancellationToken).ConfigureAwait(false);
    }

    private async Task<A2AException> RefusedAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var status = (int)answer.StatusCode;
        var said = await SaidAsync(answer, status, cancellationToken).ConfigureAwait(false);
        if (answer.StatusCode is HttpStatusCode.TooManyRequests)
        {
            return new A2AException(A2AFault.RateLimited, "The peer is asked too often.")
            {
                HttpStatus = status,
                Retryable = true,
                RetryAfter = RetryAfter(answer) ?? said?.RetryAfter,
            };
        }

        if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            return new A2AException(
                A2AFault.Refused, $"The peer refuses the request with {status}: check the key that it gave you.")
            { HttpStatus = status };
        }

        if (said is { Error.IsOfProtocol: true }) return said;
        if (status is >= 300 and < 400)
        {
            return new A2AException(
                A2AFault.AddressRefused, "The peer sends the request elsewhere, which isn't followed: use the address itself.")
            {
                HttpStatus = status,
            };
        }

        if (status >= 500)
        {
            return new A2AException(A2AFault.PeerFailed, $"The peer has failed with {status}{(said is null ? "" : ": " + said.Message)}")
            {
                HttpStatus = status,
                Code = said?.Code,
                Retryable = said?.Retryable ?? true,
                RetryAfter = RetryAfter(answer) ?? said?.RetryAfter,
            };
        }

        return said ?? new A2AException(A2AFault.BadAnswer, $"The peer answers with the status {status}.") { HttpStatus = status };
    }

    private async Task<A2AException?> SaidAsync(HttpResponseMessage answer, int status, CancellationToken cancellationToken)
    {
        try
        {
            var body = await ReadAsync(answer, MaxErrorBytes, "The error", cancellationToken).ConfigureAwait(false);
            using var document = JsonDocument.Parse(body);
            return ErrorBodies.Read(document.RootElement, status);
        }
        catch (Exception fault) when (fault is JsonException or A2AException)
        {
            // No error of the protocol: the status has to do.
            return null;
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage answer) => answer.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > _options.Time.GetUtcNow() => date - _options.Time.GetUtcNow(),
        _ => null,
    };

    private static A2AException TooLarge(string what, long bound) =>
        new(A2AFault.TooLarge, $"{what} of the peer is larger than {bound} bytes.");
}
