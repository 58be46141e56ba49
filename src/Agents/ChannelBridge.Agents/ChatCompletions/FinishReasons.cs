using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>What the words of <c>finish_reason</c> mean, as providers document them or are reported to send them.</summary>
internal static class FinishReasons
{
    /// <summary>The provider says that it failed; no reason of an agent.</summary>
    public const FinishReason Failure = (FinishReason)(-1);

    /// <summary>The meaning of a word.</summary>
    public static FinishReason Read(string word) => word.ToLowerInvariant() switch
    {
        "stop" or "eos" or "eos_token" or "end_turn" or "stop_sequence" or "stop_token" or "complete" or "completed" or "end" or "done"
            or "finish_reason_stop" => FinishReason.Stop,
        "tool_calls" or "tool_call" or "tool_use" or "function_call" => FinishReason.Stop,
        "length" or "max_tokens" or "max_output_tokens" or "model_length" or "max_length" or "context_length"
            or "finish_reason_max_tokens" => FinishReason.Length,
        "content_filter" or "content_filtered" or "content-filter" or "sensitive" or "safety" or "recitation" or "blocklist"
            or "prohibited_content" or "spii" or "image_safety" or "guardrail_intervened" or "refusal" or "moderation" => FinishReason.ContentFilter,
        // vLLM, OpenRouter, Mistral, DeepSeek, Z.AI, Gemini.
        "abort" or "aborted" or "cancelled" or "canceled" or "error" or "failed" or "network_error" or "insufficient_system_resource"
            or "timeout" or "malformed_function_call" or "unexpected_tool_call" or "overloaded" or "unload" => Failure,
        _ => FinishReason.Unknown,
    };
}
