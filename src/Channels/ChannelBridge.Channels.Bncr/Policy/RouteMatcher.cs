using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Policy;

/// <summary>An allow list: exact routes, and patterns in which <c>*</c> stands for any group or user.</summary>
internal sealed class RouteMatcher
{
    private readonly HashSet<BncrRoute> _exact = [];
    private readonly List<BncrRoute> _patterns = [];
    private readonly bool _all;

    public RouteMatcher(IEnumerable<string> entries)
    {
        foreach (var entry in entries)
        {
            if (entry.Trim() is "*") _all = true;
            else if (!Target.TryParse(entry, out var target)) throw new FormatException(entry);
            else if (target.Route.GroupId is "*" || target.Route.UserId is "*") _patterns.Add(target.Route);
            else _exact.Add(target.Route);
        }
    }

    public static bool IsValid(string? entry) => entry is not null && (entry.Trim() is "*" || Target.TryParse(entry, out _));

    public bool Allows(BncrRoute route)
    {
        if (_all || _exact.Contains(route)) return true;
        foreach (var pattern in _patterns)
        {
            if (pattern.Platform == route.Platform
                && (pattern.GroupId is "*" || pattern.GroupId == route.GroupId)
                && (pattern.UserId is "*" || pattern.UserId == route.UserId))
            {
                return true;
            }
        }

        return false;
    }
}
