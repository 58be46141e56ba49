using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>An invitation to a team: <c>mc:</c> and base64url of <c>{"t":teamId,"u":url,"s":secret}</c>. The prefix may be left out; nodes without keys write no secret.</summary>
/// <param name="TeamId">The team.</param>
/// <param name="Url">A member of it.</param>
/// <param name="Secret">What admits to it, 32 bytes; null: a team that asks for nothing.</param>
internal sealed record InviteCode(string TeamId, string Url, byte[]? Secret)
{
    /// <summary>How long a secret is.</summary>
    public const int SecretBytes = 32;

    private const string Prefix = "mc:";

    // A url of 2 KiB, a team's id and a secret, in base64.
    private const int MaxLength = 4096;

    /// <summary>Reads a code.</summary>
    /// <returns>Null: it is none.</returns>
    public static InviteCode? Parse(string? text)
    {
        text = text?.Trim();
        if (text is not { Length: > 0 and <= MaxLength }) return null;
        if (text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) text = text[Prefix.Length..];
        if (Base64.Read(text.TrimEnd('='), MaxLength) is not { } json) return null;
        try
        {
            if (JsonSerializer.Deserialize(json, InviteJson.Default.Written) is not { } read) return null;
            if (!TeamIds.IsPlain(read.T) || MemberUrls.Normalise(read.U) is not { } url) return null;
            if (read.S is null) return new InviteCode(read.T, url, null);
            return Base64.ReadExactly(read.S, SecretBytes) is { } secret ? new InviteCode(read.T, url, secret) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The code as it is handed on.</summary>
    public string Write() =>
        Prefix + Base64.Write(JsonSerializer.SerializeToUtf8Bytes(new Written(TeamId, Url, Secret is null ? null : Base64.Write(Secret)), InviteJson.Default.Written));

    /// <inheritdoc/>
    /// <remarks>Without the secret: this may end in a log.</remarks>
    public override string ToString() => $"{TeamId} at {Url}";

    /// <inheritdoc/>
    public bool Equals(InviteCode? other) =>
        other is not null && TeamId == other.TeamId && Url == other.Url && (Secret is null) == (other.Secret is null) && Secret.AsSpan().SequenceEqual(other.Secret);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(TeamId, Url);

    internal sealed record Written(
        [property: JsonPropertyName("t")] string? T, [property: JsonPropertyName("u")] string? U, [property: JsonPropertyName("s")] string? S);
}

/// <summary>Ids of teams, as they may stand in a path.</summary>
internal static class TeamIds
{
    /// <summary>True for 1 to 64 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, not beginning with a dot.</summary>
    public static bool IsPlain([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] string? id) =>
        id is { Length: > 0 and <= 64 } && id[0] != '.' && id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}

/// <summary>Serialization of codes.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowDuplicateProperties = false, MaxDepth = 4)]
[JsonSerializable(typeof(InviteCode.Written))]
internal sealed partial class InviteJson : JsonSerializerContext;
