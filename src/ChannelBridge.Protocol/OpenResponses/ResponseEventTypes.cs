namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>The 24 types of streamed events (Open Responses 2026-04-24).</summary>
public static class ResponseEventTypes
{
    /// <summary>The first event.</summary>
    public const string Created = "response.created";

    /// <summary>The response waits for its turn.</summary>
    public const string Queued = "response.queued";

    /// <summary>The response runs.</summary>
    public const string InProgress = "response.in_progress";

    /// <summary>Terminal: it has come to its end.</summary>
    public const string Completed = "response.completed";

    /// <summary>Terminal: it was cut off.</summary>
    public const string Incomplete = "response.incomplete";

    /// <summary>Terminal: it failed, or was cancelled.</summary>
    public const string Failed = "response.failed";

    /// <summary>An item begins.</summary>
    public const string ItemAdded = "response.output_item.added";

    /// <summary>An item ends.</summary>
    public const string ItemDone = "response.output_item.done";

    /// <summary>A part of an item begins.</summary>
    public const string PartAdded = "response.content_part.added";

    /// <summary>A part of an item ends.</summary>
    public const string PartDone = "response.content_part.done";

    /// <summary>More text.</summary>
    public const string TextDelta = "response.output_text.delta";

    /// <summary>The whole text.</summary>
    public const string TextDone = "response.output_text.done";

    /// <summary>An annotation of a text.</summary>
    public const string AnnotationAdded = "response.output_text.annotation.added";

    /// <summary>More of a refusal.</summary>
    public const string RefusalDelta = "response.refusal.delta";

    /// <summary>The whole refusal.</summary>
    public const string RefusalDone = "response.refusal.done";

    /// <summary>More of a call's arguments.</summary>
    public const string ArgumentsDelta = "response.function_call_arguments.delta";

    /// <summary>The whole arguments.</summary>
    public const string ArgumentsDone = "response.function_call_arguments.done";

    /// <summary>More of the input of a custom tool's call; OpenAI's name, the spec has none.</summary>
    public const string CustomInputDelta = "response.custom_tool_call_input.delta";

    /// <summary>The whole input of a custom tool's call.</summary>
    public const string CustomInputDone = "response.custom_tool_call_input.done";

    /// <summary>More raw reasoning, by the spec's name.</summary>
    public const string ReasoningDelta = "response.reasoning.delta";

    /// <summary>The whole raw reasoning, by the spec's name.</summary>
    public const string ReasoningDone = "response.reasoning.done";

    /// <summary>More raw reasoning, by the name that OpenAI's clients know.</summary>
    public const string ReasoningTextDelta = "response.reasoning_text.delta";

    /// <summary>The whole raw reasoning, by the name that OpenAI's clients know.</summary>
    public const string ReasoningTextDone = "response.reasoning_text.done";

    /// <summary>A part of the reasoning's summary begins.</summary>
    public const string SummaryPartAdded = "response.reasoning_summary_part.added";

    /// <summary>A part of the reasoning's summary ends.</summary>
    public const string SummaryPartDone = "response.reasoning_summary_part.done";

    /// <summary>More of the reasoning's summary.</summary>
    public const string SummaryDelta = "response.reasoning_summary_text.delta";

    /// <summary>The whole part of the reasoning's summary.</summary>
    public const string SummaryDone = "response.reasoning_summary_text.done";

    /// <summary>The stream itself is at fault; <see cref="Failed"/> follows.</summary>
    public const string Error = "error";

    /// <summary>True when nothing follows an event of this type.</summary>
    public static bool IsTerminal(string type) => type is Completed or Incomplete or Failed;

    /// <summary>The one instance of a type's name, or null for a type that isn't known.</summary>
    public static string? Find(ReadOnlySpan<byte> utf8)
    {
        foreach (var type in All)
        {
            if (utf8.Length == type.Length && System.Text.Ascii.Equals(utf8, type)) return type;
        }

        return null;
    }

    private static readonly string[] All =
    [
        TextDelta, SummaryDelta, ArgumentsDelta, RefusalDelta, ReasoningDelta, ReasoningTextDelta, Created, Queued, InProgress, Completed, Incomplete, Failed, ItemAdded, ItemDone,
        PartAdded, PartDone, TextDone, AnnotationAdded, RefusalDone, ArgumentsDone, ReasoningDone, ReasoningTextDone, SummaryPartAdded, SummaryPartDone, SummaryDone, Error,
        CustomInputDelta, CustomInputDone,
    ];
}
