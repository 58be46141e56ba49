using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.OpenClaw;

namespace ChannelBridge.Tests.Unit;

/// <summary>The package for the gateway with further channels.</summary>
public sealed class GatewayPackageTests
{
    private static readonly PackagedChannel Chat = new("mychat", "My chat", "A chat.", "Main");
    private static readonly KeyValuePair<string, string>[] Methods = [KeyValuePair.Create("mychat.history", "operator.read")];
    private static readonly PackagedTool[] Tools = [new("mychat_post", "Posts.", new JsonObject { ["type"] = "object" })];

    [Fact]
    public async Task Package_HasTheChannel_ItsMethodsAndTools_AndTheSameBytesAgain()
    {
        var package = new PluginPackage();
        var files = GatewayPackage.Make(package, [Chat], Methods, Tools);
        var manifest = JsonNode.Parse(files[PluginPackage.Manifest].Span)!;
        Assert.Equal([.. package.Channels, "mychat"], GatewayPackage.ChannelsOf(files[PluginPackage.Manifest]));
        Assert.Equal("My chat", (string?)manifest["channelConfigs"]!["mychat"]!["label"]);
        Assert.Equal("Main", (string?)manifest["channelConfigs"]!["mychat"]!["uiHints"]!["accounts"]!["placeholder"]);
        Assert.NotNull(manifest["channelConfigs"]!["mychat"]!["schema"]);
        Assert.Contains("mychat_post", manifest["contracts"]!["tools"]!.AsArray().Select(tool => (string?)tool));
        var offers = JsonNode.Parse(files["plugin-manifest/offers.json"].Span)!;
        Assert.Equal("operator.read", (string?)offers["methods"]!["mychat.history"]);
        Assert.Equal("Posts.", (string?)offers["tools"]!["mychat_post"]!["description"]);
        // All else is as it was.
        Assert.Equal(package.Files.Keys.Order(StringComparer.Ordinal), files.Keys.Order(StringComparer.Ordinal));
        Assert.True(package.Files["plugin-manifest/entry.mjs"].Span.SequenceEqual(files["plugin-manifest/entry.mjs"].Span));

        using var one = new MemoryStream();
        using var two = new MemoryStream();
        await GatewayPackage.WriteAsync(package, files, one);
        await GatewayPackage.WriteAsync(package, GatewayPackage.Make(package, [Chat], Methods, Tools), two);
        Assert.Equal(one.ToArray(), two.ToArray());

        Assert.Equal(PluginPackage.Other, package.Judge(PluginPackage.HashOf(files)));
        package.Expect(files);
        Assert.Equal(PluginPackage.Current, package.Judge(PluginPackage.HashOf(files)));
    }

    [Theory]
    [InlineData("irc")]
    [InlineData("Telegram")]
    [InlineData("bncr")]
    public void IdOfAnother_IsRefused(string id) =>
        Assert.Equal(ErrorCodes.Conflict, Assert.Throws<BridgeException>(() => GatewayPackage.Make(new PluginPackage(), [Chat with { Id = id }], [], [])).Code);

    [Fact]
    public void NoChannel_GivesTheBuiltInPackage()
    {
        var package = new PluginPackage();
        Assert.Equal(package.Hash, PluginPackage.HashOf(GatewayPackage.Make(package, [], [], [])));
    }
}
