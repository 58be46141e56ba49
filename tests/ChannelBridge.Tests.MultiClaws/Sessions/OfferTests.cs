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

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ChannelBridge.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests don't run inside the repository");
    }
}
