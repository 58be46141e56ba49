namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>How a target was written.</summary>
internal enum TargetForm
{
    /// <summary><c>agent:ID:bncr:direct:…</c> or <c>…:group:…</c>.</summary>
    Key,

    /// <summary><c>agent:ID:bncr:HEX:0</c>.</summary>
    LegacyKey,

    /// <summary><c>Bncr:p:u</c>, <c>Bncr:p:g:u</c>.</summary>
    Display,

    /// <summary><c>bncr:…</c> with hex or scope, with or without <c>g-</c>.</summary>
    Prefixed,

    /// <summary>Hex alone.</summary>
    Hex,

    /// <summary><c>p:g:u</c> alone.</summary>
    Scope,
}
