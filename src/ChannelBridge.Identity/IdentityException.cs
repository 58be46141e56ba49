namespace ChannelBridge.Identity;

/// <summary>Something is wrong with a key or its file; the message says what to do. It never quotes a private key or a passphrase.</summary>
public sealed class IdentityException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdentityException(IdentityFault fault, string message, Exception? inner = null)
        : base(message, inner) => Fault = fault;

    /// <summary>What went wrong.</summary>
    public IdentityFault Fault { get; }
}
