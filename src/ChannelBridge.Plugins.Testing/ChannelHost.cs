using System.Security.Cryptography;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Supervision;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Testing;

/// <summary>
/// A whole host around one channel, with a store of its own and the echo agent, which answers <c>echo: </c> and the text. It is stopped and
/// started again on the same folder. The channel is inside it, or a plugin's process.
/// </summary>
public sealed class ChannelHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Action<IChannelBridgeBuilder, string>? _add;
    private readonly PluginManifest? _manifest;
    private readonly string _source;
    private readonly bool _doors;
    private IHost? _host;

    private ChannelHost(string folder, Action<IChannelBridgeBuilder, string>? add, PluginManifest? manifest, string source, JsonElement? settings, bool doors)
    {
        _doors = doors;
        Folder = Directory.CreateDirectory(folder).FullName;
        _add = add;
        _manifest = manifest;
        _source = source;
        Settings = settings;
        Data = manifest is null ? Folder : Path.Combine(Folder, "plugin-data", manifest.Id);
    }

    /// <summary>The host's folder.</summary>
    public string Folder { get; }

    /// <summary>Where the channel keeps its files: the plugin's data folder, or the host's own.</summary>
    public string Data { get; }

    /// <summary>The plugin's settings, or null.</summary>
    public JsonElement? Settings { get; }

    /// <summary>Where its doors are, for clients and the channel's endpoints; another port after each start. Only with <c>doors</c>, while it runs.</summary>
    public Uri Url => _host is WebApplication { Urls: var urls } ? new Uri(urls.First()) : throw new InvalidOperationException("The host has no doors, or is stopped.");

    /// <summary>What lets in at its doors, to everything.</summary>
    public string Token { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>The host's services, while it runs.</summary>
    public IServiceProvider Services => (_host ?? throw new InvalidOperationException("The host is stopped.")).Services;

    /// <summary>The plugin's manifest, or null inside the host.</summary>
    internal PluginManifest? Manifest => _manifest;

    /// <summary>The channel's process, or null inside the host.</summary>
    public int? Process => _manifest is null ? null : Unit.Supervisor.Status.ProcessId;

    private PluginUnit Unit => Services.GetRequiredService<PluginRoom>().Units.Single();

    /// <summary>A host with the channel inside.</summary>
    /// <param name="folder">An empty folder.</param>
    /// <param name="add">Adds the channel, given the host's folder.</param>
    /// <param name="doors">Listen on loopback, too (<see cref="Url"/>), for a channel that has endpoints or clients.</param>
    public static ChannelHost Around(string folder, Action<IChannelBridgeBuilder, string> add, bool doors = false)
    {
        ArgumentNullException.ThrowIfNull(add);
        return new ChannelHost(folder, add, null, "", null, doors);
    }

    /// <summary>A host with the channel as a plugin's process.</summary>
    /// <param name="folder">An empty folder.</param>
    /// <param name="source">The plugin's folder.</param>
    /// <param name="settings">The plugin's settings, or null for none.</param>
    /// <param name="doors">Listen on loopback, too (<see cref="Url"/>), for a plugin that has endpoints.</param>
    /// <exception cref="Abstractions.Errors.BridgeException">The manifest has faults.</exception>
    public static ChannelHost AroundPlugin(string folder, string source, JsonElement? settings = null, bool doors = false) =>
        new(folder, null, ManifestReader.ReadFolder(source), Path.GetFullPath(source), settings, doors);

    /// <summary>Starts the host and the channel.</summary>
    /// <exception cref="TimeoutException">The plugin's process didn't come up; the message has its last words.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await StartHostAsync(cancellationToken).ConfigureAwait(false);
        if (_manifest is null) return;
        await AddPluginAsync(Settings, cancellationToken).ConfigureAwait(false);
        await RunsAsync(not: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Starts the host with other settings of the plugin than its own, which must not be taken, and stops it again.
    /// </summary>
    /// <param name="settings">The settings.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Why they were refused, by the manifest's schema or by the process, which ended; null when the plugin runs with them.</returns>
    public async Task<string?> RefusalOfAsync(JsonElement settings, CancellationToken cancellationToken = default)
    {
        if (_manifest is null) throw new InvalidOperationException("The settings of a channel inside the host are the host's own.");
        await StartHostAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await AddPluginAsync(settings, cancellationToken).ConfigureAwait(false);
            var state = await Unit.Supervisor.WaitForAsync(cancellationToken, PluginState.Running, PluginState.Waiting, PluginState.Quarantined)
                .WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            return state == PluginState.Running ? null : Unit.Supervisor.Status.LastEnd ?? "";
        }
        catch (ManifestException refused)
        {
            return refused.Message;
        }
        finally
        {
            await StopAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private Task AddPluginAsync(JsonElement? settings, CancellationToken cancellationToken) => Services.GetRequiredService<PluginRoom>()
        .AddAsync(new InstalledPlugin(_manifest!, _source, Data), new PluginSettings { Settings = settings }, cancellationToken);

    private async Task StartHostAsync(CancellationToken cancellationToken)
    {
        if (_doors)
        {
            // Only what is named here: no settings of the folder that the tests run in.
            var web = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            web.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            web.Services.AddRoutingCore();
            web.Logging.SetMinimumLevel(LogLevel.None);
            // The listener waits for its connections, and the lifetime ends them: one after the other, each stop would take its whole time.
            web.Services.Configure<HostOptions>(options => options.ServicesStopConcurrently = true);
            Add(web.Services).AddToken("tests", Token, Scopes.All).AddEndpoints(limits: limits =>
            {
                limits.RequestsPerSecondPerToken = 0;
                limits.RequestsPerSecondPerAddress = 0;
            });
            var app = web.Build();
            app.MapChannelBridge();
            _host = app;
        }
        else
        {
            var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
            builder.Logging.SetMinimumLevel(LogLevel.None);
            Add(builder.Services);
            _host = builder.Build();
        }

        await _host.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    private IChannelBridgeBuilder Add(IServiceCollection services)
    {
        var bridge = services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(Folder, "messages.db"))
            .AddTransfers(files => files.Folder = Path.Combine(Folder, "spool"));
        if (_add is not null) _add(bridge, Folder);
        else bridge.AddPlugins(new PluginHostOptions { DataFolder = Folder, Times = Times() });
        return bridge;
    }

    /// <summary>Stops the host as a service is stopped.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_host is not { } host) return;
        _host = null;
        await host.StopAsync(cancellationToken).ConfigureAwait(false);
        if (host is IAsyncDisposable disposable) await disposable.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Kills the plugin's process and waits for the next one. Inside the host it stops and starts the host.</summary>
    public async Task KillAsync(CancellationToken cancellationToken = default)
    {
        if (Process is not { } process)
        {
            await StopAsync(cancellationToken).ConfigureAwait(false);
            await StartAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        try
        {
            using var found = System.Diagnostics.Process.GetProcessById(process);
            found.Kill();
        }
        catch (ArgumentException)
        {
            // It has ended by itself.
        }

        await RunsAsync(process, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a text to a conversation outside of any turn.</summary>
    public async Task SendAsync(string account, string conversation, string text, string key, CancellationToken cancellationToken = default)
    {
        var channel = Services.GetRequiredService<IRegistry>().Current.Of<IChannel>().Single();
        var target = await channel.ResolveTargetAsync(account, conversation, cancellationToken).ConfigureAwait(false);
        await Services.GetRequiredService<IOutbox>().SendAsync(
            new OutboundMessage { Channel = channel.Id, AccountId = target.AccountId, SessionKey = target.SessionKey, Route = target.Route, Text = text },
            key, cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops the host. Its folder stays.</summary>
    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);

    // A crowded machine isn't a fault of the channel.
    private static SupervisorTimes Times() => new()
    {
        Handshake = Patience,
        Silence = Patience,
        FirstDelay = TimeSpan.FromMilliseconds(10),
        QuarantineStarts = 1000,
    };

    private async Task RunsAsync(int? not, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var unit = Unit;
        try
        {
            while (true)
            {
                await unit.Supervisor.WaitForAsync(both.Token, PluginState.Running).ConfigureAwait(false);
                if (unit.Supervisor.Status.ProcessId is { } process && process != not) return;
                await Task.Delay(10, both.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException fault) when (timeout.IsCancellationRequested)
        {
            var last = string.Join('\n', unit.Lines.Last(20).Select(line => line.Text));
            throw new TimeoutException($"the plugin's process doesn't run: {unit.Supervisor.Status.LastEnd}\n{last}", fault);
        }
    }
}
