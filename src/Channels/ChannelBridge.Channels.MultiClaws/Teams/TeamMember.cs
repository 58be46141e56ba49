using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// A member of a team as it says of itself, signed with its key: any member may pass it on and none can change it. Nodes without keys (open teams only) have no
/// signature. All of it is text that a stranger has written: bounded, shown, never obeyed.
/// </summary>
internal sealed record TeamMember
{
    /// <summary>The longest name.</summary>
    public const int MaxName = 64;

    /// <summary>The longest bio, in bytes.</summary>
    public const int MaxBio = 8 * 1024;

    // Name, an empty line, and the bio.
    private const int MaxDescription = MaxBio + (4 * MaxName) + 2;

    /// <summary>Where it answers, as <see cref="MemberUrls.Normalise"/> writes it.</summary>
    public required string Url { get; init; }

    /// <summary>Its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Its owner's name and what it can do.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Description { get; init; }

    /// <summary>When it joined (Unix ms, by its clock).</summary>
    public long JoinedAtMs { get; init; }

    /// <summary>Its public key; null: it has none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Key { get; init; }

    /// <summary>When this was written (Unix ms, by its clock): the later one holds.</summary>
    public long ChangedAtMs { get; init; }

    /// <summary>True: it has left.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Left { get; init; }

    /// <summary>With which of the team's secrets it shows that it was let in: when that one was made (Unix ms).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long AdmittedAtMs { get; init; }

    /// <summary>The proof that it has that secret, see <see cref="Admission"/>; null in an open team.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Admitted { get; init; }

    /// <summary>The signature of all of it and the team.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Sign { get; init; }

    /// <summary>What it is known by: its key, or its address when it has none.</summary>
    [JsonIgnore]
    public string Id => MemberPublicKey.IdOf(Key) ?? Url;

    /// <summary>The same, signed for a team.</summary>
    public TeamMember Signed(string teamId, MemberKey key)
    {
        var member = this with { Key = key.Public.Text };
        return member with { Sign = Base64.Write(key.Sign(member.Bytes(teamId))) };
    }

    /// <summary>What is wrong with it, in words for whoever sent it; null: nothing.</summary>
    /// <param name="teamId">The team.</param>
    /// <param name="open">True where members without keys are taken.</param>
    /// <param name="withLoopback">True where members may be on this machine.</param>
    /// <param name="now">Now.</param>
    public string? Fault(string teamId, bool open, bool withLoopback, DateTimeOffset now)
    {
        if (Url is null || MemberUrls.Normalise(Url) != Url) return "url is no http or https address, or not written plainly";
        if (MemberUrls.IsRefused(Url, withLoopback)) return "url leads where no member may be";
        if (NameFault(Name) is { } name) return "name " + name;
        if (TextFault(Description, MaxDescription) is { } text) return "description " + text;
        if (ChangedAtMs > (now + RequestProof.Skew).ToUnixTimeMilliseconds()) return "changedAtMs lies in the future";
        if (Admitted is { Length: > 64 } || (Admitted is null && AdmittedAtMs != 0)) return "admitted is no proof";
        if (Key is null) return open && Sign is null ? null : "key is missing";
        if (MemberPublicKey.Parse(Key) is not { } key) return "key is none";
        return Base64.ReadExactly(Sign, 64) is { } signature && key.Verify(Bytes(teamId), signature) ? null : "sign isn't the signature of this member";
    }

    /// <summary>What is wrong with a name; null: nothing.</summary>
    public static string? NameFault(string? name)
    {
        if (name is null) return "is missing";
        if (name.Length > MaxName) return string.Create(CultureInfo.InvariantCulture, $"has more than {MaxName} characters");
        return name.Any(IsOdd) || name.AsSpan().ContainsAny('\n', '\r', '\t') ? "has characters that can't be shown" : null;
    }

    /// <summary>What is wrong with a text of several lines; null: nothing.</summary>
    public static string? TextFault(string? text, int maxBytes)
    {
        if (text is null) return null;
        if (text.Length > maxBytes || Encoding.UTF8.GetByteCount(text) > maxBytes) return string.Create(CultureInfo.InvariantCulture, $"has more than {maxBytes} bytes");
        return text.Any(static c => IsOdd(c) && c is not ('\n' or '\r' or '\t')) ? "has characters that can't be shown" : null;
    }

    /// <summary>True when this one holds and not the other one of the same member.</summary>
    public bool IsLaterThan(TeamMember other)
    {
        if (ChangedAtMs != other.ChangedAtMs) return ChangedAtMs > other.ChangedAtMs;
        var byUrl = string.CompareOrdinal(Url, other.Url);
        // One member wrote two things at one time: whichever, but all choose the same.
        return byUrl != 0 ? byUrl < 0 : string.CompareOrdinal(Content(), other.Content()) < 0;
    }

    // Also what turns the direction of a text around: a name must not look like another.
    private static bool IsOdd(char c) => char.IsControl(c) || c is >= '\u200E' and <= '\u200F' or >= '\u202A' and <= '\u202E' or >= '\u2066' and <= '\u2069' or '\uFEFF'
        || char.GetUnicodeCategory(c) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    // Without the signature, of which there are many of one text.
    private string Content() => $"{(Left ? 1 : 0)}\n{JoinedAtMs}\n{Name}\n{Description}";

    private byte[] Bytes(string teamId) => Canonical.Of(
    [
        "multiclaws-member-1", teamId, Url, Name, Description is null ? "-" : "+" + Description, JoinedAtMs.ToString(CultureInfo.InvariantCulture), Key ?? "",
        ChangedAtMs.ToString(CultureInfo.InvariantCulture), Left ? "left" : "",
        .. Admitted is null ? (string[])[] : [Admitted, AdmittedAtMs.ToString(CultureInfo.InvariantCulture)],
    ]);
}
