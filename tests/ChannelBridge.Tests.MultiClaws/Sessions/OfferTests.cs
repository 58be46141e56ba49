using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>What the OpenClaw plugin offers of the sessions is what the channel has.</summary>
public sealed class OfferTests
{
    [Fact]
    public async Task The_plugin_offers_the_tools_as_the_channel_has_them()
    {
        var offers = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Repository(), "plugin-manifest", "offers.json")))!["tools"]!.AsObject();
        await using var lab = await SessionLab.StartAsync();
        foreach (var tool in lab.Channel.Tools)
        {
            var offer = offers[tool.Name]!;
            Assert.Equal(tool.Summary, (string?)offer["description"]);
            Assert.False((bool)offer["parameters"]!["additionalProperties"]!);
            var (ours, theirs) = (tool.ArgumentsSchema["properties"]!.AsObject(), offer["parameters"]!["properties"]!.AsObject());
            Assert.Equal(ours.Select(static one => one.Key).Order(), theirs.Select(static one => one.Key).Order());
            Assert.All(ours, static one => Assert.NotEmpty((string?)one.Value!["description"] ?? ""));
            var required = tool.ArgumentsSchema["required"]?.AsArray().Select(static name => (string)name!) ?? [];
            Assert.Equal(required.Order(), offer["parameters"]!["required"]!.AsArray().Select(static name => (string)name!).Order());
        }
    }

    /// <summary>The published plugin put tools of the gateway that start sessions on its list of what anybody with its token may call, to get at its own agent.</summary>
    [Fact]
    public async Task The_plugin_needs_none_of_the_gateways_own_session_tools_and_changes_no_list_of_them()
    {
        var files = Directory.GetFiles(Path.Combine(Repository(), "plugin-manifest"), "*", SearchOption.AllDirectories)
            .Append(Path.Combine(Repository(), "openclaw.plugin.json")).ToList();
        Assert.Contains(files, static file => file.EndsWith("entry.mjs", StringComparison.Ordinal));
        foreach (var file in files)
        {
            var text = await File.ReadAllTextAsync(file);
            foreach (var word in new[] { "sessions_spawn", "sessions_history", "sessions_send", "tools/invoke", "tools.allow", "gateway.tools", "writeConfig" })
                Assert.False(text.Contains(word, StringComparison.Ordinal), $"{Path.GetFileName(file)} has {word}");
        }
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ChannelBridge.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests don't run inside the repository");
    }
}
