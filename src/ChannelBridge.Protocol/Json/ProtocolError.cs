namespace ChannelBridge.Protocol.Json;

/// <summary>Why a message was refused. The message names the rule and never repeats the content of a value.</summary>
/// <param name="Fault">The rule that was broken.</param>
/// <param name="Message">One line for the sender.</param>
public readonly record struct ProtocolError(ProtocolFault Fault, string Message);
