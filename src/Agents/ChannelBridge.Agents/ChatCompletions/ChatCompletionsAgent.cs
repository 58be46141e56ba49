using System.Text.Json;
using ChannelBridge.Agents.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>The agent <c>chat-completions</c>: any OpenAI-compatible server.</summary>
internal sealed class ChatCompletionsAgent(ProviderOptions options, IProviderTransport transport, Uri address, TimeProvider time, ILogger<ProviderAgent> logger)
    : ProviderAgent(options, transport, address, time, logger)
{
    // OpenAI's newer models know only the new name of the limit, most other servers only the old one.
    private readonly bool _newLimit = address.Host.EndsWith("openai.com", StringComparison.OrdinalIgnoreCase)
        || address.Host.EndsWith("azure.com", StringComparison.OrdinalIgnoreCase);

    protected override void WriteBody(Utf8JsonWriter json, Conversation conversation) => new ChatBody(json, conversation, _newLimit).Write();

    protected override IProviderReading NewReading(Conversation conversation) =>
        new ChatReading(Faults, [.. conversation.Tools.Select(tool => tool.Name)]);
}
