using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>Runs whose agent is a script of the test; streams come from the one machine, slots are real.</summary>
internal sealed class FakeRuns : IResponseRuns
{
    private readonly ConcurrentDictionary<string, FakeRun> _runs = new();
    private readonly ConcurrentQueue<ResponseStart> _started = new();

    /// <summary>What the agent does; echoes by default.</summary>
    public Func<FakeRun, Task> Script { get; set; } = run =>
    {
        run.Say(run.Text);
        return Task.CompletedTask;
    };

    /// <summary>Everything that was started, in order.</summary>
    public IReadOnlyList<ResponseStart> Started => [.. _started];

    public async ValueTask<IResponseRun> StartAsync(ResponseStart start, CancellationToken cancellationToken)
    {
        start = start with { ResponseId = start.ResponseId ?? "resp_" + Guid.NewGuid().ToString("N") };
        if (await FindAsync(start.ResponseId!, start.Owner, cancellationToken) is { } known) return known;
        if (start.Request.PreviousResponseId is { } previous && !_runs.ContainsKey(previous))
        {
            throw new BridgeException(ErrorCodes.NotFound, "no such response");
        }

        var entering = start.Slots?.EnterAsync(start.Owner, CancellationToken.None) ?? Task.CompletedTask;
        _started.Enqueue(start);
        var run = new FakeRun(start);
        _runs[run.Id] = run;
        run.Machine.Create(queued: !entering.IsCompleted);
        if (!entering.IsCompleted) run.Machine.Queue();
        _ = Task.Run(async () =>
        {
            try
            {
                await entering;
                run.Machine.Start();
                await Script(run);
                run.Complete();
            }
            catch (OperationCanceledException)
            {
                run.Fail("cancelled");
            }
            finally
            {
                start.Slots?.Release(start.Owner);
            }
        }, CancellationToken.None);
        return run;
    }

    public ValueTask<IResponseRun?> FindAsync(string responseId, string owner, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IResponseRun?>(_runs.TryGetValue(responseId, out var run) && run.Start.Owner == owner ? run : null);
}

/// <summary>One run.</summary>
internal sealed class FakeRun : IResponseRun
{
    private readonly Lock _gate = new();
    private readonly List<StreamEvent> _events = [];
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _cancel = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public FakeRun(ResponseStart start)
    {
        Start = start;
        Machine = new ResponseMachine(new ResponseState(start.ResponseId!, "fake", 1, start.Request), Take);
    }

    public ResponseStart Start { get; }

    public ResponseMachine Machine { get; }

    public string Id => Start.ResponseId!;

    public CancellationToken Cancelled => _cancel.Token;

    public string Text => string.Join('\n', Start.Request.Input.OfType<MessageItem>().SelectMany(item => item.Content).OfType<InputTextPart>().Select(part => part.Text));

    public Task<ReadOnlyMemory<byte>> Completion => _completion.Task;

    /// <summary>A message in deltas of fifty characters.</summary>
    public void Say(string text)
    {
        Machine.OpenMessage();
        foreach (var piece in text.Chunk(50)) Machine.AppendText(piece);
    }

    public void Complete() => Machine.Complete(2);

    public void Fail(string code) => Machine.Fail(new ResponseError(code, "as the test wanted"));

    public ValueTask CancelAsync() => new(_cancel.CancelAsync());

    public async IAsyncEnumerable<StreamEvent> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = (int)after + 1;
        while (true)
        {
            StreamEvent? one;
            Task news;
            lock (_gate) (one, news) = (next < _events.Count ? _events[next] : null, _news.Task);
            if (one is null)
            {
                if (_completion.Task.IsCompleted) yield break;
                await news.WaitAsync(cancellationToken);
                continue;
            }

            yield return one;
            if (one.IsTerminal) yield break;
            next++;
        }
    }

    private void Take(long sequence, string type, byte[] json)
    {
        var one = new StreamEvent(sequence, type, json);
        lock (_gate)
        {
            _events.Add(one);
            _news.SetResult();
            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        if (one.IsTerminal) _completion.TrySetResult(System.Text.Encoding.UTF8.GetBytes(JsonNode.Parse(json)!["response"]!.ToJsonString()));
    }
}
