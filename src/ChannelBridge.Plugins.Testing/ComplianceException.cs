namespace ChannelBridge.Plugins.Testing;

/// <summary>A channel doesn't do what every channel must.</summary>
/// <param name="message">What, in which check.</param>
public sealed class ComplianceException(string message) : Exception(message);
