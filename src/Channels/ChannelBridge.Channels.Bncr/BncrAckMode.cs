namespace ChannelBridge.Channels.Bncr;

/// <summary>Whether a client must ack what it is pushed. On the wire and in settings: <c>auto</c>, <c>true</c>, <c>false</c>.</summary>
public enum BncrAckMode
{
    /// <summary>A client that declared <c>ack:true</c> on <c>bncr.connect</c>, or that has ever acked, must; others needn't.</summary>
    Auto,

    /// <summary>Every client must: a message is settled by its ack only.</summary>
    True,

    /// <summary>No client must: a push that was flushed to a connection found alive afterwards settles a message as pushed.</summary>
    False,
}
