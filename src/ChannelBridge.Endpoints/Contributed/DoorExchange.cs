using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Http;
using ChannelBridge.Protocol.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>One request to a channel's HTTP endpoint, on the server's.</summary>
[SuppressMessage("Reliability", "CA2213", Justification = "The source has neither timer nor wait handle; its token outlives the exchange.")]
internal sealed class DoorExchange : HttpExchange, IOpenExchange, IDisposable
{
    private static readonly HashSet<string> DoorsOwn = new(StringComparer.OrdinalIgnoreCase)
    {
        HeaderNames.ContentLength, HeaderNames.ContentType, HeaderNames.TransferEncoding, HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.Upgrade,
        HeaderNames.Trailer, HeaderNames.TE, HeaderNames.ETag, HeaderNames.Date, HeaderNames.Server,
    };

    private readonly HttpContext _context;
    private readonly EndpointRuntime _runtime;
    private readonly HttpEndpoint _endpoint;
    private readonly string _channel;
    private readonly ReadOnlyMemory<byte>? _bodyHash;
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenRegistration _left;
    private readonly CancellationTokenRegistration _gone;
    private readonly CancellationTokenRegistration _revoked;
    private ConnectionRegistry.Place? _place;
    private BodyReader? _body;
    private EventWriter? _events;
    private bool _answered;
    private bool _disposed;

    public DoorExchange(HttpContext context, EndpointRuntime runtime, RouteTable.Route route, EndpointRequest request, EndpointEntry.Entered entered)
    {
        var caller = entered.Caller;
        _bodyHash = entered.BodyHash;
        _channel = route.Channel;
        _context = context;
        _runtime = runtime;
        _endpoint = route.Http!;
        Request = request;
        Caller = caller;
        _left = context.RequestAborted.UnsafeRegister(static state => ((DoorExchange)state!).Stop(), this);
        // Nothing that is written afterwards may arrive: the connection itself goes.
        _gone = route.Life.Ended.UnsafeRegister(static state => ((DoorExchange)state!).Abort(), this);
        if (caller is { Revoked.CanBeCanceled: true }) _revoked = caller.Revoked.UnsafeRegister(static state => ((DoorExchange)state!).Abort(), this);
    }

    /// <inheritdoc/>
    public override EndpointRequest Request { get; }

    /// <inheritdoc/>
    public override Caller? Caller { get; }

    /// <summary>True when the caller has signed the body, or that there is none.</summary>
    public bool IsSigned => _bodyHash is not null;

    /// <inheritdoc/>
    public override bool HasAnswered => _answered;

    /// <inheritdoc/>
    public bool IsLong => _events is not null;

    /// <inheritdoc/>
    public Task Ended => _ended.Task;

    /// <summary>Signalled when nothing arrives any more.</summary>
    public CancellationToken Closed => _end.Token;

    /// <inheritdoc/>
    public override async ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken = default)
    {
        if (_body is { } known) return known.Content;
        var body = await BodyReader.ReadAsync(_context, _runtime, _endpoint.MaxBodyBytes, _endpoint.Body == BodyFormat.Json).ConfigureAwait(false);
        if (_bodyHash is { } signed && !CryptographicOperations.FixedTimeEquals(SHA256.HashData(body.Content.Span), signed.Span))
        {
            body.Dispose();
            _runtime.Attempts.Failed(Door.Listener, _context.Connection.RemoteIpAddress, Caller?.Name, $"another body than the signed one, for the channel {_channel}");
            throw new BridgeException(ErrorCodes.Unauthorized, "The body isn't the one that was signed.");
        }

        if (_endpoint.Body == BodyFormat.Json && !JsonShape.Check(body.Content.Span, _runtime.Json, out var wrong))
        {
            body.Dispose();
            throw BridgeException.Invalid($"The body can't be taken: {wrong.Message}.");
        }

        _body = body;
        return body.Content;
    }

    /// <inheritdoc/>
    public override ValueTask AnswerAsync(HttpAnswer answer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(answer);
        if (answer.Status is < 200 or > 599) throw new ArgumentOutOfRangeException(nameof(answer), "A status is 200 to 599.");
        Begin();
        var response = _context.Response;
        WriteHeaders(answer.Headers);
        if (answer.ETag is { } tag)
        {
            response.Headers.ETag = $"\"{tag}\"";
            if (answer.Status == 200 && IsKnown(tag))
            {
                response.StatusCode = StatusCodes.Status304NotModified;
                return default;
            }
        }

        response.StatusCode = answer.Status;
        if (answer.Status is 204 or 205 or 304) return default;
        response.ContentLength = answer.Content.Length;
        if (answer.ContentType is { } type) response.ContentType = type;
        return answer.Content.IsEmpty || HttpMethods.IsHead(_context.Request.Method)
            ? default
            : response.Body.WriteAsync(answer.Content, cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask<IEventWriter> BeginEventsAsync(EventStreamStart? start = null, CancellationToken cancellationToken = default)
    {
        if (_answered) throw Twice();
        var address = _context.Connection.RemoteIpAddress;
        _place = _runtime.Connections.TryEnter(address, _runtime.Rates.IsExempt(address), authenticated: true, out var refusal)
            ?? throw BridgeException.Unavailable($"No further stream is served: {refusal}.", TimeSpan.FromSeconds(1));
        Begin();
        start ??= new EventStreamStart();
        WriteHeaders(start.Headers);
        var output = new EventOutput(_context, _runtime.Limits.SlowConsumerTimeout, _runtime.Time);
        output.Begin();
        var events = new EventWriter(output, start.Heartbeat, _runtime.Time, this);
        await _context.Response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
        return _events = events;
    }

    /// <inheritdoc/>
    public void Sweep() => _events?.Sweep();

    /// <inheritdoc/>
    public void Stop() => _end.Cancel();

    /// <inheritdoc/>
    public void Abort()
    {
        _end.Cancel();
        lock (_gate)
        {
            // The server uses its contexts again: afterwards this one is another request's.
            if (!_disposed) _context.Abort();
        }
    }

    /// <summary>The handler has ended.</summary>
    public async ValueTask EndAsync()
    {
        // An event that is on its way must be out before the server ends the answer.
        if (_events is { } events) await events.EndAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate) _disposed = true;
        _left.Dispose();
        _gone.Dispose();
        _revoked.Dispose();
        _body?.Dispose();
        _place?.Dispose();
        _ended.TrySetResult();
    }

    /// <summary>Answers an error, if that can still be done.</summary>
    public static Task RefuseAsync(HttpContext context, int status, BridgeException fault, string? challenge = null)
    {
        var response = context.Response;
        if (fault.RetryAfter is { } wait) response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (challenge is not null) response.Headers.WWWAuthenticate = challenge;
        var body = ErrorBody.Write(fault);
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    private static InvalidOperationException Twice() => new("This request was answered already; each gets one answer.");

    private void Begin()
    {
        if (_answered) throw Twice();
        _answered = true;
    }

    private void WriteHeaders(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        foreach (var (name, value) in headers)
        {
            if (!DoorsOwn.Contains(name)) _context.Response.Headers.Append(name, value);
        }
    }

    private bool IsKnown(string tag)
    {
        var request = _context.Request;
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method)) return false;
        if (request.Headers.IfNoneMatch.Count == 0 || !EntityTagHeaderValue.TryParseList([.. request.Headers.IfNoneMatch.OfType<string>()], out var known)) return false;
        var own = new EntityTagHeaderValue($"\"{tag}\"");
        // The weak comparison, RFC 9110 §13.1.2.
        return known.Any(one => one.Tag == "*" || one.Compare(own, useStrongComparison: false));
    }
}
