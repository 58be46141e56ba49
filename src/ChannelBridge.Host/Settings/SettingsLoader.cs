using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Core.Access;
using ChannelBridge.Endpoints;
using LinkOptions = ChannelBridge.OpenClaw.LinkOptions;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// Merges <c>appsettings.json</c> beside the program, <c>appsettings.json</c> in the data folder, <c>CHANNELBRIDGE__…</c> and the command line
/// (later ones win), and validates all of it in one go.
/// </summary>
internal static class SettingsLoader
{
    /// <summary>The prefix of environment variables.</summary>
    public const string EnvironmentPrefix = "CHANNELBRIDGE__";

    /// <summary>Reads and validates.</summary>
    /// <param name="commandLine">Keys that options of the command line set.</param>
    /// <param name="programDirectory">Where the shipped <c>appsettings.json</c> lies.</param>
    /// <exception cref="SettingsException">At least one value doesn't fit.</exception>
    public static HostSettings Load(IReadOnlyDictionary<string, string?> commandLine, string? programDirectory = null)
    {
        programDirectory ??= AppContext.BaseDirectory;
        var shipped = Path.Combine(programDirectory, "appsettings.json");
        var first = Build(commandLine, shipped, null);
        var dataDirectory = first["Store:Data"] is { Length: > 0 } chosen ? Defaults.FullPath(chosen) : Defaults.DataDirectory();
        if (dataDirectory is null)
            throw new SettingsException(["Store:Data (--data): this user has no home folder, so the data folder must be named; example: --data /var/lib/channelbridge"]);
        if (File.Exists(dataDirectory))
            throw new SettingsException([$"Store:Data (--data): {SettingsReader.Show(dataDirectory)} is a file, not a folder; example: --data /var/lib/channelbridge"]);

        var configuration = Build(commandLine, shipped, Path.Combine(dataDirectory, "appsettings.json"));
        var reader = new SettingsReader(configuration);
        var settings = Read(reader, dataDirectory);
        return reader.Problems.Count == 0 ? settings : throw new SettingsException([.. reader.Problems, .. settings.Warnings]);
    }

    private static IConfigurationRoot Build(IReadOnlyDictionary<string, string?> commandLine, string shipped, string? own)
    {
        var builder = new ConfigurationBuilder();
        foreach (var file in new[] { shipped, own })
        {
            if (file is null || !File.Exists(file)) continue;
            try
            {
                using var stream = File.OpenRead(file);
                // Read now: a file that is no JSON gets its own line instead of a stack trace.
                var content = new MemoryStream();
                stream.CopyTo(content);
                content.Position = 0;
                builder.AddJsonStream(content);
                _ = new ConfigurationBuilder().AddJsonStream(new MemoryStream(content.ToArray())).Build();
            }
            catch (Exception fault) when (fault is JsonException or FormatException or InvalidDataException or IOException or UnauthorizedAccessException)
            {
                var wrong = fault is JsonException or FormatException or InvalidDataException ? "is not valid JSON" : "can't be read";
                throw new SettingsException([$"{file}: {wrong} ({(fault.InnerException ?? fault).Message.ReplaceLineEndings(" ")}); example: {{ \"Listen\": {{ \"Urls\": \"http://127.0.0.1:7788\" }} }}"]);
            }
        }

        return builder.AddInMemoryCollection(InstaClawSettings.FromEnvironment()).AddEnvironmentVariables(EnvironmentPrefix).AddInMemoryCollection(commandLine).Build();
    }

    private static HostSettings Read(SettingsReader reader, string dataDirectory)
    {
        var urls = ReadUrls(reader);
        var socket = ReadSocket(reader, dataDirectory);
        var stdio = reader.Flag("Listen:Stdio", false);
        var managed = reader.Flag("Listen:Managed", false);
        if (managed && stdio) reader.Problem("Listen:Managed", "standard input can't both carry the protocol and tell that the parent lives", "false");
        if (urls.Count == 0 && socket is null && !stdio)
            reader.Problem("Listen:Urls", "every listener is off, so nobody could reach the host", Defaults.Url);

        var certificate = reader.Text("Listen:CertificateFile");
        var certificateKey = reader.Text("Listen:CertificateKeyFile");
        if (certificate is null && urls.Any(url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase)))
            reader.Problem("Listen:CertificateFile", "an https address needs a certificate", "/etc/channelbridge/tls.crt");
        CheckFile(reader, "Listen:CertificateFile", certificate, "/etc/channelbridge/tls.crt");
        CheckFile(reader, "Listen:CertificateKeyFile", certificateKey, "/etc/channelbridge/tls.key");

        var agents = AgentSettings.Read(reader);
        var agent = AgentSettings.ReadName(reader, "Agents:Default", agents, "echo")!;
        var link = new LinkOptions();
        LinkSettings.Keys.Apply(reader, link);
        var store = StoreSettings.Read(reader, dataDirectory);
        var limits = new EndpointLimits();
        EndpointSettings.Limits.Apply(reader, limits);
        return new HostSettings
        {
            Configuration = reader.Configuration,
            DataDirectory = dataDirectory,
            Urls = urls,
            Socket = socket,
            Stdio = stdio,
            Managed = managed,
            AllowedOrigins = ReadOrigins(reader),
            Addresses = OwnAddress.Read(reader),
            TrustedProxies = ProxySettings.ReadProxies(reader),
            AllowedHosts = ProxySettings.ReadHosts(reader),
            Limits = limits,
            CertificateFile = certificate,
            CertificateKeyFile = certificateKey,
            StopTimeout = reader.Duration("Listen:StopTimeout", TimeSpan.FromSeconds(25), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), "25s"),
            FirstToken = ReadToken(reader, "Access:Token", "Access:TokenFile"),
            Tokens = ReadTokens(reader),
            Agent = agent,
            Agents = agents,
            Messaging = MessagingSettings.Read(reader),
            Responses = ResponseSettings.Read(reader, dataDirectory, agent),
            Store = store,
            Files = FileSettings.Read(reader, dataDirectory),
            Bncr = BncrSettings.Read(reader, agent, agents),
            InstaClaw = InstaClawSettings.Read(reader, agent, agents, dataDirectory),
            Link = link,
            Otlp = ReadOtlp(reader),
            LogLevel = Enum.Parse<LogLevel>(reader.Choice("Telemetry:LogLevel", nameof(LogLevel.Information), Enum.GetNames<LogLevel>())),
            Warnings = [.. reader.Warnings, .. reader.FindUnknown(SettingsCatalog.All, SettingsCatalog.Sections)],
        };
    }

    private static List<string> ReadUrls(SettingsReader reader)
    {
        var result = new List<string>();
        foreach (var url in reader.List("Listen:Urls") ?? [Defaults.Url])
        {
            if (string.Equals(url, "off", StringComparison.OrdinalIgnoreCase)) continue;
            // Kestrel's * and + mean every address; Uri knows neither.
            var plain = url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
            if (!Uri.TryCreate(plain, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                reader.Problem("Listen:Urls", $"{SettingsReader.Show(url)} is not an http or https address", Defaults.Url);
            else if (uri.PathAndQuery != "/")
                reader.Problem("Listen:Urls", $"{SettingsReader.Show(url)} has a path; only scheme, host and port can be chosen", Defaults.Url);
            else
                result.Add(url);
        }

        return result;
    }

    private static string? ReadSocket(SettingsReader reader, string dataDirectory)
    {
        const string Key = "Listen:Socket";
        var text = reader.Text(Key);
        if (string.Equals(text, "off", StringComparison.OrdinalIgnoreCase)) return null;
        var path = text is null ? Path.Combine(dataDirectory, Defaults.SocketFile) : Defaults.FullPath(text);

        // sockaddr_un.sun_path holds 108 bytes with the final zero on Linux, 104 on macOS.
        var longest = OperatingSystem.IsLinux() ? 107 : 103;
        if (!OperatingSystem.IsWindows() && Encoding.UTF8.GetByteCount(path) > longest)
            reader.Problem(Key, $"{SettingsReader.Show(path)} is longer than the {longest} bytes that a Unix socket's path may have; choose a shorter data folder or name the socket", "/run/channelbridge.sock");
        return path;
    }

    private static List<string> ReadOrigins(SettingsReader reader)
    {
        const string Key = "Listen:AllowedOrigins";
        var origins = new List<string>();
        foreach (var origin in reader.List(Key) ?? [])
        {
            if (origin == "*" || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")) origins.Add(origin.TrimEnd('/'));
            else reader.Problem(Key, $"{SettingsReader.Show(origin)} is no origin", "https://ops.example.org");
        }

        return origins;
    }

    private static void CheckFile(SettingsReader reader, string key, string? path, string example)
    {
        if (path is not null && !File.Exists(path)) reader.Problem(key, $"there is no file {SettingsReader.Show(path)}", example);
    }

    private static string? ReadToken(SettingsReader reader, string key, string fileKey)
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
                token = File.ReadLines(Defaults.FullPath(file)).FirstOrDefault()?.Trim();
                if (string.IsNullOrEmpty(token)) reader.Problem(fileKey, $"the first line of {SettingsReader.Show(file)} is empty", "/run/secrets/channelbridge-token");
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                reader.Problem(fileKey, $"{SettingsReader.Show(file)} can't be read ({fault.Message.ReplaceLineEndings(" ")})", "/run/secrets/channelbridge-token");
                return null;
            }
        }

        if (string.IsNullOrEmpty(token)) return null;

        // The message must not repeat the token: it may end up in a log.
        var wrong = token.Length > AccessToken.MaxLength ? $"the token has more than {AccessToken.MaxLength} characters"
            : token.Any(c => c is <= ' ' or > '~') ? "the token has characters other than printable ASCII without spaces"
            : null;
        if (wrong is null)
        {
            if (token.Length < Defaults.SafeTokenLength)
                reader.Warn($"{source}: the token has {token.Length} characters and may be guessed; take {Defaults.SafeTokenLength} or more");
            return token;
        }

        reader.Problem(source, wrong, "the output of: openssl rand -base64 32");
        return null;
    }

    /// <summary>Names by which the host itself tells callers apart: those of the gateway's clients begin with <c>gateway/</c>.</summary>
    private static bool IsTaken(string name) =>
        string.Equals(name, AccessToken.FirstName, StringComparison.OrdinalIgnoreCase)
        || string.Equals(name, "local", StringComparison.OrdinalIgnoreCase)
        || string.Equals(name, "gateway", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("gateway/", StringComparison.OrdinalIgnoreCase);

    private static List<AccessToken> ReadTokens(SettingsReader reader)
    {
        var tokens = new List<AccessToken>();
        foreach (var section in reader.Configuration.GetSection("Access:Tokens").GetChildren())
        {
            var key = section.Path;
            if (IsTaken(section.Key))
            {
                reader.Problem(key, $"the name '{section.Key}' is taken by the host itself; choose another", "Access:Tokens:shop:TokenFile=/run/secrets/shop");
                continue;
            }

            var hash = ReadTokenHash(reader, key);
            var scopes = Scopes.None;
            foreach (var name in reader.List(key + ":Scopes") ?? [ScopeNames.Read, ScopeNames.Write])
            {
                var scope = ScopeNames.Parse(name);
                if (scope == Scopes.None)
                    reader.Problem(key + ":Scopes", $"{SettingsReader.Show(name)} is none of operator.read, operator.write, operator.admin, link, peer", "operator.write");
                scopes |= scope;
            }

            var accounts = reader.List(key + ":Accounts");
            if (hash is null) continue;
            if (tokens.Any(token => CryptographicOperations.FixedTimeEquals(token.Hash, hash)))
                reader.Problem(key, "another name has the same token; give each its own", "the output of: openssl rand -base64 32");
            else
                tokens.Add(new AccessToken(section.Key, hash, scopes, accounts)
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
        if (ReadToken(reader, key + ":Token", key + ":TokenFile") is { } token) return SHA256.HashData(Encoding.UTF8.GetBytes(token));
        if (reader.Problems.Count == before) reader.Problem(key, "there is no token; set Token, TokenFile or TokenHash", $"{key}:TokenFile=/run/secrets/shop");
        return null;
    }

    private static Uri? ReadOtlp(SettingsReader reader)
    {
        const string Key = "Telemetry:Otlp";
        if (reader.Text(Key) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https") return uri;
        reader.Problem(Key, $"{SettingsReader.Show(text)} is not an http or https address", "http://127.0.0.1:4318");
        return null;
    }
}
