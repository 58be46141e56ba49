using System.Runtime.CompilerServices;
using System.Text.Json;

namespace ChannelBridge.A2A.Client;

/// <summary>What comes as events: streams where the peer has them, polls where it hasn't.</summary>
public sealed partial class A2AClient
{
    /// <summary>
    /// Sends a message and tells what becomes of it, until the task has ended or waits for the client. A peer that doesn't stream is
    /// polled; a stream that breaks off is taken up again, so that a caller sees one row of events.
    /// </summary>
    /// <exception cref="A2AException">The call failed, or took too long as a whole.</exception>
    public async IAsyncEnumerable<StreamItem> StreamAsync(
        SendRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var whole = new CancellationTokenSource(_options.TotalTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(whole.Token, cancellationToken);
        var streams = await StreamsAsync(either.Token).ConfigureAwait(false);
        var opening = streams ? OpenedAsync(request, either.Token) : SentAsync(request, either.Token);
        await foreach (
            var item in FollowAsync(opening, streams, request.Tenant, whole.Token, either.Token, cancellationToken).ConfigureAwait(false))
        {
            yield return item;
        }
    }

    /// <summary>Tells what becomes of a task, from how it is now until it has ended or waits for the client.</summary>
    /// <exception cref="A2AException">There is no such task, it has ended, or the call failed.</exception>
    public async IAsyncEnumerable<StreamItem> SubscribeAsync(
        SubscribeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var whole = new CancellationTokenSource(_options.TotalTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(whole.Token, cancellationToken);
        var streams = await StreamsAsync(either.Token).ConfigureAwait(false);
        var opening = streams
            ? EventsAsync(SubscribeCall(request.Id, request.Tenant), either.Token)
            : LookedAtAsync(request.Id, request.Tenant, either.Token);
        await foreach (
            var item in FollowAsync(opening, streams, request.Tenant, whole.Token, either.Token, cancellationToken).ConfigureAwait(false))
        {
            yield return item;
        }
    }

    /// <summary>Sends a message and follows its task to the end, or to where it waits for the client.</summary>
    /// <param name="request">What to send.</param>
    /// <param name="progress">Hears every event, or null.</param>
    /// <param name="cancellationToken">Ends the wait; the task goes on.</param>
    /// <returns>The task as it stands then, or the agent's direct answer.</returns>
    public async Task<SendResult> RunAsync(
        SendRequest request, Action<StreamItem>? progress = null, CancellationToken cancellationToken = default)
    {
        TaskFold? fold = null;
        await foreach (var item in StreamAsync(request, cancellationToken).ConfigureAwait(false))
        {
            progress?.Invoke(item);
            if (item.Message is { } message) return new SendResult { Message = message };
            if (fold is null)
            {
                fold = item.Task is { } task
                    ? new TaskFold(task)
                    : throw new A2AException(A2AFault.BadAnswer, "The peer's first event is no task.");
            }
            else fold.Apply(item);
        }

        return fold is null
            ? throw new A2AException(A2AFault.StreamBroken, "The peer's stream ended with nothing in it.") { Retryable = true }
            : new SendResult { Task = fold.Snapshot() };
    }

    private static Call StreamCall(SendRequest request) => new(Operation.Stream, dialect => dialect.Send.ToBytes(request), "message:stream")
    {
        HasRestBody = true,
        Streams = true,
        Tenant = request.Tenant,
    };

    private static Call SubscribeCall(string id, string? tenant) => new(
        Operation.Subscribe,
        dialect => dialect.Subscribe.ToBytes(new SubscribeRequest { Id = id, Tenant = tenant }),
        TaskPath(id) + ":subscribe")
    { Streams = true, Tenant = tenant };

    private async Task<bool> StreamsAsync(CancellationToken cancellationToken) =>
        _options.Direct is not null || (
            await _cards.GetAsync(anew: false, cancellationToken).ConfigureAwait(false)).Capabilities.Streaming is true;

    /// <summary>Passes events on and keeps the task that they make, to go on where a stream breaks off.</summary>
    private async IAsyncEnumerable<StreamItem> FollowAsync(
        IAsyncEnumerable<StreamItem> opening,
        bool streams,
        string? tenant,
        CancellationToken whole,
        CancellationToken either,
        [EnumeratorCancellation] CancellationToken caller)
    {
        TaskFold? fold = null;
        var events = opening;
        var breaks = 0;
        while (true)
        {
            var source = events.GetAsyncEnumerator(either);
            await using var closing = source.ConfigureAwait(false);
            while (true)
            {
                StreamItem item;
                try
                {
                    if (!await source.MoveNextAsync().ConfigureAwait(false)) break;
                    item = source.Current;
                }
                catch (OperationCanceledException fault) when (whole.IsCancellationRequested && !caller.IsCancellationRequested)
                {
                    throw TooLong(fault);
                }
                catch (A2AException fault) when (fold is not null && Resumable(fault) && breaks < _options.Retries)
                {
                    breaks++;
                    break;
                }

                if (item.Message is not null)
                {
                    yield return item;
                    yield break;
                }

                foreach (var told in Told(ref fold, item)) yield return told;
                if (fold is not null && TaskStates.EndsStream(fold.State)) yield break;
            }

            // The stream is over and the task isn't.
            if (fold is null)
            {
                throw new A2AException(A2AFault.StreamBroken, "The peer's stream ended with nothing in it.") { Retryable = true };
            }
            events = streams && breaks <= _options.Retries && breaks > 0
                ? ResumedAsync(fold.Id, tenant, either)
                : PolledAsync(fold.Id, tenant, either);
            streams = streams && breaks > 0;
        }
    }

    private static bool Resumable(A2AException fault) =>
        fault.Fault is A2AFault.StreamBroken or A2AFault.SilenceTimeout or A2AFault.Unreachable or A2AFault.PeerFailed
        or A2AFault.ConnectTimeout or A2AFault.RateLimited;

    /// <summary>What a caller is told of an event: after a break, the look at the task only tells what is new.</summary>
    private static IReadOnlyList<StreamItem> Told(ref TaskFold? fold, StreamItem item)
    {
        if (fold is null)
        {
            if (item.Task is { } first)
            {
                fold = new TaskFold(first);
                return [item];
            }

            // Servers of 0.3 may begin with a change; the task is made of it.
            var (id, context) = item.StatusUpdate is { } status
                ? (status.TaskId, status.ContextId)
                : (item.ArtifactUpdate!.TaskId, item.ArtifactUpdate.ContextId);
            var made = new A2ATask { Id = id, ContextId = context, Status = new A2ATaskStatus { State = TaskState.Submitted } };
            fold = new TaskFold(made);
            fold.Apply(item);
            return [new StreamItem { Task = made }, item];
        }

        if (item.Task is { } task) return fold.Advance(task);
        return fold.Apply(item) switch
        {
            FoldResult.Applied => [item],
            FoldResult.TooLarge => throw new A2AException(A2AFault.TooLarge, "The task's artifacts are larger than is taken."),
            _ => [],
        };
    }

    /// <summary>Asks for a stream; of a peer that has none after all, for an answer at once.</summary>
    private async IAsyncEnumerable<StreamItem> OpenedAsync(
        SendRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var source = EventsAsync(StreamCall(request), cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using var closing = source.ConfigureAwait(false);
        for (var begun = false; ; begun = true)
        {
            try
            {
                if (!await source.MoveNextAsync().ConfigureAwait(false)) yield break;
            }
            catch (A2AException fault) when (
                !begun && (fault.Error == A2AError.UnsupportedOperation || fault.Error == A2AError.MethodNotFound))
            {
                break;
            }

            yield return source.Current;
        }

        await foreach (var item in SentAsync(request, cancellationToken).ConfigureAwait(false)) yield return item;
    }

    private async IAsyncEnumerable<StreamItem> SentAsync(SendRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var quick = request with { Configuration = (request.Configuration ?? new SendConfiguration()) with { ReturnImmediately = true } };
        var result = await SendAsync(quick, cancellationToken).ConfigureAwait(false);
        yield return new StreamItem { Task = result.Task, Message = result.Message };
    }

    private async IAsyncEnumerable<StreamItem> LookedAtAsync(
        string id, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var task = await GetTaskAsync(new GetTaskRequest { Id = id, Tenant = tenant }, cancellationToken).ConfigureAwait(false);
        if (TaskStates.IsTerminal(task.Status.State))
        {
            throw new A2AException(A2AError.UnsupportedOperation, "The task has ended: there is nothing to wait for.");
        }
        yield return new StreamItem { Task = task };
    }

    /// <summary>A broken stream is taken up again; a peer that can't, or whose task has ended meanwhile, is polled.</summary>
    private async IAsyncEnumerable<StreamItem> ResumedAsync(
        string id, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var source = EventsAsync(SubscribeCall(id, tenant), cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using var closing = source.ConfigureAwait(false);
        while (true)
        {
            try
            {
                if (!await source.MoveNextAsync().ConfigureAwait(false)) yield break;
            }
            catch (A2AException fault) when (fault.Error is not null)
            {
                break;
            }

            yield return source.Current;
        }

        yield return new StreamItem
        {
            Task = await GetTaskAsync(new GetTaskRequest { Id = id, Tenant = tenant }, cancellationToken).ConfigureAwait(false),
        };
    }

    private async IAsyncEnumerable<StreamItem> PolledAsync(
        string id, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var round = 0; ; round++)
        {
            var delay = _options.PollDelays[Math.Min(round, _options.PollDelays.Count - 1)];
            await Task.Delay(delay, _options.Time, cancellationToken).ConfigureAwait(false);
            var task = await GetTaskAsync(new GetTaskRequest { Id = id, Tenant = tenant }, cancellationToken).ConfigureAwait(false);
            yield return new StreamItem { Task = task };
            if (TaskStates.EndsStream(task.Status.State)) yield break;
        }
    }

    /// <summary>The events of one HTTP answer. A peer may answer a stream with one JSON body: an error, or a result.</summary>
    private async IAsyncEnumerable<StreamItem> EventsAsync(Call call, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (wire, answer) = await BeginAsync(call, cancellationToken).ConfigureAwait(false);
        using var closing = answer;
        if (answer.Content.Headers.ContentType?.MediaType is not "text/event-stream")
        {
            var body = await _caller.ReadAsync(answer, _options.MaxAnswerBytes, "The answer", cancellationToken).ConfigureAwait(false);
            yield return Read(wire, body, static (dialect, bytes) => dialect.Item.Read(bytes.Span));
            yield break;
        }

        var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using var ending = stream.ConfigureAwait(false);
        using var reader = new EventReader(stream, _options);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) is { } data)
        {
            if (reader.IsError) throw ErrorOf(data);
            yield return Read(wire, data, static (dialect, bytes) => dialect.Item.Read(bytes.Span));
        }
    }

    private static A2AException ErrorOf(ReadOnlyMemory<byte> data)
    {
        try
        {
            using var document = JsonDocument.Parse(data);
            return ErrorBodies.Read(document.RootElement, null)
                ?? new A2AException(A2AFault.BadAnswer, "The peer's stream ended with an error that has no code.");
        }
        catch (JsonException fault)
        {
            return new A2AException(A2AFault.BadAnswer, "The peer's stream ended with an error that makes no sense.", fault);
        }
    }
}
