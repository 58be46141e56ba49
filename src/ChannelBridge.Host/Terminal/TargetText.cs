using System.Text;
using System.Text.RegularExpressions;

namespace ChannelBridge.Host.Terminal;

/// <summary>A conversation as people write it: session keys of bncr carry platform, group and user in hexadecimal.</summary>
internal static partial class TargetText
{
    /// <summary>E.g. <c>Bncr:chat:alice</c> for <c>agent:main:bncr:direct:636861743a303a616c696365</c>; any other key as it is.</summary>
    public static string Of(string sessionKey)
    {
        if (BncrKey().Match(sessionKey) is not { Success: true } match || match.Groups["hex"].Length % 2 != 0) return sessionKey;
        var parts = Encoding.UTF8.GetString(Convert.FromHexString(match.Groups["hex"].ValueSpan)).Split(':');
        if (parts.Length != 3 || parts.Any(part => part.Length == 0)) return sessionKey;
        var target = parts[1] == "0" ? $"Bncr:{parts[0]}:{parts[2]}" : $"Bncr:{parts[0]}:{parts[1]}:{parts[2]}";
        return PlainText.Line(target) + match.Groups["task"].Value;
    }

    [GeneratedRegex("^agent:[^:]+:bncr:(?:direct|group):(?<hex>[0-9a-f]+)(?<task>:task:.+)?$",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex BncrKey();
}
