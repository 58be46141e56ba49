using System.Text.Json;
using ChannelBridge.Agents.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Agents.Responses;

/// <summary>The agent <c>responses</c>: any <c>/v1/responses</c>.</summary>
internal sealed class ResponsesAgent(ProviderOptions options, IProviderTransport transport, Uri address, TimeProvider time, ILogger<ProviderAgent> logger)
    : ProviderAgent(options, transport, address, time, logger)
{
    protected override void WriteBody(Utf8JsonWriter json, Conversation conversation)
    {
        var openClaw = Options.Dialect switch
        {
            ResponsesDialect.Spec => false,
            ResponsesDialect.OpenClaw => true,
            // OpenClaw takes models of this name only, and nobody else has one.
            _ => conversation.Model.StartsWith("openclaw", StringComparison.OrdinalIgnoreCase),
        };
        new ResponsesBody(json, conversation, openClaw).Write();
    }

    protected override IProviderReading NewReading(Conversation conversation) => new ResponsesReading(Faults);
}
