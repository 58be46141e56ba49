using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Pki;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>
/// Tokens of identities. Access tokens are JWTs (ES256) that nobody keeps; refresh tokens are kept as hashes, each good for one use: a second use ends the whole line.
/// </summary>
internal sealed class TokenDesk
{
    private const string RefreshNamespace = "aun.refresh";
    private const string Issuer = "channelbridge";
    private const string Audience = "aun";
    private const int MaxToken = 4096;
    private const int SecretBytes = 32;
    private static readonly JsonDocumentOptions Bounds = new() { MaxDepth = 4 };

    private readonly ECDsa _key;
    private readonly IRecords _records;
    private readonly AunOptions _options;
    private readonly TimeProvider _time;
    private readonly string _header;

    public TokenDesk(Authority authority, IRecords records, AunOptions options, TimeProvider time)
    {
        _key = authority.TokenKey;
        _records = records;
        _options = options;
        _time = time;
        var kid = Convert.ToHexStringLower(SHA256.HashData(_key.ExportSubjectPublicKeyInfo()))[..16];
        _header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"ES256","typ":"JWT","kid":"{{kid}}"}"""));
    }

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>An access token, and for how many seconds it holds.</summary>
    public (string Token, long Seconds) MakeAccess(string aid)
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        var seconds = (long)_options.AccessTokenTime.TotalSeconds;
        var claims = new JsonObject
        {
            ["aid"] = aid,
            ["iss"] = Issuer,
            ["sub"] = aid,
            ["aud"] = Audience,
            ["iat"] = now,
            ["exp"] = now + seconds,
            ["jti"] = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(12)),
        };
        var signed = $"{_header}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        var signature = _key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return ($"{signed}.{Base64Url.EncodeToString(signature)}", seconds);
    }

    /// <summary>Whose access token it is; null when it isn't one, was changed, or holds no more.</summary>
    public string? ReadAccess(string token)
    {
        if (token.Length > MaxToken) return null;
        var end = token.LastIndexOf('.');
        if (end < 0 || !token.AsSpan(0, end).StartsWith(_header + ".", StringComparison.Ordinal)) return null;
        try
        {
            var signature = Base64Url.DecodeFromChars(token.AsSpan(end + 1));
            if (!_key.VerifyData(Encoding.ASCII.GetBytes(token, 0, end), signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)) return null;
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(token.AsSpan(_header.Length + 1, end - _header.Length - 1)), Bounds);
            var root = claims.RootElement;
            return root.GetProperty("aud"u8).GetString() == Audience && root.GetProperty("exp"u8).GetInt64() > _time.GetUtcNow().ToUnixTimeSeconds()
                ? root.GetProperty("aid"u8).GetString()
                : null;
        }
        catch (Exception fault) when (fault is FormatException or JsonException or KeyNotFoundException or InvalidOperationException or CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Begins a line of refresh tokens.</summary>
    /// <param name="aid">Whose.</param>
    /// <param name="with">What must take place for it, in the same commit.</param>
    /// <returns>The first token, and what is to be written.</returns>
    public (string Token, RecordPut Write) BeginFamily(string aid, StoreWrite with)
    {
        var family = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(15));
        var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
        var put = Put(family, aid, secret, 0);
        put.With = with;
        return ($"{family}.{secret}", put);
    }

    /// <summary>Takes a refresh token and gives the next one; null when it isn't good. One that was used before ends its line.</summary>
    public async ValueTask<(string Aid, string Token)?> RotateAsync(string token, CancellationToken cancellationToken)
    {
        var dot = token.IndexOf('.', StringComparison.Ordinal);
        if (dot is < 1 or > 64) return null;
        var family = token[..dot];
        if (await _records.GetRecordAsync(RefreshNamespace, family, cancellationToken).ConfigureAwait(false) is not { } stored) return null;
        var record = JsonSerializer.Deserialize(stored.Value.Span, EndpointJson.Default.FamilyRecord)!;
        if (CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(HashOf(token[(dot + 1)..])), Encoding.ASCII.GetBytes(record.Hash)))
        {
            var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
            var put = Put(family, record.Aid, secret, stored.Version);
            await _records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
            if (!put.Conflict) return (record.Aid, $"{family}.{secret}");
        }

        // It was used before, perhaps by somebody who has stolen it; which of the two it was can't be told.
        await _records.WriteAsync(new RecordDelete { Namespace = RefreshNamespace, Key = family }, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private RecordPut Put(string family, string aid, string secret, long expected)
    {
        var now = Now;
        return new RecordPut
        {
            Namespace = RefreshNamespace,
            Key = family,
            Index = aid,
            Value = JsonSerializer.SerializeToUtf8Bytes(new FamilyRecord(aid, HashOf(secret)), EndpointJson.Default.FamilyRecord),
            ExpiresAt = now + (long)_options.RefreshTokenTime.TotalMilliseconds,
            ExpectedVersion = expected,
            At = now,
        };
    }

    private static string HashOf(string secret) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
