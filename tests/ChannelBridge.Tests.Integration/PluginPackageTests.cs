using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.OpenClaw;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// Manifest, entry and host name the same channels, methods and tools: what one of them lacks can't be reached through the gateway.
/// </summary>
public sealed class PluginPackageTests
{
    /// <summary>
    /// Called by operators of the host, never by gateway clients: one speaks to an account's client and waits for a person's program, the other takes over files.
    /// </summary>
    private static readonly string[] NotThroughTheGateway = ["bncr.rpc.call", "multiclaws.import"];

    private static readonly JsonNode Manifest = Read("openclaw.plugin.json");
    private static readonly JsonNode Offers = Read(Path.Combine("plugin-manifest", "offers.json"));

    [Fact]
    public async Task Offers_AreWhatTheHostHas()
    {
        await using var host = await HostProcess.StartAsync();
        await using var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{host.Socket}" });
        await client.ConnectAsync();
        var discovered = JsonNode.Parse((await client.CallAsync("rpc.discover")).Span)!["methods"]!.AsArray();
        var channels = Manifest["channels"]!.AsArray().Select(channel => (string)channel!).ToList();
        var forwarded = discovered
            .Select(method => (Name: (string)method!["name"]!, Scope: (string?)method!["scopes"]?.AsArray().FirstOrDefault()))
            .Where(method => method.Name.Split('.')[0] is var owner && (owner is "responses" or "session" || channels.Contains(owner)))
            .Where(method => !NotThroughTheGateway.Contains(method.Name))
            .OrderBy(method => method.Name, StringComparer.Ordinal);
        var offered = Offers["methods"]!.AsObject().Select(method => (Name: method.Key, Scope: (string?)method.Value)).OrderBy(method => method.Name, StringComparer.Ordinal);
        Assert.Equal(forwarded, offered);

        // The agent's tools are callable as methods, too.
        var tools = Offers["tools"]!.AsObject().Select(tool => tool.Key).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(
            discovered.Select(method => (string)method!["name"]!).Where(name => name.Contains(".tools.", StringComparison.Ordinal))
            .Select(name => name.Split('.')[^1])
            .Concat(discovered.Select(method => (string)method!["name"]!).Where(static name => name is "juji.call" or "juji.capabilities").Select(static name =>
                name.Replace('.', '_')))
            // Those of MultiClaws are compared with the channel's own where the channel is tested.
            .Concat(tools.Where(static name => name.StartsWith("multiclaws_", StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal),
            tools);
        Assert.Equal(Manifest["contracts"]!["tools"]!.AsArray().Select(tool => (string)tool!).Order(StringComparer.Ordinal), tools);
    }

    [Fact]
    public void Manifest_HasOneSchemaForAllChannels()
    {
        var configs = Manifest["channelConfigs"]!.AsObject();
        Assert.Equal(Manifest["channels"]!.AsArray().Select(channel => (string)channel!), configs.Select(config => config.Key));
        Assert.Single(configs.Select(config => config.Value!["schema"]!.ToJsonString()).Distinct());
    }

    [Fact]
    public void Package_TheHostCarriesWhatTheRepositoryHas()
    {
        var package = new PluginPackage();
        Assert.Equal(Manifest["channels"]!.AsArray().Select(channel => (string)channel!), package.Channels);
        var files = Directory.GetFiles(Path.Combine(Repository, "plugin-manifest")).Select(file => $"plugin-manifest/{Path.GetFileName(file)}")
            .Append(PluginPackage.Manifest)
            .ToDictionary(name => name, name => (ReadOnlyMemory<byte>)File.ReadAllBytes(Path.Combine(Repository, name)));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), package.Files.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(PluginPackage.HashOf(files), package.Hash);
    }

    private static string Repository { get; } = FindRepository();

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ChannelBridge.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests don't run inside the repository");
    }

    private static JsonNode Read(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(FindRepository(), name)))!;
}
