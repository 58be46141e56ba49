using System.Globalization;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Channels.A2A;

namespace ChannelBridge.Bench;

/// <summary>
/// A host of one's own with an A2A endpoint and an agent in the process, as the JavaScript SDK's server has its own: each piece that the agent says is an event of
/// the stream, and none is joined to another.
/// </summary>
internal static class A2AServer
{
    /// <summary>The peer's token.</summary>
    public const string Token = "the-bench-s-peer-0123456789";

    /// <summary>Runs it.</summary>
    public static async Task<int> RunAsync(int port, string data)
    {
        var builder = WebServer.New(port);
        builder.Services.AddChannelBridge(options => options.AgentTurnsPerMinute = 0)
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddToken("bench", Token, Scopes.Peer)
            .AddAgent(new PiecesAgent())
            .AddA2A(options =>
            {
                options.Agent = PiecesAgent.AgentName;
                options.SendsPerMinute = options.ReadsPerMinute = 1_000_000;
                options.MaxTasksPerPeer = options.MaxTasks = 1_000_000;
            })
            .AddEndpoints(configure: null, limits: limits =>
            {
                limits.RequestsPerSecondPerToken = 0;
                limits.RequestsPerSecondPerAddress = 0;
            });
        var app = builder.Build();
        app.MapChannelBridge();
        return await WebServer.RunAsync(app);
    }

    /// <summary>Says as many pieces as the text asks for (<c>events 800</c>), as fast as they are taken.</summary>
    private sealed class PiecesAgent : IAgent
    {
        public const string AgentName = "pieces";

        public string Name => AgentName;

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask;
            var count = int.Parse(turn.Message.Text.AsSpan("events ".Length), CultureInfo.InvariantCulture);
            for (var i = 0; i < count; i++) yield return new AgentArtifact("answer") { Text = "a few words more ", Append = i > 0, LastChunk = i == count - 1 };
        }
    }
}
