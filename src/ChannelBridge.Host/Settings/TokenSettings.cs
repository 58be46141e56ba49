using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Host.Composition;

namespace ChannelBridge.Host.Settings;

/// <summary>Reads the tokens of the settings: <c>Access</c>.</summary>
internal static class TokenSettings
{
    /// <summary>The keys of devices.</summary>
    public static readonly SettingGroup<DeviceOptions> Devices = new SettingGroup<DeviceOptions>("Access:Devices:")
        .Flag("AutoApproveLoopback", o => o.AutoApproveLoopback, (o, v) => o.AutoApproveLoopback = v,
            "A client with a device key that connects from loopback with the first token is approved by itself")
        .Flag("Require", o => o.Require, (o, v) => o.Require = v,
            "True: the OpenClaw protocol of the own listener lets in clients with a device key only; JSON-RPC knows no devices")
        .Duration("RequestLife", TimeSpan.FromMinutes(1), TimeSpan.FromDays(1), o => o.RequestLife, (o, v) => o.RequestLife = v,
            "How long a device's request waits for an operator")
        .Number("MostRequests", 1, 400, o => o.MostRequests, (o, v) => o.MostRequests = (int)v, "Requests that wait")
        .Number("MostRequestsPerDevice", 1, 400, o => o.MostRequestsPerDevice, (o, v) => o.MostRequestsPerDevice = (int)v,
            "Requests of one device that wait; a further one replaces its oldest")
        .Number("MostDevices", 1, 1_000_000, o => o.MostDevices, (o, v) => o.MostDevices = (int)v, "Devices that are approved");

    /// <summary>Reads how devices come in.</summary>
    public static DeviceOptions ReadDevices(SettingsReader reader)
    {
        var devices = new DeviceOptions();
        Devices.Apply(reader, devices);
        return devices;
    }

    /// <summary>Reads the first token; null when none is set.</summary>
    public static string? ReadFirst(SettingsReader reader) => ReadOne(reader, "Access:Token", "Access:TokenFile");

    private static string? ReadOne(SettingsReader reader, string key, string fileKey)
    {
        var token = reader.Text(key);
        var source = key;
        if (reader.Text(fileKey) is { } file)
        {
            if (token is not null)
            {
                reader.Problem(fileKey, $"{key} is set, too; choose one of them", "/run/secrets/channelbridge-token");
                return null;
            }

            source = fileKey;
            try
            {
                if (FileTrust.Problem(SettingText.FullPath(file)) is { } distrusted)
                {
                    reader.Problem(fileKey, distrusted, "/run/secrets/channelbridge-token");
                    return null;
                }

                token = File.ReadLines(SettingText.FullPath(file)).FirstOrDefault()?.Trim();
                if (string.IsNullOrEmpty(token)) reader.Problem(fileKey, $"the first line of {SettingText.Show(file)} is empty", "/run/secrets/channelbridge-token");
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                reader.Problem(fileKey, $"{SettingText.Show(file)} can't be read ({fault.Message.ReplaceLineEndings(" ")})", "/run/secrets/channelbridge-token");
                return null;
            }
        }

        if (string.IsNullOrEmpty(token)) return null;

        // The message must not repeat the token: it may end up in a log.
        var wrong = token.Length > AccessToken.MaxLength ? $"the token has more than {AccessToken.MaxLength} characters"
            : token.Any(c => c is <= ' ' or > '~') ? "the token has characters other than printable ASCII without spaces"
            : token.Length < Defaults.SafeTokenLength ? $"the token has {token.Length} characters and may be guessed; take "
                + $"{Defaults.SafeTokenLength} or more"
            : null;
        if (wrong is null) return token;

        reader.Problem(source, wrong, "the output of: openssl rand -base64 32");
        return null;
    }

    /// <summary>Names by which the host itself tells callers apart: those of the gateway's clients begin with <c>gateway/</c>, those of devices with <c>device/</c>.</summary>
    private static bool IsTaken(string name) =>
        string.Equals(name, AccessToken.FirstName, StringComparison.OrdinalIgnoreCase)
        || string.Equals(name, "local", StringComparison.OrdinalIgnoreCase)
        || string.Equals(name, "gateway", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("gateway/", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("device/", StringComparison.OrdinalIgnoreCase);

    public static List<AccessToken> ReadFurther(SettingsReader reader)
    {
        var tokens = new List<AccessToken>();
        foreach (var tokenName in reader.Source.Children("Access:Tokens"))
        {
            var key = "Access:Tokens:" + tokenName;
            if (IsTaken(tokenName))
            {
                reader.Problem(key, $"the name '{tokenName}' is taken by the host itself; choose another", "Access:Tokens:shop:TokenFile=/run/secrets/shop");
                continue;
            }

            var hash = ReadTokenHash(reader, key);
            var scopes = Scopes.None;
            foreach (var name in reader.List(key + ":Scopes") ?? [ScopeNames.Read, ScopeNames.Write])
            {
                var scope = ScopeNames.Parse(name);
                if (scope == Scopes.None)
                    reader.Problem(key + ":Scopes", $"{SettingText.Show(name)} is not one of operator.read, operator.write, "
                        + "operator.admin, link, peer", "operator.write");
                scopes |= scope;
            }

            var accounts = reader.List(key + ":Accounts");
            if (hash is null) continue;
            if (tokens.Any(token => CryptographicOperations.FixedTimeEquals(token.Hash, hash)))
                reader.Problem(key, "another name has the same token; give each its own", "the output of: openssl rand -base64 32");
            else
                tokens.Add(new AccessToken(tokenName, hash, scopes, accounts)
                {
                    Channels = ReadSet(reader, key + ":Channels", lower: true),
                    Platforms = ReadSet(reader, key + ":Platforms", lower: true),
                    Methods = ReadSet(reader, key + ":Methods", lower: false),
                });
        }

        return tokens;
    }

    private static HashSet<string>? ReadSet(SettingsReader reader, string key, bool lower) =>
        reader.List(key)?.Select(name => lower ? name.ToLowerInvariant() : name).ToHashSet(StringComparer.Ordinal);

    private static byte[]? ReadTokenHash(SettingsReader reader, string key)
    {
        if (reader.Text(key + ":TokenHash") is { } text)
        {
            if (reader.Text(key + ":Token") is not null || reader.Text(key + ":TokenFile") is not null)
                reader.Problem(key, "a token and a hash are set; choose one of Token, TokenFile and TokenHash", "TokenFile=/run/secrets/shop");
            if (text.StartsWith("sha256:", StringComparison.OrdinalIgnoreCase)) text = text["sha256:".Length..];
            try
            {
                if (Convert.FromHexString(text) is { Length: SHA256.HashSizeInBytes } hash) return hash;
            }
            catch (FormatException)
            {
                // Said below, with the example.
            }

            reader.Problem(key + ":TokenHash", "the value is not a SHA-256 in hexadecimal (64 digits)", "the output of: printf %s \"$TOKEN\" | sha256sum");
            return null;
        }

        var before = reader.Problems.Count;
        if (ReadOne(reader, key + ":Token", key + ":TokenFile") is { } token) return SHA256.HashData(Encoding.UTF8.GetBytes(token));
        if (reader.Problems.Count == before) reader.Problem(key, "there is no token; set Token, TokenFile or TokenHash", $"{key}:TokenFile=/run/secrets/shop");
        return null;
    }
}
