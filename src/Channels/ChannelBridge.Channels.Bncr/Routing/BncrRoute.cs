using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// The address of a conversation: platform, group (<c>0</c> for a private chat) and user. A platform holds no colon. Groups and users may (Teams' and Matrix' ids
/// do); in <c>platform:group:user</c> a group's colons are written <c>%3A</c>, which keeps it readable in one way only: everything behind the second colon is the
/// user.
/// </summary>
internal readonly record struct BncrRoute
{
    public const string NoGroup = "0";
    public const int MaxPlatformLength = 64;
    public const int MaxIdLength = 256;

    private BncrRoute(string platform, string groupId, string userId)
    {
        Platform = platform;
        GroupId = groupId;
        UserId = userId;
    }

    public string Platform { get; }

    public string GroupId { get; }

    public string UserId { get; }

    public bool IsGroup => GroupId != NoGroup;

    /// <summary><c>platform:group:user</c>, the group's colons as <c>%3A</c>.</summary>
    public string Scope => $"{Platform}:{Escape(GroupId)}:{UserId}";

    /// <summary>The three as they are. Clients write it so, and where a group holds colons it can be read in several ways.</summary>
    public string Plain => $"{Platform}:{GroupId}:{UserId}";

    /// <summary>The lower-case hex of <see cref="Scope"/>'s UTF-8 bytes.</summary>
    public string Hex
    {
        get
        {
            var scope = Scope;
            var size = Encoding.UTF8.GetMaxByteCount(scope.Length);
            var bytes = size <= 1024 ? stackalloc byte[size] : new byte[size];
            return Convert.ToHexStringLower(bytes[..Encoding.UTF8.GetBytes(scope, bytes)]);
        }
    }

    /// <summary>
    /// The form that people write: <c>Bncr:platform:user</c>, with the group where there is one. Two kinds of private chat need the long form, too: a
    /// user id with a colon, whose first part would read as the group, and the user <c>0</c>, as <c>HEX:0</c> is an old form of a key.
    /// </summary>
    public string Display =>
        IsGroup || UserId is "0" || UserId.Contains(':', StringComparison.Ordinal) ? $"Bncr:{Scope}" : $"Bncr:{Platform}:{UserId}";

    /// <summary>The conversation without its sender: <c>platform:group</c> for a group, the whole route otherwise.</summary>
    public string Conversation => IsGroup ? $"{Platform}:{Escape(GroupId)}" : Scope;

    /// <summary>
    /// True for routes that are pieces of a session key that went astray in old state (<c>agent:main:bncr</c>, <c>bncr:HEX:0</c>); no platform has them.
    /// </summary>
    public bool IsNoise =>
        (Equals(Platform, "agent") && Equals(GroupId, "main") && Equals(UserId, "bncr"))
        || (Equals(Platform, "bncr") && Equals(UserId, "0") && IsHex(GroupId));

    /// <summary>Makes a route of its parts; surrounding blanks go, a blank group means none. Null with the field that is at fault otherwise.</summary>
    public static BncrRoute? Create(ReadOnlySpan<char> platform, ReadOnlySpan<char> groupId, ReadOnlySpan<char> userId, out string? fault)
    {
        platform = platform.Trim();
        groupId = groupId.Trim();
        userId = userId.Trim();
        if (groupId.IsEmpty) groupId = NoGroup;
        fault = null;
        if (!Text.IsIdentifier(platform, MaxPlatformLength) || platform.Contains(':')) fault = "platform";
        else if (!Text.IsIdentifier(groupId, MaxIdLength)) fault = "groupId";
        else if (!Text.IsIdentifier(userId, MaxIdLength)) fault = "userId";
        return fault is null ? new BncrRoute(platform.ToString(), groupId is NoGroup ? NoGroup : groupId.ToString(), userId.ToString()) : null;
    }

    /// <summary>Reads <c>platform:group:user</c>.</summary>
    public static bool TryParseScope(ReadOnlySpan<char> scope, out BncrRoute route)
    {
        route = default;
        var first = scope.IndexOf(':');
        if (first < 0) return false;
        var rest = scope[(first + 1)..];
        var second = rest.IndexOf(':');
        // A group must be written here: `p::u` is no private chat but a slip.
        if (second < 0 || rest[..second].Trim().IsEmpty) return false;
        if (Create(scope[..first], Unescape(rest[..second]), rest[(second + 1)..], out _) is not { } made) return false;
        route = made;
        return true;
    }

    /// <summary>What the same text means when more of it is the group's: one reading for each further colon.</summary>
    public IReadOnlyList<BncrRoute> OtherReadings()
    {
        const int MostColons = 8;
        var readings = new List<BncrRoute>();
        // p:u is read as a private chat, p:g:u as a group's; in both the user may have colons of the group.
        var text = IsGroup ? $"{GroupId}:{UserId}" : UserId;
        for (var at = IsGroup ? GroupId.Length : 0; readings.Count < MostColons;)
        {
            at = text.IndexOf(':', Math.Min(at + 1, text.Length));
            if (at < 0) break;
            if (Create(Platform, text.AsSpan(0, at), text.AsSpan(at + 1), out _) is { } reading && reading != this) readings.Add(reading);
        }

        return readings;
    }

    /// <summary>Reads the hex of <c>platform:group:user</c>, in either case.</summary>
    public static bool TryParseHex(ReadOnlySpan<char> hex, out BncrRoute route)
    {
        route = default;
        if (!IsHex(hex) || hex.Length > 8 * MaxIdLength) return false;
        var bytes = Convert.FromHexString(hex);
        return Utf8.IsValid(bytes) && TryParseScope(Encoding.UTF8.GetString(bytes), out route);
    }

    public static bool IsHex(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.Length % 2 != 0) return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiHexDigit(c)) return false;
        }

        return true;
    }

    public override string ToString() => Scope;

    private static string Escape(string group) =>
        !group.AsSpan().ContainsAny(':', '%') ? group : group.Replace("%25", "%2525", StringComparison.Ordinal)
            .Replace("%3A", "%253A", StringComparison.Ordinal).Replace(":", "%3A", StringComparison.Ordinal);

    private static string Unescape(ReadOnlySpan<char> group) =>
        !group.Contains('%') ? group.ToString() : group.ToString().Replace("%3A", ":", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal);

    [SuppressMessage("Style", "IDE0051:Remove unused private members", Justification = "Used by IsNoise")]
    private static bool Equals(string left, string right) => string.Equals(left, right, StringComparison.OrdinalIgnoreCase);
}
