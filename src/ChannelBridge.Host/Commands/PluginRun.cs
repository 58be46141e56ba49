using System.CommandLine;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using Microsoft.Extensions.Logging.Console;

namespace ChannelBridge.Host.Commands;

/// <summary>
/// <c>channelbridge plugin run</c>: a host around one plugin that is being written, with the echo agent and a store of its own. It is started again
/// when a file of it changes.
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

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("run", "Runs a plugin in a host of its own with the echo agent, again whenever a file of it changes; Ctrl+C ends it.")
        {
            Folder, Settings, Data,
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
        Directory.CreateDirectory(data);
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddTransfers(files => files.Folder = Path.Combine(data, "spool"))
            .AddPlugins(new PluginHostOptions { DataFolder = data });
        using var host = builder.Build();
        // Ctrl+C and SIGTERM are the host's once it has started; the command's own token isn't told of them then.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        await host.StartAsync(cancellationToken).ConfigureAwait(false);
        Console.WriteLine($"data: {data}");
        try
        {
            await FollowAsync(host.Services.GetRequiredService<PluginRoom>(), folder, data, settings, end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // Ctrl+C.
        }

        await host.StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private static async Task FollowAsync(PluginRoom room, string folder, string data, string? settings, CancellationToken cancellationToken)
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
