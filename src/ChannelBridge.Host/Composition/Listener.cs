using System.Net;
using System.Net.Security;
using ChannelBridge.Host.Settings;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// Where the host listens: its own addresses first, then those of <c>Listen:Addresses</c>, whose connections are marked by the server itself, before a byte of a
/// request is read.
/// </summary>
internal static class Listener
{
    /// <summary>Sets the server up.</summary>
    public static void Add(WebApplicationBuilder builder, HostSettings settings)
    {
        if (settings.Urls.Count == 0 && settings.Addresses.Count == 0)
        {
            builder.Services.AddSingleton<IServer, NoListener>();
            return;
        }

        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            RenewedCertificate? shared = null;
            foreach (var url in settings.Urls)
            {
                Listen(options, url, listen =>
                {
                    if (IsHttps(url)) UseHttps(listen, shared ??= Certificate(options, settings.CertificateFile!, settings.CertificateKeyFile));
                });
            }

            foreach (var address in settings.Addresses)
            {
                var mark = address.ToListenAddress();
                Listen(options, address.Url, listen =>
                {
                    listen.Use(next => connection =>
                    {
                        connection.Features.Set(mark);
                        return next(connection);
                    });
                    if (IsHttps(address.Url)) UseHttps(listen, Certificate(options, address.CertificateFile!, address.KeyFile));
                });
            }
        });
    }

    /// <summary>Believes trusted proxies; before anything else looks at a request.</summary>
    public static void UseProxies(WebApplication app, HostSettings settings)
    {
        if (settings.TrustedProxies.Count == 0) return;
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost,
            // As many as are trusted stand between; the first that isn't ends it.
            ForwardLimit = null,
        };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in settings.TrustedProxies) options.KnownIPNetworks.Add(network);
        app.UseForwardedHeaders(options);
    }

    /// <summary>The addresses of the host's own listener, with the real port where the system chose one.</summary>
    public static IReadOnlyList<string> Addresses(WebApplication app, HostSettings settings) => [.. All(app).Take(settings.Urls.Count)];

    /// <summary>The addresses of <c>Listen:Addresses</c> in the same way.</summary>
    public static IEnumerable<(OwnAddress Address, string Url)> OwnAddresses(WebApplication app, HostSettings settings) =>
        settings.Addresses.Zip(All(app).Skip(settings.Urls.Count));

    // In the order in which they were set up.
    private static IEnumerable<string> All(WebApplication app) => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [];

    private static void Listen(KestrelServerOptions options, string url, Action<ListenOptions> configure)
    {
        var address = BindingAddress.Parse(url);
        var host = address.Host.StartsWith('[') ? address.Host[1..^1] : address.Host;
        if (string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)) options.ListenLocalhost(address.Port, configure);
        else if (IPAddress.TryParse(host, out var ip)) options.Listen(ip, address.Port, configure);
        // A name or a star means every address, as with the framework's own setting.
        else options.ListenAnyIP(address.Port, configure);
    }

    private static bool IsHttps(string url) => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    private static RenewedCertificate Certificate(KestrelServerOptions options, string file, string? key) => new(
        file, key, options.ApplicationServices.GetRequiredService<TimeProvider>(), options.ApplicationServices.GetRequiredService<ILogger<RenewedCertificate>>());

    private static void UseHttps(ListenOptions listen, RenewedCertificate certificate) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificateContext = certificate.Current }),
    });
}
