namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>What a gateway means by the code with which it closes.</summary>
internal static class CloseCodes
{
    /// <summary>True for codes after which nobody connects again by himself.</summary>
    public static bool IsFinal(int? code) => code is 4001 or 4003 or (>= 4008 and <= 4015);

    /// <summary>True for a code of the gateway's own, after which one waits for longer; not for an orderly or a broken end.</summary>
    public static bool IsOwn(int? code) => code is not (null or 1000 or 1006);

    /// <summary>A code in words.</summary>
    public static string Explain(int code) => code switch
    {
        4001 => "the token isn't good",
        4003 => "the AID isn't valid, or was revoked",
        4008 => "authentication took too long",
        4009 => "another long connection has taken the slot; give this account a SlotId of its own",
        4010 => "the nonce isn't good",
        4011 => "federation doesn't allow it",
        4012 => "there is a long connection in the slot already; give this account a SlotId of its own",
        4013 => "too many short connections",
        4014 => "a short connection was idle for too long",
        4015 => "a quota is used up",
        _ => "without a reason that is known here",
    };
}
