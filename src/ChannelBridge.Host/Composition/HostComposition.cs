using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.MultiClaws;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Diagnostics;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;
using ChannelBridge.Plugins.Hosting;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Host.Composition;

/// <summary>Puts the host together from its parts. A new channel or agent is one line here.</summary>
internal static class HostComposition
{
    /// <summary>What the channels have handed over of their settings.</summary>
    public static IReadOnlyList<ChannelSettings> ChannelSettings { get; } = CollectSettings();

    /// <summary>Adds the channels that the host brings.</summary>
    private static void AddChannels(IChannelBridgeBuilder bridge)
    {
        bridge.AddBncr();
        bridge.AddInstaClaw();
        bridge.AddA2A();
        bridge.AddJuji();
        bridge.AddMultiClaws();
        bridge.AddAun();
    }

    /// <summary>Builds the application; nothing is opened yet but the data folder.</summary>
    public static WebApplication Build(HostSettings settings, DataFolder folder, string firstToken, Func<HostSettings>? reload = null)
    {
        RenewedCertificate.Check(settings);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            // No watcher on a settings file: a change takes effect at the next start, and the folder may hold thousands of files.
            Args = ["--hostBuilder:reloadConfigOnChange=false"],
            ContentRootPath = AppContext.BaseDirectory,
            ApplicationName = "channelbridge",
            EnvironmentName = Environments.Production,
        });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddConfiguration(settings.Configuration);
        AddLogging(builder, settings);
        Listener.Add(builder, settings);
        if (settings.Otlp is { } collector) builder.AddTelemetry(collector);

        var services = builder.Services;
        services.Configure<HostOptions>(options =>
        {
            options.ShutdownTimeout = settings.StopTimeout;
            // Kestrel waits for its connections while the lifetime service finishes their work and then ends them; see BridgeLifetime.
            options.ServicesStopConcurrently = true;
        });
        services.AddSingleton(settings);
        services.AddSingleton(folder);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<HostState>();
        services.AddSingleton(provider => new Readiness(
            provider.GetRequiredService<HostState>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<IStore>(),
            provider.GetService<ILaneClaims>()));

        var first = AccessToken.FromToken(AccessToken.FirstName, firstToken, Scopes.All);
        services.AddSingleton(settings.Devices);
        services.AddAccess(
            [first, .. settings.Tokens],
            access =>
            {
                access.Patience = settings.Store.Postgres.ClaimTime;
                access.SealKeyFile = settings.SealKeyFile;
            });
        // Added first, so that the core and the channels take them as they are.
        services.AddSingleton(settings.Source);
        services.AddSingleton(settings.Facts);
        services.AddSingleton(settings.Messaging);
        services.AddSingleton(settings.Responses);
        services.AddSingleton(settings.Files);
        services.AddSingleton(settings.Link);
        settings.Store.AddTo(services);
        services.AddSingleton(_ => PackedPackage.Read(settings.DataDirectory));
        var bridge = services.AddChannelBridge().AddTransfers().AddOpenClaw();
        foreach (var agent in settings.Agents) services.AddProviderAgent(agent);
        AddChannels(bridge);
        if (settings.Facts.Agents?.Contains(AgentSettings.Conformance) is true) bridge.AddA2AConformance();
        bridge.AddPlugins(new PluginHostOptions
        {
            DataFolder = settings.DataDirectory,
            RequireSignature = PluginConfiguration.ReadRequireSignature(settings.Configuration, settings.Urls.Any(IsPublic)),
            SettingsOf = manifest => PluginConfiguration.Read(settings.Configuration, settings.Agent, manifest),
        });
        services.AddContributor<DiagnosticsMethods>();
        services.AddContributor<HostDiagnostics>();
        services.AddContributor<StoreDiagnostics>();
        if (settings.Store.IsShared) services.AddContributor<ClaimsDiagnostics>();
        services.AddContributor<AgentsDiagnostics>();
        services.AddContributor<ChannelsDiagnostics>();
        if (settings.Managed) services.AddHostedService<ParentWatch>();
        services.AddSingleton(new SettingsSource(reload, first));
        services.AddHostedService<Reloader>();
        services.AddSingleton(Options.Create(settings.Limits));
        bridge.AddEndpoints(options =>
        {
            options.SocketPath = settings.Socket;
            options.Stdio = settings.Stdio;
            options.Version = ProductVersion.Text;
            foreach (var origin in settings.AllowedOrigins) options.AllowedOrigins.Add(origin);
            foreach (var host in settings.AllowedHosts) options.AllowedHosts.Add(host);
            foreach (var address in settings.Addresses) options.Addresses.Add(address.ToListenAddress());
        });

        var app = builder.Build();
        var state = app.Services.GetRequiredService<HostState>();
        app.Lifetime.ApplicationStopping.Register(state.Stopping);
        Listener.UseProxies(app, settings);
        app.Services.GetRequiredService<Readiness>().Map(app);
        app.MapChannelBridge();
        return app;
    }

    /// <summary>Settings are checked before there is a host: the channels are asked in a container that nothing is made from.</summary>
    private static List<ChannelSettings> CollectSettings()
    {
        var asked = new AskedForSettings();
        AddChannels(asked);
        return [.. asked.Services.Select(service => service.ImplementationInstance).OfType<ChannelSettings>()];
    }

    private sealed class AskedForSettings : IChannelBridgeBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();
    }

    private static void AddLogging(WebApplicationBuilder builder, HostSettings settings)
    {
        builder.Logging.ClearProviders();
        var level = new LogLevelSwitch(settings.LogLevel);
        builder.Services.AddSingleton(level);
        builder.Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(level);
        builder.Services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(level);
        builder.Logging.AddConsole(options => options.FormatterName = LogFormatter.FormatterName);
        builder.Services.AddSingleton<ConsoleFormatter, LogFormatter>();

        // Standard output belongs to the banner, and with --stdio to the protocol.
        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>True when an address can be reached from other machines.</summary>
    public static bool IsPublic(string url)
    {
        var host = url[(url.IndexOf("://", StringComparison.Ordinal) + 3)..];
        host = host.StartsWith('[') ? host[1..host.IndexOf(']', StringComparison.Ordinal)] : host.Split(':', '/')[0];
        if (string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)) return false;
        return !IPAddress.TryParse(host, out var address) || !IPAddress.IsLoopback(address);
    }
}
