namespace ChannelBridge.Host.Composition;

/// <summary>A start that can't go on, told to the operator as one message and an exit code instead of a stack trace.</summary>
internal sealed class HostStartException(int exitCode, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>One of <see cref="ExitCodes"/>.</summary>
    public int ExitCode { get; } = exitCode;
}
