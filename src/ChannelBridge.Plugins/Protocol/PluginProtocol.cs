namespace ChannelBridge.Plugins.Protocol;

/// <summary>Versions, names and bounds of the plugin protocol, the same on both ends.</summary>
public static class PluginProtocol
{
    /// <summary>The version that this library speaks.</summary>
    public const int Version = 1;

    /// <summary>The largest header of a message, in bytes.</summary>
    public const int MaxHeaderBytes = 1024;

    /// <summary>The largest message, in bytes; what is larger goes by a stream.</summary>
    public const int MaxMessageBytes = 1024 * 1024;

    /// <summary>What each stream may carry ahead of its reader: the first credit, in bytes.</summary>
    public const int StreamWindow = 256 * 1024;

    /// <summary>What a frame of a stream costs of the credit beside its bytes.</summary>
    public const int FrameCost = 64;

    /// <summary>The most bytes of one frame of a stream.</summary>
    public const int MaxFrameBytes = 64 * 1024;

    /// <summary>The most streams that are open in one direction.</summary>
    public const int MaxStreams = 256;

    /// <summary>The longest body of a request or an answer that goes as text within a call, in bytes; what is longer, or no text, goes by a stream.</summary>
    public const int MaxTextBody = 64 * 1024;

    /// <summary>The largest body of an answer to an HTTP request, in bytes.</summary>
    public const int MaxAnswerBytes = 4 * 1024 * 1024;

    /// <summary>The JSON-RPC error of a call that was cancelled.</summary>
    public const int CancelledError = -32800;

    /// <summary>The notification that cancels a call, by its id.</summary>
    public const string CancelMethod = "$/cancelRequest";
}
