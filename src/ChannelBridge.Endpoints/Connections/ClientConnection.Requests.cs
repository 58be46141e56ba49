using System.Diagnostics;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Endpoints.Limits;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Connections;

/// <content>Requests from their start to their answer.</content>
internal abstract partial class ClientConnection
{
    /// <summary>A method has ended; writes and sends its answer.</summary>
    public void Complete(PendingRequest request, Exception? fault)
    {
        if (fault is null)
        {
            EndResult(request);
        }
        else
        {
            var error = Translate(fault, request);
            Telemetry.Errors.Add(1, new KeyValuePair<string, object?>("channelbridge.code", error.Code));
            WriteError(request, error);
        }

        Measure(request, fault);
        Requests.Remove(request);
        if (request.Batch is { } batch)
        {
            if (batch.Add(request.IsNotification ? default : request.Response.Body.Span) is { } reply) Send(reply);
        }
        else if (!request.IsNotification)
        {
            var response = request.Response;
            request.ReleaseResponse();
            Send(response);
        }

        var call = request.Call;
        request.Return();
        call?.Answered();
    }

    /// <summary>Starts a request that is in the table already. Its method runs up to its first wait before this returns.</summary>
    protected void Start(PendingRequest request, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> parameters, ReadOnlySpan<byte> traceParent)
    {
        if (TakeRate() is { } tooFast)
        {
            Complete(request, tooFast);
            return;
        }

        var method = Runtime.Router.Find(name);
        if (method is null)
        {
            Complete(request, UnknownMethodException.For(name));
            return;
        }

        request.Method = method;
        if (Refuse(method) is { } refusal)
        {
            Complete(request, refusal);
            return;
        }

        Telemetry.Requests.Add(1, new KeyValuePair<string, object?>("channelbridge.method", method.Name));
        var call = _plainCall;
        var trace = Trace.Parse(traceParent);
        var around = Activity.Current;
        if (Telemetry.Source.HasListeners())
        {
            request.Activity = Telemetry.Source.StartActivity(method.Name, ActivityKind.Server, trace);
            if (request.Activity is { } activity) trace = activity.Context;
        }

        if (trace != default || method.ActsAfterAnswer || !request.Content.IsEmpty) call = new MethodCall(this, trace) { Content = request.Content };
        if (method.ActsAfterAnswer) request.Call = call;
        BeginResult(request);
        try
        {
            var task = method.InvokeAsync(parameters, call, request.Response, TokenOf(request));
            if (!task.IsCompleted)
            {
                request.Await(task);
                return;
            }

            task.GetAwaiter().GetResult();
        }
        catch (Exception fault)
        {
            Complete(request, fault);
            return;
        }
        finally
        {
            // The span ends with the request; the next one of this connection isn't its child.
            Activity.Current = around;
        }

        Complete(request, null);
    }

    /// <summary>Counts one message against the rates of its sender; broken ones count too.</summary>
    protected BridgeException? TakeRate()
    {
        if (_tokenRate is { } token && !token.TryTake(out var wait)) return RateLimits.TooFast("too many requests of this access token", wait);
        if (_addressRate is { } address && !address.TryTake(out wait)) return RateLimits.TooFast("too many requests of this address", wait);
        return null;
    }

    private BridgeException? Refuse(RpcMethod method)
    {
        if (_draining) return BridgeException.Unavailable("the host is stopping", TimeSpan.FromSeconds(1));
        if (!IsAuthenticated && method.Scope != Scopes.None)
            return new BridgeException(ErrorCodes.Unauthorized, "authenticate first: auth.authenticate {token}, or the header Authorization: Bearer TOKEN");
        return Runtime.Router.Check(method, Caller);
    }

    private BridgeException Translate(Exception fault, PendingRequest request)
    {
        switch (fault)
        {
            case BridgeException error:
                return error;
            case OperationCanceledException when request.IsCancelled || Closed.IsCancellationRequested:
                return new BridgeException(ErrorCodes.Cancelled, "the request was cancelled");
            case OperationCanceledException:
                return new BridgeException(ErrorCodes.Cancelled, "the host gave the request up; try again") { Retryable = true };
            default:
                var reference = Guid.NewGuid().ToString("N")[..12];
                LogRequestFailed(fault, Id, request.Method?.Name ?? "", reference);
                return new BridgeException(ErrorCodes.Internal, $"internal error; the host's log has it under reference {reference}");
        }
    }

    private void Measure(PendingRequest request, Exception? fault)
    {
        if (request.Activity is { } activity)
        {
            if (fault is not null) activity.SetStatus(ActivityStatusCode.Error, (fault as BridgeException)?.Code ?? ErrorCodes.Internal);
            activity.Dispose();
        }

        if (!Telemetry.Duration.Enabled || request.Method is not { } method) return;
        Telemetry.Duration.Record(
            Runtime.Time.GetElapsedTime(request.StartedAt).TotalSeconds,
            new KeyValuePair<string, object?>("channelbridge.method", method.Name),
            new KeyValuePair<string, object?>("channelbridge.code", fault is null ? "ok" : (fault as BridgeException)?.Code ?? ErrorCodes.Internal));
    }

    [LoggerMessage(EventId = LogEvents.ClientConnectionRequestFailed, Level = LogLevel.Error, Message = "Request on connection {Id} failed: {Method}, reference {Reference}")]
    private partial void LogRequestFailed(Exception fault, string id, string method, string reference);
}
