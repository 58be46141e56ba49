namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>The kinds of frames of the OpenClaw gateway's protocol, version 4.</summary>
public enum OpenClawFrameKind
{
    /// <summary><c>req</c>: client to server.</summary>
    Request,

    /// <summary><c>res</c>: the answer.</summary>
    Response,

    /// <summary><c>event</c>: server to client.</summary>
    Event,
}

/// <summary>One OpenClaw frame, taken apart. All parts are slices of the bytes it was read from, and live as long as they do.</summary>
public readonly struct OpenClawFrame
{
    /// <summary>What it is.</summary>
    public OpenClawFrameKind Kind { get; init; }

    /// <summary>The id of a request or response as raw JSON text with its quotes; empty for events.</summary>
    public ReadOnlyMemory<byte> Id { get; init; }

    /// <summary>The method of a request or the name of an event, UTF-8, without escapes.</summary>
    public ReadOnlyMemory<byte> Name { get; init; }

    /// <summary><c>params</c> of a request or <c>payload</c> of a response or event: any one JSON value, or empty.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary><c>error</c> of a response, one JSON object, or empty.</summary>
    public ReadOnlyMemory<byte> Error { get; init; }

    /// <summary><c>ok</c> of a response.</summary>
    public bool Ok { get; init; }

    /// <summary><c>seq</c> of an event, or null.</summary>
    public long? Seq { get; init; }

    /// <summary><c>traceparent</c> of a request (W3C), or empty.</summary>
    public ReadOnlyMemory<byte> TraceParent { get; init; }
}
