namespace ChannelBridge.Protocol.Json;

/// <summary>What kind of rule a message broke.</summary>
public enum ProtocolFault
{
    /// <summary>None: the message is fine.</summary>
    None,

    /// <summary>The bytes are not one JSON value.</summary>
    InvalidJson,

    /// <summary>The bytes are not UTF-8.</summary>
    InvalidUtf8,

    /// <summary>JSON, but not a message of this protocol.</summary>
    InvalidMessage,

    /// <summary>Nested deeper than the limit.</summary>
    TooDeep,

    /// <summary>More values, or more members in one object, than the limit.</summary>
    TooManyMembers,

    /// <summary>A string or a member's name is longer than the limit.</summary>
    StringTooLong,

    /// <summary>An object has the same member twice.</summary>
    DuplicateProperty,

    /// <summary>The message is larger than the limit.</summary>
    TooLarge,
}
