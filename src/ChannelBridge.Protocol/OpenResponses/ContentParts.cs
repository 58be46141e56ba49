using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>A part of a message, a tool's output or a reasoning item (Open Responses 2026-04-24, <c>…Content</c> schemas).</summary>
public abstract record ContentPart;

/// <summary><c>input_text</c>: text that a user, a system or a tool gives.</summary>
public sealed record InputTextPart(string Text) : ContentPart;

/// <summary><c>input_image</c>.</summary>
/// <param name="ImageUrl">An http(s) or data URL; null when the image isn't given by URL.</param>
/// <param name="Detail"><c>low</c>, <c>high</c>, <c>auto</c>, or null.</param>
public sealed record InputImagePart(string? ImageUrl, string? Detail = null) : ContentPart;

/// <summary><c>input_file</c>: by its base64 data (plain or a data URL) or by URL.</summary>
public sealed record InputFilePart(string? FileName, string? FileData, string? FileUrl) : ContentPart;

/// <summary><c>input_video</c>, allowed in the output of a function only.</summary>
public sealed record InputVideoPart(string VideoUrl) : ContentPart;

/// <summary><c>output_text</c>: text of the assistant.</summary>
/// <param name="Text">The text.</param>
/// <param name="Annotations">The annotations as they are on the wire; empty when there are none.</param>
public sealed record OutputTextPart(string Text, IReadOnlyList<JsonElement> Annotations) : ContentPart
{
    /// <summary>Text without annotations.</summary>
    public OutputTextPart(string text) : this(text, []) { }
}

/// <summary><c>refusal</c>: the assistant says why it doesn't answer.</summary>
public sealed record RefusalPart(string Refusal) : ContentPart;

/// <summary><c>reasoning_text</c>: raw reasoning.</summary>
public sealed record ReasoningTextPart(string Text) : ContentPart;

/// <summary><c>summary_text</c>: a summary of the reasoning.</summary>
public sealed record SummaryTextPart(string Text) : ContentPart;

/// <summary><c>text</c>.</summary>
public sealed record TextPart(string Text) : ContentPart;
