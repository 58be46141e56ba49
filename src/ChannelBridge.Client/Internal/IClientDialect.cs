using System.Buffers;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Client.Internal;

/// <summary>What a message from the host is.</summary>
internal enum IncomingKind
{
    /// <summary>The answer to a call.</summary>
    Answer,

    /// <summary>An event.</summary>
    Event,

    /// <summary>A call from the host to us, which we don't serve.</summary>
    Call,
}

/// <summary>A message from the host, taken apart; the parts are slices of the message.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">The number of the call that it answers; -1 when the call is unknown.</param>
/// <param name="Name">An event's name, UTF-8.</param>
/// <param name="Payload">The result or payload, one JSON value; empty when there is none.</param>
/// <param name="Error">Why the call failed, or null.</param>
/// <param name="RawId">The id of a call from the host.</param>
internal readonly record struct Incoming(
    IncomingKind Kind, long Id, ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Payload, ChannelBridgeClientException? Error, ReadOnlyMemory<byte> RawId);

/// <summary>How calls, answers and events are written on one kind of door.</summary>
internal interface IClientDialect
{
    /// <summary>The bounds on what the host may send. Wider than the host's own: an answer may list much.</summary>
    static readonly JsonLimits Limits = new() { MaxStringBytes = 1 << 30, MaxMembersPerObject = 1_000_000, MaxValues = 10_000_000, MaxDepth = 128 };

    /// <summary>Writes a call.</summary>
    void WriteCall(IBufferWriter<byte> output, long id, string method, ReadOnlySpan<byte> parameters, string? traceParent);

    /// <summary>Writes that a call isn't waited for any longer; false where the dialect has no word for it.</summary>
    bool WriteCancel(IBufferWriter<byte> output, long id);

    /// <summary>Writes that a call from the host isn't served; false where the host makes none.</summary>
    bool WriteNotServed(IBufferWriter<byte> output, ReadOnlyMemory<byte> rawId);

    /// <summary>Reads a message.</summary>
    /// <exception cref="ChannelBridgeClientException">The message is invalid.</exception>
    Incoming Read(ReadOnlyMemory<byte> message);

    /// <summary>Authenticates a connection that was just opened.</summary>
    Task<ServerInfo> AuthenticateAsync(ClientSession session, string? token, CancellationToken cancellationToken);
}
