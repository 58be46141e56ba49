using System.Diagnostics;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Sdk;

namespace ChannelBridge.Bench;

/// <summary>A host with <see cref="WorkChannel"/> inside, or with plugins that have it; and the program of such a plugin, which is this program, too.</summary>
internal static class PluginServer
{
    /// <summary>The channel's id, and the plugin's.</summary>
    public const string Name = "work";

    private const string Version = "1.0.0";

    /// <summary>The host. What is inside needs no plugins, and plugins are those of the data folder.</summary>
    public static async Task<int> HostAsync(int port, string data, bool inside)
    {
        var builder = WebServer.New(port);
        var bridge = builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddTransfers(files => files.Folder = Path.Combine(data, "spool"))
            .AddToken("bench", "the-bench-s-token-0123456789", Abstractions.Access.Scopes.Write)
            .AddEndpoints(configure: null, limits: limits =>
            {
                limits.RequestsPerSecondPerToken = 0;
                limits.RequestsPerSecondPerAddress = 0;
            });
        if (inside)
        {
            builder.Services.AddSingleton(new WorkName(Name));
            bridge.AddChannel<WorkChannel>();
        }
        else
        {
            bridge.AddPlugins(new PluginHostOptions { DataFolder = data });
        }

        var app = builder.Build();
        app.MapChannelBridge();
        return await WebServer.RunAsync(app);
    }

    /// <summary>The plugin's program.</summary>
    public static Task<int> PluginAsync(string[] arguments) => PluginProgram.RunAsync(arguments, plugin =>
    {
        plugin.Services.AddSingleton(new WorkName(arguments[1]));
        plugin.AddChannel<WorkChannel>();
    });

    /// <summary>A console program that waits and does nothing, beside which an idle plugin is measured.</summary>
    public static async Task<int> WaitAsync()
    {
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        return 0;
    }

    /// <summary>Puts a plugin into a data folder as an installation does: this program's own files, linked, and a manifest.</summary>
    public static async Task InstallAsync(string data, string id)
    {
        var folder = Path.Combine(data, "plugins", id, Version);
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        // Fifty of them are one on the disk, and in the system's cache.
        var own = AppContext.BaseDirectory;
        using (var copy = Process.Start("sh", ["-c", $"cp -al '{own}' '{folder}' 2>/dev/null || cp -a '{own}' '{folder}'"])) await copy.WaitForExitAsync();
        var manifest = new JsonObject
        {
            ["id"] = id,
            ["version"] = Version,
            ["protocol"] = 1,
            ["channels"] = new JsonArray(new JsonObject { ["id"] = id }),
            ["run"] = new JsonObject { ["dotnet"] = "channelbridge-bench.dll", ["arguments"] = new JsonArray("work-plugin", id) },
            ["endpoints"] = new JsonArray([.. WorkChannel.Endpoints.Select(endpoint => (JsonNode)new JsonObject
            {
                ["verbs"] = new JsonArray(endpoint.Verb),
                ["path"] = $"/{id}/{endpoint.Path}",
                ["access"] = "anonymous",
            })]),
        };
        await File.WriteAllTextAsync(Path.Combine(folder, "channelbridge.plugin.json"), manifest.ToJsonString());
        await File.WriteAllTextAsync(Path.Combine(data, "plugins", id, "state.json"), new JsonObject { ["version"] = Version, ["enabled"] = true }.ToJsonString());
    }
}
