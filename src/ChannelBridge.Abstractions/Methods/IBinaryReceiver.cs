using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Methods;

/// <summary>
/// Takes binary messages: <c>u32 header length, big endian | JSON header | bytes</c>. A channel contributes one; the doors hand over whatever comes
/// after authentication, and the receiver says what is wrong with it. Answers go as events to the connection.
/// </summary>
public interface IBinaryReceiver : IContributor
{
    /// <summary>The channel whose binary messages it takes: those whose header names it, and those whose header names none, while it is the only one.</summary>
    string Channel { get; }

    /// <summary>Takes one message; called in the order of arrival, and not waited for before the next.</summary>
    /// <param name="message">The whole message, valid until the task has completed.</param>
    /// <param name="call">Where it came from.</param>
    /// <param name="cancellationToken">The connection's end.</param>
    ValueTask ReceiveAsync(ReadOnlyMemory<byte> message, MethodCall call, CancellationToken cancellationToken);
}
