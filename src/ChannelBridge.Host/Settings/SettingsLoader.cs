using System.Text;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Settings;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Endpoints;
using ChannelBridge.Host.Composition;
using LinkOptions = ChannelBridge.OpenClaw.LinkOptions;
using LinkSettings = ChannelBridge.OpenClaw.LinkSettings;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// Merges <c>appsettings.json</c> beside the program, <c>appsettings.json</c> in the data folder, <c>CHANNELBRIDGE__…</c> and the command line
/// (later ones win), and validates all of it in one go.
/// </summary>
internal static class SettingsLoader
{
    /// <summary>The prefix of environment variables.</summary>
    public const string EnvironmentPrefix = "CHANNELBRIDGE__";

    /// <summary>The name of settings files.</summary>
    public const string SettingsFile = "appsettings.json";

    /// <summary>Reads and checks.</summary>
    /// <param name="commandLine">Keys that options of the command line set.</param>
    /// <param name="programDirectory">Where the shipped <c>appsettings.json</c> lies.</param>
    /// <param name="environment">The environment; null: the process's own.</param>
    /// <exception cref="SettingsException">At least one value doesn't fit.</exception>
    public static HostSettings Load(
        IReadOnlyDictionary<string, string?> commandLine, string? programDirectory = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var report = Inspect(commandLine, programDirectory, environment);
        return report.Settings is { } settings && report.Problems.Count == 0
            ? settings
            : throw new SettingsException([.. report.Problems, .. report.Warnings]);
    }

    /// <summary>Reads and checks, and tells what was found where, whatever is wrong with it.</summary>
    public static SettingsReport Inspect(
        IReadOnlyDictionary<string, string?> commandLine, string? programDirectory = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var catalog = SettingsCatalog.Index;
        var variables = environment ?? EnvironmentSettings.OfProcess();
        var shipped = Path.Combine(programDirectory ?? AppContext.BaseDirectory, SettingsFile);
        var problems = new List<string>();
        var outer = new[]
        {
            EnvironmentSettings.Aliases(variables, HostComposition.ChannelSettings),
            EnvironmentSettings.Own(variables),
            SettingsLayer.OfCommandLine(commandLine),
        };

        // Where the data folder is decides which file is read; it can't stand in that file itself.
        var program = JsonSettings.Read(shipped, isTrusted: true, catalog, problems);
        var chosen = MergedSettings.Merge([program, .. outer], catalog).Get("Store:Data");
        var data = string.IsNullOrWhiteSpace(chosen) ? Defaults.DataDirectory() : SettingText.FullPath(chosen.Trim());
        if (data is null)
            problems.Add("Store:Data (--data): this user has no home folder, so the data folder must be named; example: --data /var/lib/channelbridge");
        else if (File.Exists(data))
            problems.Add($"Store:Data (--data): {SettingText.Show(data)} is a file, not a folder; example: --data /var/lib/channelbridge");
        if (problems.Count > 0 && (data is null || File.Exists(data))) return new SettingsReport(MergedSettings.Merge([program, .. outer], catalog), null, problems, []);

        var own = JsonSettings.Read(Path.Combine(data!, SettingsFile), isTrusted: false, catalog, problems);
        var merged = MergedSettings.Merge([program, own, .. outer], catalog);
        if (own.Values.ContainsKey("Store:Data"))
            problems.Add(
                $"Store:Data: it can't stand in the data folder's own {SettingsFile}; set it on the command line, or as "
                    + "CHANNELBRIDGE__STORE__DATA; example: --data /var/lib/channelbridge");
        var reader = new SettingsReader(merged, new HostFacts { DataDirectory = data });
        catalog.CheckShapes(merged, reader);
        var settings = Read(reader, merged, data!);
        IReadOnlyList<string> warnings = [.. reader.Warnings, .. UnknownKeys.Find(merged, catalog), .. EnvironmentSettings.Unknown(variables, merged, catalog)];
        return new SettingsReport(merged, settings with { Warnings = warnings }, [.. problems, .. reader.Problems], warnings);
    }

    private static HostSettings Read(SettingsReader reader, MergedSettings merged, string dataDirectory)
    {
        var urls = ReadUrls(reader);
        var socket = ReadSocket(reader, dataDirectory);
        var stdio = reader.Flag("Listen:Stdio", false);
        var managed = reader.Flag("Listen:Managed", false);
        if (managed && stdio) reader.Problem("Listen:Managed", "standard input can't both carry the protocol and tell that the parent lives", "false");
        if (urls.Count == 0 && socket is null && !stdio)
            reader.Problem("Listen:Urls", "every listener is off, so the host could not be reached", Defaults.Url);

        var certificate = reader.Text("Listen:CertificateFile");
        var certificateKey = reader.Text("Listen:CertificateKeyFile");
        if (certificate is null && urls.Any(url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase)))
            reader.Problem("Listen:CertificateFile", "an https address needs a certificate", "/etc/channelbridge/tls.crt");
        CheckFile(reader, "Listen:CertificateFile", certificate, "/etc/channelbridge/tls.crt");
        CheckFile(reader, "Listen:CertificateKeyFile", certificateKey, "/etc/channelbridge/tls.key");

        var agents = AgentSettings.Read(reader);
        reader.Facts = reader.Facts with { Agents = AgentSettings.Names(reader, agents) };
        var agent = reader.Agent("Agents:Default", "echo")!;
        var link = new LinkOptions();
        LinkSettings.Keys.Apply(reader, link);
        var store = StoreSettings.Read(reader, dataDirectory);
        var limits = new EndpointLimits();
        EndpointSettings.Limits.Apply(reader, limits);
        var messaging = ReadMessaging(reader);
        var stop = reader.Duration("Listen:StopTimeout", TimeSpan.FromSeconds(25), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), "25s");
        reader.MustBeLess("Limits:StopGrace", messaging.StopGrace, "Listen:StopTimeout", stop);
        reader.MustBeLess("Limits:StopTimeout", limits.StopTimeout, "Listen:StopTimeout", stop);
        reader.MustBeLess("Agents:openclaw:TurnTimeout", link.TurnTimeout, "Limits:TurnTimeout", messaging.TurnTimeout);
        AgentSettings.CheckTimes(reader, agents, messaging.TurnTimeout);
        var files = new TransferOptions { Folder = Path.Combine(dataDirectory, "spool") };
        TransferSettings.Keys.Apply(reader, files);
        var responses = new ResponseOptions { DefaultAgent = agent, Directory = Path.Combine(dataDirectory, "responses") };
        ResponseSettings.Keys.Apply(reader, responses);
        var secrets = SecretFiles.Of(merged, dataDirectory, files, store);
        files.Refused = [.. secrets];
        reader.Facts = reader.Facts with { OwnFiles = secrets };
        foreach (var key in new[] { "Store:Files:Roots", "Channels:InstaClaw:ArtifactRoots" })
        {
            foreach (var warning in SecretFiles.Warnings(key, (reader.List(key) ?? []).Select(SettingText.FullPath), secrets)) reader.Warn(warning);
        }

        foreach (var channel in HostComposition.ChannelSettings) channel.Check(reader);
        return new HostSettings
        {
            Configuration = merged.ToConfiguration(),
            Source = merged,
            Facts = reader.Facts,
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
            StopTimeout = stop,
            FirstToken = TokenSettings.ReadFirst(reader),
            SealKeyFile = SettingText.FullPath(reader.Text("Access:SealKeyFile") ?? Path.Combine(dataDirectory, "key")),
            Tokens = TokenSettings.ReadFurther(reader),
            Devices = TokenSettings.ReadDevices(reader),
            Agent = agent,
            Agents = agents,
            Messaging = messaging,
            Responses = responses,
            Store = store,
            Files = files,
            Link = link,
            Otlp = ReadOtlp(reader),
            LogLevel = Enum.Parse<LogLevel>(reader.Choice("Telemetry:LogLevel", nameof(LogLevel.Information), Enum.GetNames<LogLevel>())),
        };
    }

    private static MessagingOptions ReadMessaging(SettingsReader reader)
    {
        var options = new MessagingOptions();
        MessagingSettings.Limits.Apply(reader, options);
        if (reader.IsSet("Limits:TurnAttempts")) reader.Warn("Limits:TurnAttempts: ignored; how long a message is tried again is Limits:TurnPatience, a time");
        foreach (var channel in HostComposition.ChannelSettings) ChannelDeliveries.Take(channel, reader, options);
        return options;
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
                reader.Problem("Listen:Urls", $"{SettingText.Show(url)} is not an http or https address", Defaults.Url);
            else if (uri.PathAndQuery != "/")
                reader.Problem("Listen:Urls", $"{SettingText.Show(url)} has a path; only scheme, host and port can be chosen", Defaults.Url);
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
        var path = text is null ? Path.Combine(dataDirectory, Defaults.SocketFile) : SettingText.FullPath(text);

        // sockaddr_un.sun_path holds 108 bytes with the final zero on Linux, 104 on macOS.
        var longest = OperatingSystem.IsLinux() ? 107 : 103;
        if (!OperatingSystem.IsWindows() && Encoding.UTF8.GetByteCount(path) > longest)
            reader.Problem(Key,
                $"{SettingText.Show(path)} is longer than the {longest} bytes that a Unix socket's path may have; choose a shorter data "
                    + "folder or name the socket", "/run/channelbridge.sock");
        return path;
    }

    private static List<string> ReadOrigins(SettingsReader reader)
    {
        const string Key = "Listen:AllowedOrigins";
        var origins = new List<string>();
        foreach (var origin in reader.List(Key) ?? [])
        {
            if (origin == "*" || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")) origins.Add(origin.TrimEnd('/'));
            else reader.Problem(Key, $"{SettingText.Show(origin)} is not an origin", "https://ops.example.org");
        }

        return origins;
    }

    private static void CheckFile(SettingsReader reader, string key, string? path, string example)
    {
        if (path is not null && !File.Exists(path)) reader.Problem(key, $"the file {SettingText.Show(path)} does not exist", example);
    }

    private static Uri? ReadOtlp(SettingsReader reader)
    {
        const string Key = "Telemetry:Otlp";
        if (reader.Text(Key) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https") return uri;
        reader.Problem(Key, $"{SettingText.Show(text)} is not an http or https address", "http://127.0.0.1:4318");
        return null;
    }
}
