using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>An agent behind a URL, and what its turns give.</summary>
internal static class AgentUnderTest
{
    /// <summary>A guard against a turn that never ends; nothing waits for it otherwise.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static ProviderAgent Of(AgentKind kind, string url, Action<ProviderOptions>? configure = null, TimeProvider? time = null)
    {
        var options = new ProviderOptions { Name = "local", Kind = kind, Url = new Uri(url), RetryDelay = TimeSpan.FromMilliseconds(1) };
        configure?.Invoke(options);
        return ProviderAgentServices.Create(options, time ?? TimeProvider.System, NullLogger<ProviderAgent>.Instance);
    }

    public static AgentTurn Turn(string text = "hello", ResponseRequest? request = null, IReadOnlyList<MessageItem>? history = null, IReadOnlyList<Attachment>? files = null) =>
        new(Guid.NewGuid(), Message(text, files), 1) { Request = request, History = history ?? [] };

    public static InboundMessage Message(string text, IReadOnlyList<Attachment>? files = null) => new()
    {
        Channel = "bncr",
        AccountId = "Primary",
        SessionKey = "agent:main:bncr:direct:1",
        Agent = "local",
        Route = "qq:0:1",
        SenderId = "1",
        Text = text,
        Attachments = files,
    };

    /// <summary>Runs a turn to its end.</summary>
    public static async Task<List<AgentEvent>> RunAsync(IAgent agent, AgentTurn? turn = null, CancellationToken cancellationToken = default)
    {
        var events = new List<AgentEvent>();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        await foreach (var agentEvent in agent.RunAsync(turn ?? Turn(), patience.Token)) events.Add(agentEvent);
        return events;
    }

    /// <summary>Runs a turn that must fail; what came before is kept in <paramref name="before"/>.</summary>
    public static async Task<BridgeException> FailAsync(IAgent agent, List<AgentEvent>? before = null, AgentTurn? turn = null) =>
        await Assert.ThrowsAsync<BridgeException>(async () =>
        {
            using var patience = new CancellationTokenSource(Patience);
            await foreach (var agentEvent in agent.RunAsync(turn ?? Turn(), patience.Token)) before?.Add(agentEvent);
        });

    public static string TextOf(IEnumerable<AgentEvent> events) => string.Concat(events.OfType<AgentPartial>().Select(partial => partial.Suffix));

    public static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;
}
