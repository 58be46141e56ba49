using System.Collections.Concurrent;
using System.Globalization;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>Runs responses: slots and their line, streams that outlive their readers and the host, and the conversations that they make up.</summary>
internal sealed partial class ResponseRuns : IResponseRuns, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ResponseRun> _runs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IAgent> _agents;
    private readonly ResponseOptions _options;
    private readonly ResponseRecords _records;
    private readonly ConversationResolver _conversations;
    private readonly ReplayFolder _folder;
    private readonly ItemSeal _seal;
    private readonly CallMemory _memory = new();
    private readonly ConcurrentDictionary<string, TurnSlots> _slots = new(StringComparer.OrdinalIgnoreCase);
    private readonly TimeProvider _time;
    private readonly ILogger<ResponseRuns> _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _chosen = new(1);
    private Task _sweeping = Task.CompletedTask;
    private bool _stopping;

    /// <summary>Makes the runs of a host; <see cref="StartAsync(CancellationToken)"/> takes up what a former one left.</summary>
    public ResponseRuns(IStore store, IEnumerable<IAgent> agents, ResponseOptions options, TimeProvider time, ILogger<ResponseRuns> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _agents = new Dictionary<string, IAgent>(StringComparer.OrdinalIgnoreCase);
        foreach (var agent in agents) _agents[agent.Name] = agent;
        _options = options;
        _time = time;
        _logger = logger;
        _records = new ResponseRecords(store, options, time);
        _seal = new ItemSeal(store, time);
        _conversations = new ConversationResolver(_records, _seal, _memory, options);
        _folder = new ReplayFolder(options, _records, time, logger);
    }

    /// <summary>The agents by name, the default one first.</summary>
    public IReadOnlyList<string> Agents =>
        [.. _agents.Keys.OrderBy(name => !string.Equals(name, _options.DefaultAgent, StringComparison.OrdinalIgnoreCase)).ThenBy(name => name, StringComparer.Ordinal)];

    /// <summary>Responses that run or wait.</summary>
    public int Running => _runs.Count;

    /// <summary>Responses that hold a slot, of all agents.</summary>
    public int Taken => _slots.Values.Sum(slots => slots.Taken);

    /// <summary>Responses that wait for a slot, of all agents.</summary>
    public int Waiting => _slots.Values.Sum(slots => slots.Waiting);

    /// <summary>The slots of an agent.</summary>
    public TurnSlots SlotsOf(string agent) =>
        _slots.GetOrAdd(agent, static (_, options) => new TurnSlots(options.Slots, options.QueueCapacity, shared: true), _options);

    /// <summary>
    /// Ends what ran when a former host died (<c>response.failed</c>, code <c>interrupted</c>), but for what outlives its host, and begins to sweep. Called when the
    /// store is open.
    /// </summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _folder.RecoverAsync(cancellationToken).ConfigureAwait(false);
        _sweeping = SweepAsync();
    }

    /// <summary>Takes no more, gives what runs a moment, and ends the rest as <c>interrupted</c>, but for what outlives its host.</summary>
    /// <param name="grace">The moment.</param>
    public async Task StopAsync(TimeSpan grace)
    {
        _stopping = true;
        Task ends = Task.WhenAll(_runs.Values.Select(run => run.Completion));
        await ends.WaitAsync(grace, _time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync().ConfigureAwait(false);
        ends = Task.WhenAll(_runs.Values.Select(run => run.Completion));
        await ends.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _sweeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested) await StopAsync(TimeSpan.Zero).ConfigureAwait(false);
        _stop.Dispose();
        _chosen.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask<IResponseRun> StartAsync(ResponseStart start, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(start);
        if (start.ResponseId is not { } chosen) return await BeginAsync(start, cancellationToken).ConfigureAwait(false);
        if (!ResponseJournal.IsSafe(chosen)) throw BridgeException.Invalid("A response id has 6 to 128 letters, digits, underscores and hyphens.");
        // The same request may come twice in one moment.
        await _chosen.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await FindAsync(chosen, start.Owner, cancellationToken).ConfigureAwait(false) ?? await BeginAsync(start, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _chosen.Release();
        }
    }

    private async ValueTask<IResponseRun> BeginAsync(ResponseStart start, CancellationToken cancellationToken)
    {
        if (_stopping) throw BridgeException.Unavailable("The host is stopping; try again in a moment.", TimeSpan.FromSeconds(5));
        UrlInputs.Check(start.Request);
        var agent = Choose(start.Agent, start.Request.Model);
        // A client at a door is answered at once, so that turns for an agent that isn't there hold no slots; a channel's request waits for
        // it.
        if (start is { Slots: null, Generate: true } && !IsThere(agent)) throw Away(agent);
        var conversation = await _conversations.ResolveAsync(start.Request, start.History, start.Session, start.Owner, cancellationToken).ConfigureAwait(false);
        var id = start.ResponseId ?? "resp_" + Guid.CreateVersion7(_time.GetUtcNow()).ToString("N");
        var store = start.Request.Store ?? true;
        var header = new JournalHeader(
            id,
            start.Owner,
            conversation.Session ?? id,
            store,
            start.History is null ? start.Request.PreviousResponseId : null,
            store ? ItemJson.ToElement(ResponseRecords.Named(id, start.History is { } before ? [.. before, .. conversation.Input] : conversation.Input)) : null,
            start.OutlivesHost ? true : null);
        var left = start.OutlivesHost ? await _folder.TakeUpAsync(id, start.Owner, cancellationToken).ConfigureAwait(false) : null;
        if (start.Request.IncludeSealedReasoning) await _seal.PrepareAsync(cancellationToken).ConfigureAwait(false);
        var slots = start.Slots ?? SlotsOf(agent.Name);
        var end = new CancellationTokenSource();
        Task entering;
        ResponseRun run;
        try
        {
            // The place in the line first: a request that is refused has made nothing.
            entering = start.Generate ? slots.EnterAsync(start.Owner, end.Token) : Task.CompletedTask;
            try
            {
                run = left is null ? Open(header, start.Request, agent) : new ResponseRun(header, left, _options.RawReasoning == RawReasoning.OpenAI, _logger);
            }
            catch
            {
                await end.CancelAsync().ConfigureAwait(false);
                if (start.Generate) _ = ReleaseAsync(slots, start.Owner, entering);
                throw;
            }
        }
        catch
        {
            end.Dispose();
            throw;
        }

        _runs[id] = run;
        if (start is { OutlivesHost: false, Request.Background: not true }) run.Watch(_options.AbandonedAfter, _time);
        run.Machine.Create(queued: !entering.IsCompleted);
        if (!entering.IsCompleted) run.Machine.Queue();
        var tools = start.Request.Tools;
        var request = start.Request with
        {
            Input = [.. conversation.Items.Select(item => item is FunctionCallItem call ? CallNames.ToAgent(tools, call) : item)],
            PreviousResponseId = null,
        };
        _ = Task.Run(() => RunAsync(run, start, request, agent, slots, entering, end), CancellationToken.None);
        return run;
    }

    /// <inheritdoc/>
    public async ValueTask<IResponseRun?> FindAsync(string responseId, string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(responseId);
        if (!ResponseJournal.IsSafe(responseId)) return null;
        if (_runs.TryGetValue(responseId, out var run)) return run.Header.Owner == owner ? run : null;
        if (await _folder.FindAsync(responseId, owner, cancellationToken).ConfigureAwait(false) is { } kept) return kept;
        return await _records.GetAsync(responseId, owner, cancellationToken).ConfigureAwait(false) is { } record
            ? new KeptRun(responseId, record.Session, null, System.Text.Encoding.UTF8.GetBytes(record.Response.GetRawText()))
            : null;
    }

    /// <summary>A response as <c>GET</c> gives it, or null when it is unknown, another owner's, or ended without being stored.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> GetAsync(string responseId, string owner, CancellationToken cancellationToken)
    {
        if (_runs.TryGetValue(responseId, out var run))
        {
            if (run.Header.Owner != owner) return null;
            run.Touch();
            return run.Snapshot;
        }

        return await _records.GetAsync(responseId, owner, cancellationToken).ConfigureAwait(false) is { } record
            ? (ReadOnlyMemory<byte>?)System.Text.Encoding.UTF8.GetBytes(record.Response.GetRawText())
            : null;
    }

    /// <summary>The input of a stored or running response, oldest first, as a JSON list; null as for <see cref="GetAsync"/>.</summary>
    public async ValueTask<System.Text.Json.JsonElement?> GetInputAsync(string responseId, string owner, CancellationToken cancellationToken)
    {
        if (_runs.TryGetValue(responseId, out var run)) return run.Header.Owner == owner ? run.Header.Input : null;
        return (await _records.GetAsync(responseId, owner, cancellationToken).ConfigureAwait(false))?.Input;
    }

    /// <summary>Forgets a response: cancelled first when it runs, then record and events. False when it isn't there.</summary>
    public async ValueTask<bool> DeleteAsync(string responseId, string owner, CancellationToken cancellationToken)
    {
        if (await FindAsync(responseId, owner, cancellationToken).ConfigureAwait(false) is not { } run) return false;
        await run.CancelAsync().ConfigureAwait(false);
        await run.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        await _records.DeleteAsync(responseId, cancellationToken).ConfigureAwait(false);
        _folder.Delete(responseId);
        return true;
    }

    /// <summary>The agent of a request.</summary>
    /// <param name="name">The agent by name, or null.</param>
    /// <param name="model">The request's model: an agent's name, alone or before a slash; any other one goes to the default agent.</param>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>: no agent has the name.</exception>
    public IAgent Choose(string? name, string? model)
    {
        if (name is not null)
            return _agents.GetValueOrDefault(name)
                ?? throw ResponseErrors.NotFound($"There is no agent '{name}'; there are: {string.Join(", ", Agents)}.", "model", "model_not_found");
        if (model is not null && (_agents.GetValueOrDefault(model) ?? _agents.GetValueOrDefault(model.Split('/', 2)[0])) is { } named) return named;
        return _agents.GetValueOrDefault(_options.DefaultAgent) ?? throw ResponseErrors.NotFound($"There is no agent '{_options.DefaultAgent}'.", "model", "model_not_found");
    }

    private ResponseRun Open(JournalHeader header, ResponseRequest request, IAgent agent)
    {
        var state = new ResponseState(header.Id, request.Model ?? agent.Name, _time.GetUtcNow().ToUnixTimeSeconds(), request);
        try
        {
            var journal = ResponseJournal.Create(_options.Directory, header.Id, header);
            return new ResponseRun(header, state, journal, _options.RawReasoning == RawReasoning.OpenAI, _logger);
        }
        catch (IOException fault)
        {
            throw new BridgeException(ErrorCodes.StoreUnavailable, "The response can't be written to disk; nothing was started.", fault) { Retryable = true };
        }
    }

    private static async Task ReleaseAsync(TurnSlots slots, string owner, Task entering)
    {
        await entering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (entering.IsCompletedSuccessfully) slots.Release(owner);
    }

    private static bool IsThere(IAgent agent)
    {
        // The wait is only looked at: of an agent that isn't there now it isn't complete.
        using var look = new CancellationTokenSource();
        var wait = agent.WaitUntilAvailableAsync(look.Token);
        var there = wait.IsCompletedSuccessfully;
        look.Cancel();
        return there;
    }

    private static BridgeException Away(IAgent agent) =>
        BridgeException.Unavailable($"The agent '{agent.Name}' isn't there at the moment; try again later.", TimeSpan.FromSeconds(5));

    private async Task RunAsync(
        ResponseRun run, ResponseStart start, ResponseRequest request, IAgent agent, TurnSlots slots, Task entering, CancellationTokenSource leave)
    {
        var timeout = start.Timeout ?? _options.Timeout;
        using var late = new CancellationTokenSource(timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(run.Cancelled, late.Token, _stop.Token);
        var leaving = linked.Token.Register(leave.Cancel);
        ResponseRunner? runner = null;
        var leaves = false;
        try
        {
            await entering.ConfigureAwait(false);
            linked.Token.ThrowIfCancellationRequested();
            run.Machine.Start();
            // An answer that was whole when its host ended lacks its end alone.
            if (start.Generate && !run.Machine.HasFinalAnswer)
            {
                var message = start.Message ?? TurnMaker.Make(request, run.Header.Owner, run.Session, agent.Name, _time.GetUtcNow().ToUnixTimeMilliseconds());
                // Who starts a run with a time of its own means it: before the agent's.
                if (start.Timeout is { } longest && message.Rules?.Timeout is null)
                    message = message with { Rules = (message.Rules ?? new TurnRules()) with { Timeout = longest } };
                var turn = new AgentTurn(TurnId(run.Id), message, 1) { Request = request, Cancelled = run.Cancelled };
                Func<ReasoningItem, string>? seal =
                    request.IncludeSealedReasoning ? reasoning => _seal.Seal(ItemSeal.Reasoning, [reasoning], run.Header.Owner) : null;
                runner = new ResponseRunner(run, agent, turn, _options, start.Coalescing, seal, _time);
                run.Wake();
                if (start.Slots is null && !IsThere(agent)) throw Away(agent);
                await runner.RunAsync(linked.Token).ConfigureAwait(false);
                runner.Finish();
            }
            else
            {
                run.Machine.Complete(_time.GetUtcNow().ToUnixTimeSeconds());
            }
        }
        catch (Exception) when (start.OutlivesHost && _stop.IsCancellationRequested && !run.Cancelled.IsCancellationRequested && !late.IsCancellationRequested)
        {
            leaves = true;
        }
        catch (Exception fault)
        {
            var patience = _options.AbandonedAfter.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
            var error = run.IsAbandoned ? new ResponseError(
                    ResponseErrors.Abandoned, $"The response was not read for {patience} s; it was ended (Responses:AbandonedAfter).")
                : run.Cancelled.IsCancellationRequested ? new ResponseError(ResponseErrors.Cancelled, "The response was cancelled.")
                : late.IsCancellationRequested
                ? new ResponseError(ResponseErrors.Timeout,
                    $"The response took longer than {timeout.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)} s.")
                : _stop.IsCancellationRequested ? new ResponseError(ResponseErrors.Interrupted, "The host was stopped before the response had ended; ask again.")
                : ResponseErrors.Of(fault);
            if (error.Code == "server_error") LogFailed(fault, run.Id, agent.Name);
            else LogEnded(run.Id, agent.Name, error.Code);
            if (runner is not null) runner.Fail(error);
            else run.Machine.Fail(error);
        }
        finally
        {
            await leaving.DisposeAsync().ConfigureAwait(false);
            if (start.Generate) await ReleaseAsync(slots, start.Owner, entering).ConfigureAwait(false);
            leave.Dispose();
        }

        if (!leaves)
        {
            await EndAsync(run).ConfigureAwait(false);
            return;
        }

        LogLeaves(run.Id, agent.Name);
        run.Leave();
        _runs.TryRemove(run.Id, out _);
    }

    /// <summary>The end is durable before anybody is told.</summary>
    private async Task EndAsync(ResponseRun run)
    {
        run.Wake();
        if (run.Kept is { } kept) _memory.Keep(run.Header.Owner, kept);
        try
        {
            if (run.Header.Store)
                await _records.PutAsync(run.Id, run.Header, run.Final, run.Kept, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            // The client has its answer all the same; it can't be continued by its id.
            LogNotStored(fault, run.Id);
        }

        run.CloseJournal();
        run.Publish();
        _runs.TryRemove(run.Id, out _);
    }

    private static Guid TurnId(string id) =>
        id.StartsWith("resp_", StringComparison.Ordinal) && Guid.TryParseExact(id["resp_".Length..], "N", out var guid) ? guid : MessageIds.ForOutbox("responses", "", id);

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMinutes(1), _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                await _folder.EndLeftAsync().ConfigureAwait(false);
                _folder.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    [LoggerMessage(LogEvents.ResponseRunsFailed, LogLevel.Error, "Response {Id} of agent {Agent} failed")]
    private partial void LogFailed(Exception fault, string id, string agent);

    [LoggerMessage(LogEvents.ResponseRunsEnded, LogLevel.Information, "Response {Id} of agent {Agent} ended: {Code}")]
    private partial void LogEnded(string id, string agent, string code);

    [LoggerMessage(LogEvents.ResponseRunsLeaves, LogLevel.Information, "Response {Id} of agent {Agent} isn't done; the next host goes on")]
    private partial void LogLeaves(string id, string agent);

    [LoggerMessage(LogEvents.ResponseRunsNotStored, LogLevel.Error, "Response {Id} can't be stored; it can't be continued")]
    private partial void LogNotStored(Exception fault, string id);
}
