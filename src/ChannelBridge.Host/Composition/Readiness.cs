using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// The answers of <c>/healthz</c> (the process is alive) and <c>/readyz</c> (the store can be written, this host has its share of it, and the listeners are up). The store is asked
/// at most once a second, however many ask, because each probe is a commit.
/// </summary>
internal sealed class Readiness(HostState state, TimeProvider time, IStore? store = null, ILaneClaims? claims = null)
{
    /// <summary>Answers as long as the process does.</summary>
    public const string LivePath = "/healthz";

    /// <summary>Answers whether the host can work.</summary>
    public const string ReadyPath = "/readyz";

    private static readonly TimeSpan CacheTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Task<string?>? _probe;
    private long _probedAt;

    /// <summary>Maps both paths.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet(LivePath, (RequestDelegate)(context => WriteAsync(context, StatusCodes.Status200OK, new JsonObject { ["status"] = "ok" })));
        endpoints.MapGet(ReadyPath, (RequestDelegate)AnswerReadyAsync);
    }

    /// <summary>The same for a caller that can't wait for a store that hangs: after a while that is the reason.</summary>
    public async Task<IReadOnlyList<string>> FindReasonsAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            return await FindReasonsAsync().WaitAsync(patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return [$"store: no answer within {patience.TotalSeconds:0.#} s"];
        }
    }

    /// <summary>Why the host isn't ready; empty when it is. Codes and plain words only: the answer needs no token.</summary>
    public async Task<IReadOnlyList<string>> FindReasonsAsync()
    {
        var reasons = new List<string>();
        if (state.IsStopping) reasons.Add("stopping: the host is going down");
        else if (!state.IsListening) reasons.Add("starting: the listeners aren't up yet");
        if (await ProbeAsync().ConfigureAwait(false) is { } fault) reasons.Add($"store: {fault}");
        if (claims?.Fault is { } lost) reasons.Add($"claims: {lost}");
        return reasons;
    }

    private async Task AnswerReadyAsync(HttpContext context)
    {
        var reasons = await FindReasonsAsync().ConfigureAwait(false);
        var body = new JsonObject { ["status"] = reasons.Count == 0 ? "ready" : "not ready" };
        if (reasons.Count > 0) body["reasons"] = new JsonArray([.. reasons.Select(reason => JsonValue.Create(reason))]);
        await WriteAsync(context, reasons.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, body).ConfigureAwait(false);
    }

    private Task<string?> ProbeAsync()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_probe is null || (_probe.IsCompleted && time.GetElapsedTime(_probedAt, now) > CacheTime))
            {
                _probe = ProbeOnceAsync();
                _probedAt = now;
            }

            return _probe;
        }
    }

    private async Task<string?> ProbeOnceAsync()
    {
        if (store is null) return null;
        try
        {
            using var timeout = new CancellationTokenSource(ProbeTimeout, time);
            await store.ProbeAsync(timeout.Token).AsTask().WaitAsync(ProbeTimeout, time).ConfigureAwait(false);
            return null;
        }
        catch (BridgeException fault)
        {
            // Its text names neither paths nor hosts: it is written for remote callers.
            return $"{fault.Code}: {fault.Message}";
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            return $"{ErrorCodes.Timeout}: no answer within {ProbeTimeout.TotalSeconds:0} s";
        }
        catch (Exception)
        {
            // Readiness has to answer; what the fault is, the store's own log says.
            return ErrorCodes.Internal;
        }
    }

    private static Task WriteAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(body.ToJsonString() + "\n", context.RequestAborted);
    }
}
