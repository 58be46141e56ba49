using System.Globalization;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// Where pushes go. A <c>direct</c> push holds details that aren't for everybody: it takes a route only that lists its variant, and a conversation of its own.
/// </summary>
internal sealed class PushRoutes(IEnumerable<KeyValuePair<string, JujiRouteOptions>> routes)
{
    public const string Agent = "agent";
    public const string Drop = "drop";
    private static readonly JujiRouteOptions ToAgent = new();

    private readonly JujiRouteOptions[] _routes =
    [
        .. routes.OrderBy(static route => int.TryParse(route.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : int.MaxValue)
            .ThenBy(static route => route.Key, StringComparer.OrdinalIgnoreCase).Select(static route => route.Value),
    ];

    /// <summary>The route of a push; null: none fits, and it goes nowhere.</summary>
    public JujiRouteOptions? Of(Push push) => _routes.Length == 0 ? ToAgent : Array.Find(_routes, route => Fits(route, push));

    /// <summary>The target that a text means: <c>CHANNEL:TARGET</c> or <c>CHANNEL/ACCOUNT:TARGET</c>; null: it means none, or leads back here.</summary>
    public static TargetOrigin? TargetOf(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || colon == text.Length - 1) return null;
        var channel = text[..colon];
        var account = "";
        if (channel.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash)
        {
            account = channel[(slash + 1)..];
            channel = channel[..slash];
            if (account.Length == 0) return null;
        }

        channel = channel.ToLowerInvariant();
        // To a member of the community its own pushes would come back by the community.
        if (channel.Length == 0 || channel.StartsWith(JujiChannel.ChannelId, StringComparison.Ordinal)) return null;
        return new TargetOrigin(channel, account, text[(colon + 1)..]);
    }

    private static bool Fits(JujiRouteOptions route, Push push) =>
        (push.IsDirect ? Names(route, push.Variant) : route.Variants.Count == 0 || Names(route, "public"))
        && (route.Topics.Count == 0 || Lists(route.Topics, push.Topic))
        && (route.Events.Count == 0 || Lists(route.Events, push.Event));

    // Word by word: a pattern could name more than was thought of.
    private static bool Names(JujiRouteOptions route, string variant) => route.Variants.Contains(variant, StringComparer.OrdinalIgnoreCase);

    private static bool Lists(IReadOnlyList<string> patterns, string word) => patterns.Any(pattern => pattern.EndsWith('*')
        ? word.StartsWith(pattern[..^1], StringComparison.OrdinalIgnoreCase)
        : string.Equals(word, pattern, StringComparison.OrdinalIgnoreCase));
}
