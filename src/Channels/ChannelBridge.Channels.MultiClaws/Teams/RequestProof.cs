using System.Globalization;
using System.Security.Cryptography;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// The proof that a request comes from the holder of a key, as <c>Authorization: MultiClaws …</c> carries it. Signed are the verb, whom it is for, path and query, the
/// hash of the body, a time and a nonce: nothing of it can be changed, sent to somebody else, or sent twice. Who isn't a member yet adds <c>admit</c>, which only the
/// holder of the team's secret can make; the secret itself never travels.
/// </summary>
internal sealed record RequestProof
{
    /// <summary>The scheme.</summary>
    public const string Scheme = "MultiClaws";

    /// <summary>How far two clocks may be apart.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    private const int MaxHeader = 8192;
    private const int NonceBytes = 16;
    private const int SignatureBytes = 64;

    /// <summary>Whose key.</summary>
    public required MemberPublicKey Key { get; init; }

    /// <summary>Whom it is for: the address by which the asking side knows the other one.</summary>
    public required string To { get; init; }

    /// <summary>When it was made (Unix ms).</summary>
    public required long TimeMs { get; init; }

    /// <summary>Unique among the key's requests.</summary>
    public required string Nonce { get; init; }

    /// <summary>The SHA-256 of the body.</summary>
    public required byte[] BodyHash { get; init; }

    /// <summary>The signature.</summary>
    public required byte[] Signature { get; init; }

    /// <summary>The proof that its maker has the team's secret, or null.</summary>
    public byte[]? Admit { get; init; }

    /// <summary>Makes the proof of a request.</summary>
    /// <param name="key">This host's key.</param>
    /// <param name="verb">The verb.</param>
    /// <param name="to">The member's address.</param>
    /// <param name="url">What is asked.</param>
    /// <param name="body">The body.</param>
    /// <param name="time">Now.</param>
    /// <param name="secret">The team's secret, where this host wants to be let in; else null.</param>
    public static RequestProof Make(MemberKey key, string verb, string to, Uri url, ReadOnlySpan<byte> body, DateTimeOffset time, byte[]? secret = null)
    {
        var hash = SHA256.HashData(body);
        var nonce = Base64.Write(RandomNumberGenerator.GetBytes(NonceBytes));
        var at = time.ToUnixTimeMilliseconds();
        var signed = Signed(key.Public, verb, to, PathOf(to, url), url.Query, hash, at, nonce);
        return new RequestProof
        {
            Key = key.Public,
            To = to,
            TimeMs = at,
            Nonce = nonce,
            BodyHash = hash,
            Signature = key.Sign(signed),
            Admit = secret is null ? null : AdmitOf(secret, signed),
        };
    }

    /// <summary>Reads what stands behind the scheme.</summary>
    /// <returns>Null: it is no proof.</returns>
    public static RequestProof? Parse(string? credentials)
    {
        if (credentials is not { Length: > 0 and <= MaxHeader }) return null;
        string? key = null, to = null, time = null, nonce = null, hash = null, sign = null, admit = null;
        foreach (var part in credentials.Split(','))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) return null;
            var value = part[(equals + 1)..].Trim();
            switch (part[..equals].Trim())
            {
                case "key" when key is null: key = value; break;
                case "to" when to is null: to = value; break;
                case "time" when time is null: time = value; break;
                case "nonce" when nonce is null: nonce = value; break;
                case "hash" when hash is null: hash = value; break;
                case "sign" when sign is null: sign = value; break;
                case "admit" when admit is null: admit = value; break;
                default: return null;
            }
        }

        if (Base64.Read(to, 2 * MemberUrls.MaxLength) is not { } address || MemberUrls.Normalise(System.Text.Encoding.UTF8.GetString(address)) is not { } url) return null;
        if (!long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var at)) return null;
        if (Base64.ReadExactly(nonce, NonceBytes) is null || Base64.ReadExactly(hash, SHA256.HashSizeInBytes) is not { } body) return null;
        if (Base64.ReadExactly(sign, SignatureBytes) is not { } signature) return null;
        byte[]? admitted = null;
        if (admit is not null && (admitted = Base64.ReadExactly(admit, SHA256.HashSizeInBytes)) is null) return null;
        if (MemberPublicKey.Parse(key) is not { } maker) return null;
        return new RequestProof { Key = maker, To = url, TimeMs = at, Nonce = nonce!, BodyHash = body, Signature = signature, Admit = admitted };
    }

    /// <summary>What stands behind the scheme.</summary>
    public string Write()
    {
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"key={Key.Text},to={Base64.Write(System.Text.Encoding.UTF8.GetBytes(To))},time={TimeMs},nonce={Nonce},hash={Base64.Write(BodyHash)},sign={Base64.Write(Signature)}");
        return Admit is null ? text : $"{text},admit={Base64.Write(Admit)}";
    }

    /// <summary>True when the signature is of this request.</summary>
    public bool IsOf(string verb, string path, string query) => Key.Verify(Signed(verb, path, query), Signature);

    /// <summary>True when its maker has the secret.</summary>
    public bool IsAdmitted(byte[] secret, string verb, string path, string query) =>
        Admit is not null && CryptographicOperations.FixedTimeEquals(Admit, AdmitOf(secret, Signed(verb, path, query)));

    /// <summary>True when the clock of its maker agrees well enough with ours.</summary>
    public bool IsFresh(DateTimeOffset now) => Math.Abs(now.ToUnixTimeMilliseconds() - TimeMs) <= (long)Skew.TotalMilliseconds;

    /// <summary>The proof that an answer comes from a holder of the secret: whoever joins learns from nobody else who the members are.</summary>
    public static string Answer(byte[] secret, string nonce, ReadOnlySpan<byte> answer) =>
        Base64.Write(HMACSHA256.HashData(secret, Canonical.Of("multiclaws-answer-1", nonce, Base64.Write(SHA256.HashData(answer)))));

    private byte[] Signed(string verb, string path, string query) => Signed(Key, verb, To, path, query, BodyHash, TimeMs, Nonce);

    private static byte[] Signed(MemberPublicKey key, string verb, string to, string path, string query, byte[] hash, long time, string nonce) => Canonical.Of(
        "multiclaws-request-1", key.Text, verb, to, path, query == "?" ? "" : query, Base64.Write(hash), time.ToString(CultureInfo.InvariantCulture), nonce);

    private static byte[] AdmitOf(byte[] secret, byte[] signed) => HMACSHA256.HashData(secret, Canonical.Of("multiclaws-admit-1", Base64.Write(signed)));

    // A proxy in front of a member may take a prefix away: what is signed is what stands behind the member's own address.
    private static string PathOf(string to, Uri url)
    {
        var path = Uri.UnescapeDataString(url.AbsolutePath);
        var prefix = Uri.UnescapeDataString(new Uri(to).AbsolutePath).TrimEnd('/');
        return prefix.Length > 0 && path.StartsWith(prefix + "/", StringComparison.Ordinal) ? path[prefix.Length..] : path;
    }
}
