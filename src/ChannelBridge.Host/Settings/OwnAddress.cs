using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Endpoints.Contributed;

namespace ChannelBridge.Host.Settings;

/// <summary>One of <c>Listen:Addresses</c>: where only some channels' endpoints answer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Url">Where it listens.</param>
/// <param name="CertificateFile">The PEM file of its certificate, or null.</param>
/// <param name="KeyFile">The PEM file of the private key, or null when it is in the same file.</param>
/// <param name="Channels">The channels, in lower case.</param>
internal sealed record OwnAddress(string Name, string Url, string? CertificateFile, string? KeyFile, IReadOnlyList<string> Channels)
{
    private const string Prefix = "Listen:Addresses";

    /// <summary>The keys.</summary>
    public static readonly IReadOnlyList<Setting> Keys =
    [
        new("Listen:Addresses:<name>:Url", "none", "An address on which only the endpoints of the named channels and `/healthz` answer.", "http://127.0.0.1:7789"),
        new("Listen:Addresses:<name>:CertificateFile", "none", "PEM file with its certificate (chain); a renewed file is taken without a restart.", "/etc/channelbridge/a2a.crt"),
        new("Listen:Addresses:<name>:KeyFile", "none", "PEM file with the private key; none when the certificate's file holds it.", "/etc/channelbridge/a2a.key"),
        new("Listen:Addresses:<name>:Channels", "none", "The channels whose endpoints answer there.", "a2a") { Kind = SettingKind.List },
    ];

    /// <summary>As the doors know it.</summary>
    public ListenAddress ToListenAddress() => new(Name, Channels);

    /// <summary>True for an http or https address without a path; <c>*</c> and <c>+</c> stand for every address.</summary>
    public static bool IsListenUrl(string url)
    {
        var plain = url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        return Uri.TryCreate(plain, UriKind.Absolute, out var uri) && uri.Scheme is ("http" or "https") && uri.PathAndQuery == "/";
    }

    /// <summary>Reads all of them.</summary>
    public static IReadOnlyList<OwnAddress> Read(SettingsReader reader)
    {
        var result = new List<OwnAddress>();
        foreach (var name in reader.Source.Children(Prefix))
        {
            var key = $"{Prefix}:{name}";
            var url = reader.Text(key + ":Url");
            if (url is null || !IsListenUrl(url))
            {
                reader.Problem(key + ":Url",
                    url is null ? "an address has a Url" : $"{SettingText.Show(url)} is not an http or https address without a path",
                    "https://0.0.0.0:8443");
                continue;
            }

            var certificate = reader.Text(key + ":CertificateFile");
            var keyFile = reader.Text(key + ":KeyFile");
            if (certificate is null && url.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
                reader.Problem(key + ":CertificateFile", "an https address needs a certificate", "/etc/channelbridge/a2a.crt");
            foreach (var (part, file) in new[] { ("CertificateFile", certificate), ("KeyFile", keyFile) })
            {
                if (file is not null && !File.Exists(file)) reader.Problem($"{key}:{part}", $"there is no file {SettingText.Show(file)}", "/etc/channelbridge/a2a.crt");
            }

            var channels = reader.List(key + ":Channels");
            if (channels is null) reader.Problem(key + ":Channels", "an address names the channels whose endpoints answer there", "a2a");
            else result.Add(new OwnAddress(name, url, certificate, keyFile, [.. channels.Select(channel => channel.ToLowerInvariant()).Distinct()]));
        }

        return result;
    }
}
