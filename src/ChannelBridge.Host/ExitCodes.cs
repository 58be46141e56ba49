using ChannelBridge.Client;

namespace ChannelBridge.Host;

/// <summary>The exit codes of every command; <c>docs/operations.md</c> has the same table.</summary>
internal static class ExitCodes
{
    /// <summary>It did what was asked; for <c>serve</c>: a graceful stop.</summary>
    public const int Ok = 0;

    /// <summary>A fault that has no code of its own.</summary>
    public const int Fault = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>At least one setting is invalid.</summary>
    public const int Settings = 3;

    /// <summary>Another host uses the data folder.</summary>
    public const int InUse = 4;

    /// <summary>The data folder or the store can't be opened.</summary>
    public const int Store = 5;

    /// <summary>An address or the socket can't be listened on.</summary>
    public const int Listen = 6;

    /// <summary>The host can't be reached.</summary>
    public const int Unreachable = 7;

    /// <summary>The host refused the token or the request.</summary>
    public const int Refused = 8;

    /// <summary>No answer came in time.</summary>
    public const int TimedOut = 9;

    /// <summary>The agent failed: its model, or the provider of it, answered with an error.</summary>
    public const int Agent = 10;

    /// <summary>The store is damaged.</summary>
    public const int Damaged = 11;

    /// <summary>Ended by Ctrl+C, as shells tell it.</summary>
    public const int Interrupted = 130;

    /// <summary>Ended by SIGTERM, as shells tell it.</summary>
    public const int Terminated = 143;

    /// <summary>The code for a failed call or connection.</summary>
    public static int Of(ChannelBridgeClientException fault) => fault.Code switch
    {
        ClientErrorCodes.Unreachable or ClientErrorCodes.ConnectionLost => Unreachable,
        ClientErrorCodes.Timeout => TimedOut,
        _ => Refused,
    };
}
