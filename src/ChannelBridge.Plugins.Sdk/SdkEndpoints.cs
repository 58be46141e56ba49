using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>
/// The endpoints of the program's channels, called by the host. A handler runs on after its answer has begun: an event stream and a socket last
/// as long as it does, or as the host reads.
/// </summary>
internal sealed class SdkEndpoints(IReadOnlyList<IEndpointSource> sources, PluginStreams streams, TimeProvider time, CancellationToken stop)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _running = [];

    /// <summary>What the program offers, as the manifest must name it.</summary>
    public IEnumerable<string> Names => sources.SelectMany(source => source.Http)
        .SelectMany(endpoint => endpoint.Verbs.Select(verb => $"{verb} {endpoint.Path}"))
        .Concat(sources.SelectMany(source => source.Sockets).Select(socket => $"{PluginNames.Socket} {socket.Path}"));

    /// <summary>
    /// The faults of a manifest that lets in others than the program means to: the host checks what the manifest says.
    /// </summary>
    public IEnumerable<string> Faults(PluginManifest manifest)
    {
        foreach (var said in manifest.Endpoints)
        {
            foreach (var meant in sources.SelectMany(source => source.Http).Where(endpoint => endpoint.Path == said.Path && endpoint.Verbs.Intersect(said.Verbs).Any()))
            {
                if (NameOf(meant.Access) != said.Access) yield return $"{said.Path}: the manifest's access is {said.Access}, the program's {NameOf(meant.Access)}";
            }
        }

        foreach (var said in manifest.Sockets)
        {
            foreach (var meant in sources.SelectMany(source => source.Sockets).Where(socket => socket.Path == said.Path))
            {
                if (NameOf(meant.Access) != said.Access) yield return $"{said.Path}: the manifest's access is {said.Access}, the program's {NameOf(meant.Access)}";
            }
        }
    }

    /// <summary>Runs the handler of a request until its answer has begun.</summary>
    public async Task<PluginHttpAnswer> AnswerAsync(PluginRequest request, string? text, long? body, CancellationToken cancellationToken)
    {
        var endpoint = sources.SelectMany(source => source.Http)
            .FirstOrDefault(one => one.Path == request.Endpoint && one.Verbs.Contains(request.Verb == "HEAD" ? "GET" : request.Verb, StringComparer.Ordinal))
            ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no endpoint {request.Verb} {request.Endpoint}");
        var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
        var exchange = new SdkExchange(SdkMapping.FromWire(request), SdkMapping.FromWire(request.Caller), text, body, endpoint.MaxBodyBytes, streams, end);
        var handling = Keep(HandleAsync(endpoint, exchange, end));
        var first = await Task.WhenAny(exchange.Answer, handling).ConfigureAwait(false);
        if (first == handling)
        {
            // Its fault, if it has one, is the answer.
            await handling.ConfigureAwait(false);
            if (!exchange.Answer.IsCompletedSuccessfully) throw new BridgeException(ErrorCodes.Internal, $"the handler of {request.Endpoint} ended without an answer");
        }

        return await exchange.Answer.ConfigureAwait(false);
    }

    /// <summary>Runs the channel's own check of a request.</summary>
    public async Task<PluginVerdict> AuthorizeAsync(PluginRequest request, CancellationToken cancellationToken)
    {
        var access = sources.SelectMany(source => source.Http).Where(one => one.Path == request.Endpoint && one.Verbs.Contains(request.Verb, StringComparer.Ordinal))
            .Select(one => one.Access)
            .Concat(sources.SelectMany(source => source.Sockets).Where(one => one.Path == request.Endpoint).Select(one => one.Access))
            .FirstOrDefault(access => access.Check is not null)
            ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no check of {request.Endpoint}");
        var verdict = await access.Check!(SdkMapping.FromWire(request), cancellationToken).ConfigureAwait(false);
        return verdict.Caller is { } caller
            ? new PluginVerdict { Name = caller.Name }
            : new PluginVerdict { Identity = verdict.Identity, Status = verdict.Status, Message = verdict.Message, Challenge = verdict.Challenge };
    }

    /// <summary>Begins to serve a socket.</summary>
    public PluginSocketOpened Open(PluginRequest request, long incoming, string? subprotocol)
    {
        var endpoint = sources.SelectMany(source => source.Sockets).FirstOrDefault(one => one.Path == request.Endpoint)
            ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no socket {request.Endpoint}");
        var reader = streams.Take(incoming);
        PluginStreamWriter writer;
        try
        {
            writer = streams.Open();
        }
        catch
        {
            reader.Dispose();
            throw;
        }

        var peer = new SdkSocketPeer(SdkMapping.FromWire(request), subprotocol, SdkMapping.FromWire(request.Caller), reader, writer, endpoint.MaxMessageBytes, time);
        _ = Keep(ServeAsync(endpoint, peer));
        return new PluginSocketOpened(writer.Id);
    }

    /// <summary>Completes when every handler has ended.</summary>
    public async Task DrainAsync()
    {
        Task[] running;
        lock (_lock) running = [.. _running];
        await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task HandleAsync(HttpEndpoint endpoint, SdkExchange exchange, CancellationTokenSource end)
    {
        using (end)
        {
            await Task.Yield();
            try
            {
                await endpoint.Handler(exchange, end.Token).ConfigureAwait(false);
                exchange.Complete();
            }
            catch (Exception) when (exchange.HasAnswered)
            {
                // The answer has begun: whoever reads it sees that it isn't whole.
                exchange.Abandon();
            }
            finally
            {
                exchange.Dispose();
            }
        }
    }

    private async Task ServeAsync(SocketEndpoint endpoint, SdkSocketPeer peer)
    {
        await Task.Yield();
        using (peer)
        {
            try
            {
                using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, peer.Closed);
                await endpoint.Handler(peer, end.Token).ConfigureAwait(false);
                peer.Close();
            }
            catch (Exception fault)
            {
                if (fault is not OperationCanceledException) await Console.Error.WriteLineAsync($"fail: the socket {endpoint.Path}: {fault}").ConfigureAwait(false);
                peer.Close(fault is OperationCanceledException ? 1001 : 1011);
            }

            await peer.FlushAsync().ConfigureAwait(false);
        }
    }

    private Task Keep(Task task)
    {
        lock (_lock) _running.Add(task);
        _ = task.ContinueWith(
            done =>
            {
                // Nobody else may look at a handler's fault; whoever waits for the answer gets it.
                _ = done.Exception;
                lock (_lock) _running.Remove(done);
            },
            TaskScheduler.Default);
        return task;
    }

    private static string NameOf(EndpointAccess access) =>
        access.IsAnonymous ? "anonymous" : access.Check is not null ? "plugin" : string.Join("+", Abstractions.Access.ScopeNames.ToNames(access.Needed));
}
