namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>Why a message is refused or can't be sealed. On the wire and in receipts the names are lower case.</summary>
internal enum SealingFault
{
    /// <summary>The envelope isn't one, or has a member that it can't have.</summary>
    Malformed,

    /// <summary>A mode, suite or version that isn't spoken here.</summary>
    Unsupported,

    /// <summary>The authenticated data disagrees with the message.</summary>
    AadMismatch,

    /// <summary>It is sealed for another identity or another certificate of this one.</summary>
    NotForUs,

    /// <summary>There is no trusted certificate of the other side.</summary>
    CertificateUnknown,

    /// <summary>The signature is missing or wrong.</summary>
    SignatureWrong,

    /// <summary>The private half of the prekey is gone, or never was here.</summary>
    PrekeyUnknown,

    /// <summary>It can't be opened: something of it was changed.</summary>
    NotOpened,

    /// <summary>The same message came before.</summary>
    Replayed,

    /// <summary>It was pushed long after, or before, its time.</summary>
    OutOfTime,

    /// <summary>The receiver has no prekey, and forward secrecy is required.</summary>
    NoPrekey,

    /// <summary>No prekey of the receiver is sound: each is too old or not signed by it.</summary>
    PrekeyRefused,

    /// <summary>The receiver has more devices than a message may have copies.</summary>
    TooManyDevices,
}

/// <summary>A message is refused, or can't be sealed. The text has nothing of the content.</summary>
internal sealed class SealingException(SealingFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Why.</summary>
    public SealingFault Fault => fault;

    /// <summary>The reason as it stands in receipts, e.g. <c>sealing: signature_wrong: …</c>.</summary>
    public string Receipt => $"sealing: {Word(fault)}: {Message}";

    /// <summary>A fault's name on the wire.</summary>
    public static string Word(SealingFault fault) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.ToString());
}
