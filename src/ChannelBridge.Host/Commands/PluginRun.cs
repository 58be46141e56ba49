using System.CommandLine;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access;
using ChannelBridge.Host.Composition;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using Microsoft.Extensions.Logging.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// <c>channelbridge plugin run</c>: a host around one plugin that is being written, with the echo agent, a store of its own, and a listener on loopback
/// for its endpoints. It is started again when a file of it changes.
/// </summary>
internal static class PluginRun
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(300);
    private static readonly Argument<string> Folder = new("FOLDER") { Description = "The plugin's folder, with channelbridge.plugin.json in it" };
    private static readonly Option<string?> Settings = new("--settings")
    {
        Description = "A JSON file with the plugin's settings, as they would stand under Plugins:ID:Settings",
        HelpName = "FILE",
    };

    private static readonly Option<string?> Data = new("--data", "-d")
    {
        Description = "Where messages and the plugin's data are kept [default: a new temporary folder]",
        HelpName = "DIR",
    };

    private static readonly Option<int> Port = new("--port")
    {
        Description = "Where the host listens on 127.0.0.1, for the plugin's endpoints [default: a free port]",
        HelpName = "N",
    };

    static PluginRun() => Port.Validators.Add(static result =>
    {
        // What isn't a number has been told already.
        if (int.TryParse(result.Tokens is [var token] ? token.Value : null, out var port) && port is < 0 or > ushort.MaxValue)
            result.AddError($"--port is 0 (a free one) to {ushort.MaxValue}");
    });

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("run", "Runs a plugin in a host of its own with the echo agent, again whenever a file of it changes; Ctrl+C ends it.")
        {
            Folder, Settings, Data, Port,
        };
        command.SetAction((parsed, cancellationToken) => PluginCommand.Guard(() => RunAsync(parsed, cancellationToken)));
        return command;
    }

    private static async Task RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var folder = Path.GetFullPath(parsed.GetValue(Folder)!);
        var data = parsed.GetValue(Data) is { } chosen ? Path.GetFullPath(chosen) : Directory.CreateTempSubdirectory("channelbridge-plugin-").FullName;
        var settings = parsed.GetValue(Settings) is { } file ? Path.GetFullPath(file) : null;
        _ = ManifestReader.ReadFolder(folder);
        OwnerOnly.RestrictNewFiles();
        using var held = DataFolder.Open(data);
        var app = Build(data, held.TakeToken(given: null, out _), parsed.GetValue(Port));
        await using var closing = app.ConfigureAwait(false);
        // Ctrl+C and SIGTERM are the host's once it has started; the command's own token isn't told of them then.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, app.Lifetime.ApplicationStopping);
        await HostRunner.StartAsync(app, stopTimeout: TimeSpan.FromSeconds(10), "--port 0").ConfigureAwait(false);
        var url = app.Urls.First();
        // So that chat, send or plugins logs find it with --data alone.
        HostFile.Write(data, new HostFile(Environment.ProcessId, url));
        Console.WriteLine($"listening: {url}");
        Console.WriteLine($"data: {data} (token in {held.TokenPath})");
        foreach (var warning in held.Warnings) Console.WriteLine($"warning: {warning}");
        try
        {
            await FollowAsync(app.Services.GetRequiredService<PluginRoom>(), folder, data, settings, url, end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // Ctrl+C.
        }

        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private static WebApplication Build(string data, string token, int port)
    {
        // Only what is named here: no settings of the folder that it is started in.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.UseKestrelCore().UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddRoutingCore();
        // The listener waits for its connections, and the lifetime ends them: one after the other, a stop would take its whole time.
        builder.Services.Configure<HostOptions>(options => options.ServicesStopConcurrently = true);
        builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddTransfers(files => files.Folder = Path.Combine(data, "spool"))
            .AddToken(AccessToken.FirstName, token, Scopes.All)
            .AddPlugins(new PluginHostOptions { DataFolder = data })
            .AddEndpoints(options => options.Version = ProductVersion.Text);
        var app = builder.Build();
        app.MapChannelBridge();
        return app;
    }

    private static async Task FollowAsync(PluginRoom room, string folder, string data, string? settings, string url, CancellationToken cancellationToken)
    {
        var changes = Channel.CreateBounded<string>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var watcher = new FileSystemWatcher(folder) { IncludeSubdirectories = true };
        FileSystemEventHandler changed = (_, change) =>
        {
            if (IsSource(folder, data, change.FullPath)) changes.Writer.TryWrite(change.FullPath);
        };
        watcher.Changed += changed;
        watcher.Created += changed;
        watcher.Deleted += changed;
        watcher.Renamed += (_, change) => changed(watcher, change);
        watcher.EnableRaisingEvents = true;
        while (true)
        {
            try
            {
                var manifest = ManifestReader.ReadFolder(folder);
                var given = settings is null ? (JsonElement?)null : JsonSerializer.Deserialize(
                    await File.ReadAllBytesAsync(settings, cancellationToken).ConfigureAwait(false), CommandJson.Default.JsonElement);
                await room.AddAsync(
                    new InstalledPlugin(manifest, folder, Path.Combine(data, "plugin-data", manifest.Id)), new PluginSettings { Settings = given },
                    cancellationToken).ConfigureAwait(false);
                Console.WriteLine($"running: {manifest.Id} {manifest.Version}, its data in {Path.Combine(data, "plugin-data", manifest.Id)}");
                foreach (var endpoint in manifest.Endpoints)
                    Console.WriteLine($"endpoint: {string.Join(", ", endpoint.Verbs)} {url}{endpoint.Path} ({endpoint.Access})");
                foreach (var socket in manifest.Sockets)
                    Console.WriteLine($"socket: ws{url["http".Length..]}{socket.Path} ({socket.Access})");
            }
            catch (Exception fault) when (fault is BridgeException or JsonException or IOException)
            {
                Console.Error.WriteLine($"not started, waiting for a change: {fault.Message}");
            }

            var path = await changes.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            // A build writes many files: it is waited for until it has been quiet for a while.
            do await Task.Delay(Quiet, cancellationToken).ConfigureAwait(false);
            while (changes.Reader.TryRead(out _));
            Console.WriteLine($"changed: {Path.GetRelativePath(folder, path)}");
        }
    }

    // What the plugin itself writes while it runs isn't a change of its sources.
    private static bool IsSource(string folder, string data, string path) =>
        !path.StartsWith(data + Path.DirectorySeparatorChar, StringComparison.Ordinal)
        && !Path.GetRelativePath(folder, path).Split(Path.DirectorySeparatorChar).Any(part => part.StartsWith('.') || part is "__pycache__" or "obj");
}
