namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// A conversation as a client, an operator or an agent wrote it. Read are the existing plugin's forms and the ones of its first releases:
/// <list type="bullet">
/// <item><c>Bncr:p:u</c>, <c>Bncr:p:g:u</c> (also <c>Bncr-…</c>): what people write;</item>
/// <item><c>agent:ID:bncr:direct:X</c>, <c>agent:ID:bncr:group:X</c>, X being hex, hex<c>:0</c>, or <c>p:g:u</c>;</item>
/// <item><c>agent:ID:bncr:HEX:0</c>, <c>bncr:HEX</c>, <c>bncr:HEX:0</c>, <c>bncr:g-HEX</c>, hex alone;</item>
/// <item><c>bncr:p:g:u</c>, <c>bncr:g-p:g:u</c>, <c>p:g:u</c>.</item>
/// </list>
/// Each may end in <c>:task:KEY</c>. A route that itself ends so can be written only in hex, and a platform called <c>agent</c> only in hex or behind
/// <c>Bncr:</c>.
/// </summary>
/// <param name="Route">The conversation.</param>
/// <param name="TaskKey">The sub-conversation, or null.</param>
/// <param name="AgentId">The agent id that a key form named, or null.</param>
/// <param name="Form">How it was written.</param>
internal readonly record struct Target(BncrRoute Route, string? TaskKey, string? AgentId, TargetForm Form)
{
    public const int MaxLength = 4096;

    private const string TaskMark = ":task:";

    /// <summary>Reads a target in any form. False for what is none, and for routes that are noise.</summary>
    public static bool TryParse(ReadOnlySpan<char> input, out Target target)
    {
        target = default;
        var text = input.Trim();
        if (text.IsEmpty || text.Length > MaxLength) return false;
        var taskKey = SplitTask(ref text);
        return TryParseBase(text, out var route, out var agentId, out var form)
            && !route.IsNoise
            && Set(out target, new Target(route, taskKey, agentId, form));
    }

    private static bool TryParseBase(ReadOnlySpan<char> text, out BncrRoute route, out string? agentId, out TargetForm form)
    {
        agentId = null;
        if (TrySplitKey(text, out var agent, out var rest))
        {
            if (!SessionKey.IsAgentId(agent))
            {
                route = default;
                form = TargetForm.Key;
                return false;
            }

            agentId = agent.ToString();
            if (rest.StartsWith("direct:", StringComparison.Ordinal) || rest.StartsWith("group:", StringComparison.Ordinal))
            {
                form = TargetForm.Key;
                return TryParsePayload(rest[(rest.IndexOf(':') + 1)..], allowShort: false, out route);
            }

            form = TargetForm.LegacyKey;
            route = default;
            return rest.EndsWith(":0", StringComparison.Ordinal) && BncrRoute.TryParseHex(rest[..^2], out route);
        }

        if (text.StartsWith("Bncr:", StringComparison.Ordinal) || text.StartsWith("Bncr-", StringComparison.Ordinal))
        {
            form = TargetForm.Display;
            return TryParsePayload(text[5..], allowShort: true, out route);
        }

        if (text.StartsWith("bncr:", StringComparison.OrdinalIgnoreCase))
        {
            form = TargetForm.Prefixed;
            var payload = text[5..];
            if (payload.StartsWith("g-", StringComparison.OrdinalIgnoreCase)) return TryParsePayload(payload[2..], allowShort: false, out route);
            return TryParsePayload(payload, allowShort: true, out route);
        }

        if (BncrRoute.TryParseHex(text, out route))
        {
            form = TargetForm.Hex;
            return true;
        }

        // `agent:main:main` is another channel's session key, not a user `main` in a group `main` of a platform `agent`.
        form = TargetForm.Scope;
        route = default;
        return !text.StartsWith("agent:", StringComparison.OrdinalIgnoreCase) && BncrRoute.TryParseScope(text, out route);
    }

    /// <summary>Hex, hex<c>:0</c>, <c>p:g:u</c>, or, where <paramref name="allowShort"/>, <c>p:u</c>.</summary>
    private static bool TryParsePayload(ReadOnlySpan<char> payload, bool allowShort, out BncrRoute route)
    {
        if (BncrRoute.TryParseHex(payload, out route)) return true;
        if (payload.EndsWith(":0", StringComparison.Ordinal) && BncrRoute.TryParseHex(payload[..^2], out route)) return true;
        if (BncrRoute.TryParseScope(payload, out route)) return true;
        if (!allowShort) return false;
        var colon = payload.IndexOf(':');
        if (colon < 0 || payload[(colon + 1)..].Contains(':')) return false;
        if (BncrRoute.Create(payload[..colon], BncrRoute.NoGroup, payload[(colon + 1)..], out _) is not { } made) return false;
        route = made;
        return true;
    }

    /// <summary>Splits <c>agent:ID:bncr:REST</c>.</summary>
    private static bool TrySplitKey(ReadOnlySpan<char> text, out ReadOnlySpan<char> agent, out ReadOnlySpan<char> rest)
    {
        agent = rest = default;
        const string Prefix = "agent:";
        const string Middle = "bncr:";
        if (!text.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var tail = text[Prefix.Length..];
        var colon = tail.IndexOf(':');
        if (colon < 0 || !tail[(colon + 1)..].StartsWith(Middle, StringComparison.Ordinal)) return false;
        agent = tail[..colon];
        rest = tail[(colon + 1 + Middle.Length)..];
        return true;
    }

    private static string? SplitTask(ref ReadOnlySpan<char> text)
    {
        var mark = text.LastIndexOf(TaskMark, StringComparison.OrdinalIgnoreCase);
        if (mark <= 0 || !TaskPrefix.IsKey(text[(mark + TaskMark.Length)..])) return null;
        var key = text[(mark + TaskMark.Length)..].ToString().ToLowerInvariant();
        text = text[..mark];
        return key;
    }

    private static bool Set(out Target target, Target value)
    {
        target = value;
        return true;
    }
}
