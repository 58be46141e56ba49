using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Channels.A2A.Http;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>How the events of a stream get to the writer: those that wait together, one that is alone at once.</summary>
public sealed class EndpointStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task EventsThatWait_AreWrittenTogether_AndALoneOneIsNotHeldUp()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var turn = lab.Accepted.Single();
        var endpoints = new A2AEndpoints(lab.Options, lab.Service, new CardMaker(lab.Options, null));
        var writer = new GatedWriter();
        var exchange = new SubscribeExchange(id, writer);
        var serving = endpoints.Http.Single(static one => one.Path == "/a2a").Handler(exchange, CancellationToken.None).AsTask();

        Assert.Contains("TASK_STATE_SUBMITTED", Assert.Single(await writer.NextAsync()), StringComparison.Ordinal);
        // The reader is still busy with the first one.
        foreach (var piece in new[] { "one ", "two ", "three" }) Say(piece);
        writer.Go();
        var together = await writer.NextAsync();
        Assert.Equal(4, together.Length);
        Assert.Contains("TASK_STATE_WORKING", together[0], StringComparison.Ordinal);
        Assert.Equal(["one ", "two ", "three"], together[1..].Select(TextOf));
        writer.Go();
        // Nothing else comes: it isn't waited for.
        Say(" four");
        Assert.Equal(" four", TextOf(Assert.Single(await writer.NextAsync())));
        writer.Go();
        await lab.EndAsync(replies: "one two three four");
        var last = await writer.NextAsync();
        writer.Go();
        Assert.Contains("TASK_STATE_COMPLETED", last[^1], StringComparison.Ordinal);
        await serving.WaitAsync(Patience);
        Assert.Equal(0, lab.Lives.Count);

        void Say(string piece) => lab.Lives.OnTurnEvent(ServiceLab.Peer, id, turn, 0, new AgentPartial(piece), repliesAreStatus: false);
    }

    [Fact]
    public async Task AReaderThatHasLeft_EndsItsStream_AndNothingElse()
    {
        var lab = new ServiceLab();
        var id = (await lab.SendAsync("m")).Id;
        var writer = new GatedWriter { IsClosed = true };
        var endpoints = new A2AEndpoints(lab.Options, lab.Service, new CardMaker(lab.Options, null));
        var serving = endpoints.Http.Single(static one => one.Path == "/a2a").Handler(new SubscribeExchange(id, writer), CancellationToken.None).AsTask();
        await writer.NextAsync();
        foreach (var piece in new[] { "one ", "two " })
            lab.Lives.OnTurnEvent(ServiceLab.Peer, id, lab.Accepted.Single(), 0, new AgentPartial(piece), repliesAreStatus: false);
        writer.Go();
        await serving.WaitAsync(Patience);
        await lab.EndAsync(replies: "one two");
        Assert.Equal(ChannelBridge.A2A.TaskState.Completed, (await lab.GetAsync(id)).Status.State);
        Assert.Equal(0, lab.Lives.Count);
    }

    private static string? TextOf(string data) => (string?)JsonNode.Parse(data)!["result"]!["artifactUpdate"]!["artifact"]!["parts"]![0]!["text"];

    /// <summary>A writer each of whose calls waits until the test lets it go on.</summary>
    private sealed class GatedWriter : IEventWriter
    {
        private readonly Channel<string[]> _calls = System.Threading.Channels.Channel.CreateUnbounded<string[]>();
        private readonly SemaphoreSlim _go = new(0);

        public bool IsClosed { get; init; }

        public CancellationToken Closed => CancellationToken.None;

        public async Task<string[]> NextAsync() => await _calls.Reader.ReadAsync().AsTask().WaitAsync(Patience);

        public void Go() => _go.Release();

        public ValueTask<bool> WriteAsync(ServerEvent item, CancellationToken cancellationToken = default) => WriteAllAsync(new[] { item }, cancellationToken);

        public async ValueTask<bool> WriteAllAsync(ReadOnlyMemory<ServerEvent> items, CancellationToken cancellationToken = default)
        {
            _calls.Writer.TryWrite([.. items.ToArray().Select(static item => Encoding.UTF8.GetString(item.Data.Span))]);
            await _go.WaitAsync(cancellationToken);
            return !IsClosed;
        }
    }

    private sealed class SubscribeExchange(string taskId, IEventWriter writer) : HttpExchange
    {
        public override EndpointRequest Request { get; } = new()
        {
            Id = "r",
            Verb = "POST",
            Path = "/a2a",
            Origin = "http://host",
            Template = "/a2a",
            Headers = new Dictionary<string, string> { ["A2A-Version"] = "1.0", ["Content-Type"] = "application/json" },
        };

        public override Caller? Caller { get; } = new(ServiceLab.Peer, Scopes.Peer, Door.Listener);

        public override bool HasAnswered => true;

        public override ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<ReadOnlyMemory<byte>>(
            Encoding.UTF8.GetBytes($$$"""{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{"id":"{{{taskId}}}"}}"""));

        public override ValueTask AnswerAsync(HttpAnswer answer, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException(Encoding.UTF8.GetString(answer.Content.Span));

        public override ValueTask<IEventWriter> BeginEventsAsync(EventStreamStart? start = null, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(writer);
    }
}
