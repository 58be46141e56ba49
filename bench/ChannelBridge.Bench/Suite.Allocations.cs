using System.Runtime.CompilerServices;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Core.Responses;
using ChannelBridge.Protocol.OpenResponses;
using ChannelBridge.Storage.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Bench;

/// <summary>What one event of a stream allocates: in the machine that writes it, and on its whole way from the agent to a reader.</summary>
internal sealed partial class Suite
{
    private const string Piece = "a word or two ";

    private async Task AllocationsAsync()
    {
        const int Count = 10_000;
        List<double> machine = [], whole = [];
        // Warm: code that isn't compiled for good yet allocates more.
        for (var warm = 0; warm < 5; warm++)
        {
            MachineBytes(Count);
            await ResponseBytesAsync(Count);
        }

        for (var run = 0; run < _runs; run++)
        {
            machine.Add(MachineBytes(Count));
            whole.Add(await ResponseBytesAsync(Count));
        }

        Add("bytes allocated for each event: by coalescer, machine and encoder, and on the whole way from agent to reader, journal included (lower is better)", machine, whole, "");
    }

    private static double MachineBytes(int count)
    {
        long events = 0;
        var machine = new ResponseMachine(new ResponseState("resp_bench", "bench", 1, new ResponseRequest()), (_, _, _) => events++);
        var coalescer = new TextCoalescer();
        TextCoalescer.PieceSink sink = piece => machine.AppendText(piece);
        machine.Start();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < count; i++)
        {
            coalescer.Append(Piece);
            coalescer.Flush(all: false, sink);
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / (double)events;
    }

    private static async Task<double> ResponseBytesAsync(int count)
    {
        var folder = Directory.CreateTempSubdirectory("cb-bench-");
        try
        {
            await using var store = new SqliteStore(
                new SqliteStoreOptions { Path = Path.Combine(folder.FullName, "bench.db") }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
            await store.OpenAsync(CancellationToken.None);
            var agent = new PacedAgent(count);
            var options = new ResponseOptions { Directory = Path.Combine(folder.FullName, "responses") };
            await using var runs = new ResponseRuns(store, [agent], options, TimeProvider.System, NullLogger<ResponseRuns>.Instance);
            await runs.StartAsync(CancellationToken.None);
            var start = new ResponseStart { Request = new ResponseRequest { Input = [new MessageItem("user", [new InputTextPart("x")])], Store = false }, Owner = "bench" };
            long events = 0;
            var run = await runs.StartAsync(start, CancellationToken.None);
            await foreach (var one in run.ReadAsync(-1, CancellationToken.None))
            {
                if (!one.IsTerminal) events++;
                agent.Go();
            }

            return agent.Allocated / (double)events;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>An agent that says its next piece when the last one was read, so that each becomes an event of its own.</summary>
    private sealed class PacedAgent(int count) : IAgent
    {
        // Waiting for it allocates nothing.
        private readonly Channel<bool> _read = Channel.CreateUnbounded<bool>(new UnboundedChannelOptions { SingleReader = true });

        public string Name => "echo";

        /// <summary>What the process has allocated from the first piece to the last.</summary>
        public long Allocated { get; private set; }

        public void Go() => _read.Writer.TryWrite(true);

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var piece = new AgentPartial(Piece);
            var before = GC.GetTotalAllocatedBytes();
            for (var i = 0; i < count; i++)
            {
                _ = await _read.Reader.ReadAsync(CancellationToken.None);
                yield return piece;
            }

            Allocated = GC.GetTotalAllocatedBytes() - before;
        }
    }
}
