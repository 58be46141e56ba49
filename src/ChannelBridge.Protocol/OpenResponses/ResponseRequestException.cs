namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>A request that isn't valid: what is wrong and where.</summary>
/// <param name="message">What is wrong and what to do; no content of the request.</param>
/// <param name="param">The member, e.g. <c>input[0].content[1].image_url</c>, or null for the body as a whole.</param>
/// <param name="code">A stable code, or null.</param>
public sealed class ResponseRequestException(string message, string? param, string? code = null) : Exception(message)
{
    /// <summary>The member that is wrong, or null for the body as a whole.</summary>
    public string? Param { get; } = param;

    /// <summary>A stable code, or null.</summary>
    public string? Code { get; } = code;
}
