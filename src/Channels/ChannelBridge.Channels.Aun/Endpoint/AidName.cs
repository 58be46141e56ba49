using System.Buffers;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>Names of identities: <c>name.issuer</c>, e.g. <c>alice.agentid.pub</c>.</summary>
internal static class AidName
{
    /// <summary>The longest AID: a certificate's common name has no more.</summary>
    public const int Longest = 64;

    private const int ShortestName = 4;
    private const int LongestLabel = 63;
    private static readonly SearchValues<char> Letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>True for a name that may be given out under one of the issuers.</summary>
    public static bool MayRegister(string aid, IReadOnlyList<string> issuers)
    {
        if (aid.Length > Longest) return false;
        var dot = aid.IndexOf('.', StringComparison.Ordinal);
        if (dot < ShortestName || !issuers.Contains(aid[(dot + 1)..], StringComparer.Ordinal)) return false;
        return IsLabel(aid.AsSpan(0, dot)) && aid[0] != '-' && !aid.StartsWith("guest", StringComparison.Ordinal);
    }

    /// <summary>True for what can be an AID at all, however short its name is.</summary>
    public static bool IsSound(string? aid) => aid is { Length: > 0 and <= Longest } && aid[0] != '-' && aid.Contains('.', StringComparison.Ordinal) && AreLabels(aid);

    /// <summary>True for an issuer's domain.</summary>
    public static bool IsIssuer(string issuer) => issuer.Length is > 0 and <= Longest && AreLabels(issuer);

    private static bool AreLabels(string name)
    {
        foreach (var label in name.AsSpan().Split('.'))
        {
            if (!IsLabel(name.AsSpan()[label])) return false;
        }

        return true;
    }

    private static bool IsLabel(ReadOnlySpan<char> label) => label.Length is > 0 and <= LongestLabel && !label.ContainsAnyExcept(Letters);
}
