namespace ChannelBridge.Plugins.Manifest;

/// <summary>What is wrong, and where.</summary>
/// <param name="Place">The member, e.g. <c>$.run.command[0]</c>, or line and column where the text isn't JSON.</param>
/// <param name="Message">What is wrong, without the value.</param>
public sealed record SchemaFault(string Place, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Place}: {Message}";
}
