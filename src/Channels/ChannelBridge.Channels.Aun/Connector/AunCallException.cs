using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>What kind of error a gateway's is, as the SDKs sort them.</summary>
internal enum AunErrorClass
{
    /// <summary>None of the others.</summary>
    Other,

    /// <summary>The token, the signature or the certificate isn't good.</summary>
    Auth,

    /// <summary>It isn't allowed.</summary>
    Permission,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>Too often.</summary>
    RateLimit,

    /// <summary>The session isn't in the right state; a new connection may be.</summary>
    Session,

    /// <summary>The request is wrong.</summary>
    Validation,

    /// <summary>No version is spoken by both sides.</summary>
    Version,

    /// <summary>The gateway has a fault of its own.</summary>
    Server,
}

/// <summary>A gateway has refused a call.</summary>
internal sealed class AunCallException : BridgeException
{
    private const int LongestWord = 300;

    private AunCallException(AunErrorClass kind, int gatewayCode, string message)
        : base(CodeOf(kind), message)
    {
        Class = kind;
        GatewayCode = gatewayCode;
    }

    /// <summary>The kind.</summary>
    public AunErrorClass Class { get; }

    /// <summary>The gateway's code; 0 for an error that was found here.</summary>
    public int GatewayCode { get; }

    /// <summary>True when trying again leads nowhere: the account is at its end until somebody looks at it.</summary>
    public bool EndsAccount => Class is AunErrorClass.Auth or AunErrorClass.Permission or AunErrorClass.Validation or AunErrorClass.Version;

    /// <summary>An error object of JSON-RPC.</summary>
    public static AunCallException Of(string method, JsonElement error)
    {
        var code = error.ValueKind == JsonValueKind.Object && error.TryGetProperty("code"u8, out var given) && given.TryGetInt32(out var number) ? number : 0;
        var words = Wire.Text(error, "message") ?? "no words";
        return Make(Classify(code), code, $"the gateway refused {method} ({code}): {Clean(words)}");
    }

    /// <summary>An error that was found here.</summary>
    public static AunCallException Make(AunErrorClass kind, int code, string message) => new(kind, code, message)
    {
        Retryable = kind is AunErrorClass.RateLimit or AunErrorClass.Session or AunErrorClass.Server or AunErrorClass.Other,
    };

    /// <summary>A stranger's words, as far as they are shown.</summary>
    public static string Clean(string words)
    {
        var line = new string([.. words.Take(LongestWord).Select(static c => char.IsControl(c) ? ' ' : c)]);
        return words.Length > LongestWord ? line + "…" : line;
    }

    /// <summary>The kind of a code.</summary>
    public static AunErrorClass Classify(int code) => code switch
    {
        4001 or 4010 or -32001 or -32003 => AunErrorClass.Auth,
        4030 or 403 or -32004 => AunErrorClass.Permission,
        4040 or 404 or -32008 => AunErrorClass.NotFound,
        4290 or 429 or -32029 => AunErrorClass.RateLimit,
        -32010 or -32011 or -32013 => AunErrorClass.Session,
        4000 or -32600 or -32601 or -32602 => AunErrorClass.Validation,
        -32000 or -32009 => AunErrorClass.Version,
        >= 4500 and < 4600 or >= 5000 and < 6000 => AunErrorClass.Server,
        _ => AunErrorClass.Other,
    };

    private static string CodeOf(AunErrorClass kind) => kind switch
    {
        AunErrorClass.Auth => ErrorCodes.Unauthorized,
        AunErrorClass.Permission => ErrorCodes.Forbidden,
        AunErrorClass.NotFound => ErrorCodes.NotFound,
        AunErrorClass.RateLimit => ErrorCodes.RateLimited,
        AunErrorClass.Validation => ErrorCodes.InvalidRequest,
        AunErrorClass.Version => ErrorCodes.Conflict,
        _ => ErrorCodes.Unavailable,
    };
}
