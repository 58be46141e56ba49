using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.AI;

namespace ChannelBridge.Agents.ChatClient;

/// <summary>Makes agent events of a client's updates.</summary>
internal sealed class ChatClientReading
{
    // The library's own options write line breaks, for people; arguments are read by programs.
    private static readonly JsonSerializerOptions Compact = new(AIJsonUtilities.DefaultOptions) { WriteIndented = false };

    private readonly List<AgentEvent> _events = [];
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _refusal = new();
    private readonly HashSet<string> _calls = new(StringComparer.Ordinal);
    private string? _messageId;
    private char _half;
    private UsageDetails? _usage;
    private ChatFinishReason? _finish;
    private bool _answered;

    /// <summary>What has come since the last time.</summary>
    public List<AgentEvent> Take()
    {
        List<AgentEvent> taken = [.. _events];
        _events.Clear();
        return taken;
    }

    public void Read(ChatResponseUpdate update)
    {
        if (update.MessageId is { } id)
        {
            if (_messageId is not null && _messageId != id) Close();
            _messageId = id;
        }

        foreach (var content in update.Contents) Read(content);
        if (update.FinishReason is { } finish) _finish = finish;
    }

    /// <summary>The end: the last message, usage, and why it ended.</summary>
    public List<AgentEvent> Finish()
    {
        Close();
        if (!_answered && _calls.Count == 0) _events.Add(new AgentReply(""));
        if (_usage is not null)
        {
            _events.Add(new AgentUsage(
                _usage.InputTokenCount ?? 0, _usage.OutputTokenCount ?? 0, _usage.CachedInputTokenCount ?? 0, _usage.ReasoningTokenCount ?? 0));
        }

        _events.Add(new AgentFinish(
            _finish == ChatFinishReason.Length ? FinishReason.Length
            : _finish == ChatFinishReason.ContentFilter ? FinishReason.ContentFilter
            : _calls.Count > 0 ? FinishReason.ToolCalls
            : FinishReason.Stop));
        return Take();
    }

    private void Read(AIContent content)
    {
        switch (content)
        {
            case TextReasoningContent { Text.Length: > 0 } reasoning:
                _events.Add(new AgentReasoning(reasoning.Text));
                break;
            case TextContent { Text.Length: > 0 } text:
                Grow(text.Text);
                break;
            case FunctionCallContent call:
                _calls.Add(call.CallId);
                _events.Add(new AgentToolCall(
                    call.CallId, call.Name,
                    JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(),
                        Compact.GetTypeInfo(typeof(IDictionary<string, object?>)))));
                break;
            case FunctionResultContent result:
                // A client that runs functions by itself: the call isn't ours to run.
                _calls.Remove(result.CallId);
                _events.Add(new AgentToolResult(result.CallId, TextOf(result.Result)));
                break;
            case UsageContent usage:
                if (_usage is null) _usage = usage.Details;
                else _usage.Add(usage.Details);
                break;
            case ErrorContent { ErrorCode: "Refusal" } refusal:
                _refusal.Append(refusal.Message);
                _events.Add(new AgentRefusal(refusal.Message));
                break;
            case ErrorContent error:
                throw new BridgeException("AGENT_FAILED", $"The model failed: {error.Message}") { Retryable = true };
        }
    }

    private void Grow(string delta)
    {
        // Half a surrogate pair waits for its other half.
        var text = _half == 0 ? delta : _half + delta;
        _half = '\0';
        if (char.IsHighSurrogate(text[^1]))
        {
            _half = text[^1];
            text = text[..^1];
        }

        if (text.Length == 0) return;
        _text.Append(text);
        _events.Add(new AgentPartial(text));
    }

    private void Close()
    {
        _half = '\0';
        if (_text.Length == 0 && _refusal.Length == 0) return;
        _events.Add(new AgentReply(_text.ToString()) { Refusal = _refusal.Length > 0 ? _refusal.ToString() : null });
        _text.Clear();
        _refusal.Clear();
        _answered = true;
    }

    private static string TextOf(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString()!,
        JsonElement element => element.GetRawText(),
        _ => result.ToString() ?? "",
    };
}
