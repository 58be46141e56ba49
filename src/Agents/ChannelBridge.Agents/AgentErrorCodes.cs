namespace ChannelBridge.Agents;

/// <summary>The stable codes of what goes wrong between the host and a model. A code never changes its meaning.</summary>
public static class AgentErrorCodes
{
    /// <summary>No connection in time. Retryable.</summary>
    public const string ConnectTimeout = "AGENT_CONNECT_TIMEOUT";

    /// <summary>Connected, but nothing of the answer came in time. Retryable.</summary>
    public const string FirstTokenTimeout = "AGENT_FIRST_TOKEN_TIMEOUT";

    /// <summary>The answer began and then the stream was silent for too long. Retryable.</summary>
    public const string IdleTimeout = "AGENT_IDLE_TIMEOUT";

    /// <summary>The turn as a whole took too long.</summary>
    public const string TurnTimeout = "AGENT_TURN_TIMEOUT";

    /// <summary>No connection at all: nobody listens, no such host, TLS failed. Retryable.</summary>
    public const string Unreachable = "AGENT_UNREACHABLE";

    /// <summary>The answer broke off, or isn't what the protocol says. Retryable.</summary>
    public const string StreamBroken = "AGENT_STREAM_BROKEN";

    /// <summary>The key is missing, wrong or not allowed to (401, 403).</summary>
    public const string KeyRefused = "AGENT_KEY_REFUSED";

    /// <summary>The address or the model isn't known there (404).</summary>
    public const string NotFound = "AGENT_NOT_FOUND";

    /// <summary>The request was refused as it is (other 4xx).</summary>
    public const string RequestRefused = "AGENT_REQUEST_REFUSED";

    /// <summary>Too many requests, or the quota is used up (429). Retryable.</summary>
    public const string Overloaded = "AGENT_OVERLOADED";

    /// <summary>The provider failed (5xx, or a failure told in the stream). Retryable.</summary>
    public const string Failed = "AGENT_FAILED";
}
