namespace ChannelBridge.Agents;

/// <summary>What an agent behind a URL speaks.</summary>
public enum AgentKind
{
    /// <summary>Open Responses, also as OpenAI and OpenClaw speak it: <c>POST …/v1/responses</c>.</summary>
    Responses,

    /// <summary>OpenAI's chat completions, as Ollama, vLLM, llama.cpp and many hosted models speak it: <c>POST …/v1/chat/completions</c>.</summary>
    ChatCompletions,
}

/// <summary>How a <c>/v1/responses</c> wants its requests.</summary>
public enum ResponsesDialect
{
    /// <summary>As the spec has it, unless the model's name begins with <c>openclaw</c>.</summary>
    Auto,

    /// <summary>As the Open Responses spec has it.</summary>
    Spec,

    /// <summary>As OpenClaw's own endpoint wants it: other shapes for images and files, and nothing that it doesn't know.</summary>
    OpenClaw,
}
