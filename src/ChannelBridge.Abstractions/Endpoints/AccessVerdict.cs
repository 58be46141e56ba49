using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>What a channel's own check found. A refusal is counted and audited by the host, for the address and for the identity that the attempt named.</summary>
public sealed record AccessVerdict
{
    /// <summary>Who it is; null: refused.</summary>
    public Caller? Caller { get; init; }

    /// <summary>Who the attempt claimed to be (a device, an agent id), or null. Never a secret. After too many failures of one identity it is answered 429.</summary>
    public string? Identity { get; init; }

    /// <summary>401 or 403 for a refusal.</summary>
    public int Status { get; init; } = 401;

    /// <summary>For the client; the same words for an unknown name and a wrong secret.</summary>
    public string Message { get; init; } = "Who are you? Authenticate as this endpoint's documentation says.";

    /// <summary>The value of <c>WWW-Authenticate</c>, or null.</summary>
    public string? Challenge { get; init; }

    /// <summary>The SHA-256 that the body must have, because it was signed; null: any. The door reads the body and compares before the handler sees anything of it.</summary>
    public ReadOnlyMemory<byte>? BodyHash { get; init; }

    /// <summary>Lets the request in.</summary>
    public static AccessVerdict Allow(Caller caller) => new() { Caller = caller };

    /// <summary>Refuses the request.</summary>
    /// <param name="message">For the client.</param>
    /// <param name="identity">Who the attempt claimed to be, or null.</param>
    public static AccessVerdict Refuse(string message, string? identity = null) => new() { Message = message, Identity = identity };
}
