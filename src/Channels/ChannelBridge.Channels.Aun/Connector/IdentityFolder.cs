using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// One AID's files below the folder of identities, in the layout of the SDKs: <c>.device_id</c>, <c>AIDs/AID/private/key.json</c>, <c>AIDs/AID/public/cert.pem</c>,
/// <c>AIDs/AID/tokens/meta.json</c>. The SDKs' own <c>aun.db</c> isn't touched.
/// </summary>
internal sealed class IdentityFolder : IDisposable
{
    private const string KeyName = "identity/private_key";
    private const string TokensName = "tokens/meta";
    private const int LongestFile = 256 * 1024;
    private readonly string _aunPath;
    private readonly string _aid;
    private readonly string? _password;
    private FileProtection? _protection;

    /// <summary>One AID's files.</summary>
    /// <param name="aunPath">The folder of identities; null: <c>~/.aun</c>.</param>
    /// <param name="aid">The AID; it is a sound one, and so a part of a path.</param>
    /// <param name="password">What protects the key; null: the folder's seed.</param>
    public IdentityFolder(string? aunPath, string aid, string? password)
    {
        _aunPath = aunPath ?? SettingText.FullPath("~/.aun");
        _aid = aid;
        _password = password;
    }

    private string Home => Path.Combine(_aunPath, "AIDs", _aid);

    /// <summary>Where the private key is.</summary>
    public string KeyPath => Path.Combine(Home, "private", "key.json");

    /// <summary>Where a command without a host keeps its records.</summary>
    public string RecordsPath => Path.Combine(Home, "tokens", "channelbridge.json");

    private string CertificatePath => Path.Combine(Home, "public", "cert.pem");

    /// <summary>Where the tokens are.</summary>
    public string TokensPath => Path.Combine(Home, "tokens", "meta.json");

    /// <summary>The device's id, made when there is none.</summary>
    /// <exception cref="BridgeException">The folder can't be read or written.</exception>
    public string DeviceId() => Guard(() =>
    {
        var path = Path.Combine(_aunPath, ".device_id");
        if (ReadText(path)?.Trim() is { Length: > 0 and <= 128 } known && known.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')) return known;
        PrivateFiles.Write(path, Encoding.UTF8.GetBytes(Guid.NewGuid().ToString()), overwrite: File.Exists(path));
        return ReadText(path)!.Trim();
    });

    /// <summary>The private key, or null when the AID isn't in the folder.</summary>
    /// <exception cref="BridgeException">It is there, and can't be read.</exception>
    public ECDsa? LoadKey() => Guard(() =>
    {
        if (ReadText(KeyPath) is not { } text) return null;
        var json = JsonElement.Parse(Encoding.UTF8.GetBytes(text));
        var pem = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("private_key_protection"u8, out var sealedKey)
            ? Protection().Reveal(_aid, KeyName, sealedKey)
                ?? throw new BridgeException(ErrorCodes.InvalidRequest, $"{KeyPath} can't be opened: it is protected by another SeedPassword or .seed, or in a way that isn't read here")
            : Wire.Text(json, "private_key_pem") ?? throw new BridgeException(ErrorCodes.InvalidRequest, $"there is no private key in {KeyPath}");
        var key = ECDsa.Create();
        key.ImportFromPem(pem);
        return key;
    });

    /// <summary>Makes a private key, which is on disk when this returns.</summary>
    /// <exception cref="BridgeException">It can't be written.</exception>
    public ECDsa CreateKey() => Guard(() =>
    {
        var key = IdentityKeys.NewKey();
        var json = new JsonObject
        {
            ["public_key_der_b64"] = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()),
            ["curve"] = "P-256",
            ["private_key_protection"] = Protection().Protect(_aid, KeyName, key.ExportPkcs8PrivateKeyPem() + "\n"),
        };
        if (PrivateFiles.Write(KeyPath, Json(json), overwrite: false)) return key;
        // Another program was quicker; there is one key for an AID.
        key.Dispose();
        return LoadKey()!;
    });

    /// <summary>The certificate's text, or null.</summary>
    public string? LoadCertificate() => Guard(() => ReadText(CertificatePath) is { } pem && pem.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal) ? pem : null);

    /// <summary>Keeps the certificate.</summary>
    public void SaveCertificate(string pem) => Guard(() => PrivateFiles.Write(CertificatePath, Encoding.UTF8.GetBytes(pem)));

    /// <summary>The tokens, or null.</summary>
    public AunTokens? LoadTokens() => Guard(() =>
    {
        try
        {
            if (ReadText(TokensPath) is not { } text) return null;
            var json = JsonElement.Parse(Encoding.UTF8.GetBytes(text));
            return json.ValueKind == JsonValueKind.Object && json.TryGetProperty("tokens_protection"u8, out var sealedTokens)
                && Protection().Reveal(_aid, TokensName, sealedTokens) is { } plain
                    ? AunTokens.Read(JsonElement.Parse(Encoding.UTF8.GetBytes(plain)))
                    : null;
        }
        catch (JsonException)
        {
            // Tokens are made anew.
            return null;
        }
    });

    /// <summary>Keeps the tokens; null forgets them. What else stands in the file stays.</summary>
    public void SaveTokens(AunTokens? tokens) => Guard(() =>
    {
        JsonObject file;
        try
        {
            file = ReadText(TokensPath) is { } text && JsonNode.Parse(text) is JsonObject known ? known : [];
        }
        catch (JsonException)
        {
            file = [];
        }

        file.Remove("tokens_protection");
        if (tokens is not null) file["tokens_protection"] = Protection().Protect(_aid, TokensName, tokens.Write());
        return PrivateFiles.Write(TokensPath, Json(file));
    });

    /// <summary>True when the key of a certificate is the private key's.</summary>
    public static bool Fits(string pem, ECDsa key)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo());
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _protection?.Dispose();

    private FileProtection Protection()
    {
        if (_protection is not null) return _protection;
        if (_password is not null) return _protection = new FileProtection(Encoding.UTF8.GetBytes(_password));
        var path = Path.Combine(_aunPath, ".seed");
        if (!File.Exists(path)) PrivateFiles.Write(path, RandomNumberGenerator.GetBytes(32), overwrite: false);
        return _protection = new FileProtection(File.ReadAllBytes(path));
    }

    private static string? ReadText(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        return file.Length <= LongestFile ? File.ReadAllText(path) : throw new IOException($"{path} is too large");
    }

    private static byte[] Json(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes((JsonNode)json, AunConnectorJson.Indented.JsonNode);

    private static T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"the folder of identities: {fault.Message}", fault) { Retryable = true };
        }
        catch (Exception fault) when (fault is JsonException or CryptographicException or ArgumentException)
        {
            throw AunCallException.Make(AunErrorClass.Validation, 0, $"the folder of identities has a key that can't be read: {fault.Message}");
        }
    }
}

/// <summary>The tokens of an identity.</summary>
/// <param name="Access">The token of connections.</param>
/// <param name="Refresh">The token for the next pair, or null.</param>
/// <param name="ExpiresAt">When the first ends (Unix ms).</param>
/// <param name="Gateway">For which gateway they are.</param>
internal sealed record AunTokens(string Access, string? Refresh, long ExpiresAt, string Gateway)
{
    /// <summary>As text.</summary>
    public string Write() => JsonSerializer.Serialize(this, AunConnectorJson.Default.AunTokens);

    /// <summary>From text; null when it isn't theirs.</summary>
    public static AunTokens? Read(JsonElement json) =>
        Wire.Text(json, "access") is { } access && Wire.Whole(json, "expiresAt") is { } until && Wire.Text(json, "gateway") is { } gateway
            ? new AunTokens(access, Wire.Text(json, "refresh"), until, gateway)
            : null;
}
