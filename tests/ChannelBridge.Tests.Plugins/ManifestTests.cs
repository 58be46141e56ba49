using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Tests.Plugins;

public sealed class ManifestTests
{
    internal const string Whole = """
        {
          "$schema": "https://example.org/plugin.schema.json",
          "id": "my-chat", "version": "1.2.3-beta.1", "protocol": 1, "summary": "A chat.",
          "channels": [{ "id": "mychat", "label": "My chat", "send": false }, { "id": "other" }],
          "run": { "command": ["./run.sh", "--x"] },
          "methods": [{ "name": "mychat.history", "scope": "operator.read", "summary": "What was said.",
            "params": { "type": "object", "properties": { "room": { "type": "string" } } }, "result": { "type": "array" } }],
          "tools": [{ "name": "mychat_post", "summary": "Posts.", "arguments": { "type": "object" } }],
          "events": ["other.joined"],
          "settings": { "type": "object", "additionalProperties": false, "required": ["server"],
            "properties": { "server": { "type": "string", "label": "Server" }, "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
              "password": { "type": "string", "secret": true } } },
          "permissions": { "agents": ["echo"], "records": ["shared.names"] }
        }
        """;

    /// <summary>Guards against a folder as a shell completes it: its program wasn't found.</summary>
    [Fact]
    public void Folder_WithASeparatorAtItsEnd_IsTheSame()
    {
        var folder = Scratch.NewFolder("manifest");
        File.WriteAllText(Path.Combine(folder, "channelbridge.plugin.json"), Whole);
        File.WriteAllText(Path.Combine(folder, "run.sh"), "");
        Assert.Equal("my-chat", ManifestReader.ReadFolder(folder).Id);
        Assert.Equal("my-chat", ManifestReader.ReadFolder(folder + Path.DirectorySeparatorChar).Id);
    }

    [Fact]
    public void WholeManifest_IsRead()
    {
        var manifest = Read(Whole);
        Assert.Equal("my-chat", manifest.Id);
        Assert.Equal(["mychat", "other"], manifest.Channels.Select(channel => channel.Id));
        Assert.False(manifest.Channels[0].Send);
        Assert.True(manifest.Channels[1].Send);
        Assert.Equal(["./run.sh", "--x"], manifest.Run.Command);
        Assert.Equal("operator.read", manifest.Methods[0].Scope);
        Assert.Equal(["echo"], manifest.Permissions.Agents);
    }

    [Theory]
    [InlineData("$.id", "\"id\":\"../x\"")]
    [InlineData("$.id", "\"id\":\"UPPER\"")]
    [InlineData("$.id", "\"id\":\"con\\u0000\"")]
    [InlineData("$.version", "\"version\":\"1.0\"")]
    [InlineData("$.version", "\"version\":\"1.0.0/../../x\"")]
    [InlineData("$.protocol", "\"protocol\":\"1\"")]
    [InlineData("$.protocol", "\"protocol\":2")]
    [InlineData("$.protocol", "\"protocol\":0")]
    [InlineData("$.colour", "\"colour\":\"red\"")]
    [InlineData("$.channels", "\"channels\":[]")]
    [InlineData("$.channels[1].id", "\"channels\":[{\"id\":\"mychat\"},{\"id\":\"mychat\"}]")]
    [InlineData("$.channels[0].x", "\"channels\":[{\"id\":\"mychat\",\"x\":1}]")]
    [InlineData("$.channels[0].id", "\"channels\":[{\"id\":\"bncr\"}]")]
    [InlineData("$.run", "\"run\":{}")]
    [InlineData("$.run.dotnet", "\"run\":{\"dotnet\":\"/usr/lib/x.dll\"}")]
    [InlineData("$.run.dotnet", "\"run\":{\"dotnet\":\"a/../../x.dll\"}")]
    [InlineData("$.run.command", "\"run\":{\"command\":[]}")]
    [InlineData("$.run.command[1]", "\"run\":{\"command\":[\"a\",7]}")]
    [InlineData("$.methods[0].scope", "\"methods\":[{\"name\":\"mychat.a\",\"scope\":\"link\",\"summary\":\"s\"}]")]
    [InlineData("$.methods[0].name", "\"methods\":[{\"name\":\"bncr.inbound\",\"scope\":\"operator.read\",\"summary\":\"s\"}]")]
    [InlineData(
        "$.methods[1].name",
        "\"methods\":[{\"name\":\"mychat.a\",\"scope\":\"operator.read\",\"summary\":\"s\"},{\"name\":\"mychat.a\",\"scope\":\"operator.read\",\"summary\":\"s\"}]")]
    [InlineData(
        "$.methods[0].params.allOf",
        "\"methods\":[{\"name\":\"mychat.a\",\"scope\":\"operator.read\",\"summary\":\"s\",\"params\":{\"allOf\":[]}}]")]
    [InlineData("$.settings.properties.a.pattern", "\"settings\":{\"properties\":{\"a\":{\"pattern\":\"(\"}}}")]
    [InlineData("$.settings.required", "\"settings\":{\"required\":true}")]
    [InlineData("$.events[0]", "\"events\":[\"elsewhere.a\"]")]
    [InlineData("$.permissions.agents[1]", "\"permissions\":{\"agents\":[\"a\",\"a\"]}")]
    [InlineData("$.permissions.root", "\"permissions\":{\"root\":true}")]
    public void Fault_IsToldWithItsPlace(string place, string member)
    {
        var fault = Assert.Throws<ManifestException>(() => Read(With(member)));
        Assert.Contains(place, fault.Faults.Select(one => one.Place));
        Assert.Contains(place, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryFault_IsToldAtOnce()
    {
        var fault = Assert.Throws<ManifestException>(() => Read("""{"id":7,"channels":[{}],"run":{"command":[""]},"x":1}"""));
        Assert.Equal(
            ["$", "$", "$.channels[0]", "$.id", "$.run.command[0]", "$.x"],
            fault.Faults.Select(one => one.Place).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{\"id\":\n  oops}", "line 2, column")]
    [InlineData("", "line 1, column")]
    [InlineData("{} {}", "line 1, column")]
    [InlineData("[1]", "$")]
    public void TextThatIsNoManifest_IsRefused(string text, string place) =>
        Assert.StartsWith(place, Assert.Throws<ManifestException>(() => Read(text)).Faults[0].Place, StringComparison.Ordinal);

    [Fact]
    public void DuplicateMember_IsRefused() =>
        Assert.Contains(
            "$.id",
            Assert.Throws<ManifestException>(
                () => Read(Whole.Replace("\"summary\"", "\"id\":\"my-chat\",\"summary\"", StringComparison.Ordinal)))
            .Faults.Select(one => one.Place));

    [Fact]
    public void Folder_MustHaveWhatIsRun_InsideItself()
    {
        var folder = Scratch.NewFolder("manifest");
        Assert.Contains(
            "no such file", Assert.Throws<ManifestException>(() => ManifestReader.ReadFolder(folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, PluginManifest.FileName), Whole);
        Assert.Equal("$.run.command[0]", Assert.Throws<ManifestException>(() => ManifestReader.ReadFolder(folder)).Faults[0].Place);
        File.WriteAllText(Path.Combine(folder, "run.sh"), "");
        Assert.Equal("my-chat", ManifestReader.ReadFolder(folder).Id);
        if (OperatingSystem.IsWindows()) return;
        File.Delete(Path.Combine(folder, "run.sh"));
        File.CreateSymbolicLink(Path.Combine(folder, "run.sh"), "/bin/sh");
        Assert.Equal("$.run.command[0]", Assert.Throws<ManifestException>(() => ManifestReader.ReadFolder(folder)).Faults[0].Place);
    }

    [Theory]
    [InlineData("/bin/sh")]
    [InlineData("../run.sh")]
    [InlineData("no-such-program-here")]
    public void Command_MustBeThere_AndNotOutside(string program)
    {
        var folder = Scratch.NewFolder("manifest");
        File.WriteAllText(Path.Combine(folder, PluginManifest.FileName), With($"\"run\":{{\"command\":[\"{program}\"]}}"));
        Assert.Equal("$.run.command[0]", Assert.Throws<ManifestException>(() => ManifestReader.ReadFolder(folder)).Faults[0].Place);
    }

    [Theory]
    [InlineData("""{"server":"irc.example.org","port":6667}""", null)]
    [InlineData("""{"port":6667}""", "$")]
    [InlineData("""{"server":"x","port":0}""", "$.port")]
    [InlineData("""{"server":"x","port":1.5}""", "$.port")]
    [InlineData("""{"server":"x","pasword":"y"}""", "$.pasword")]
    [InlineData("""7""", "$")]
    public void Settings_AreCheckedAgainstTheManifest(string settings, string? place)
    {
        using var document = JsonDocument.Parse(settings);
        Assert.Equal(place, ManifestReader.CheckSettings(Read(Whole), document.RootElement) is [var fault, ..] ? fault.Place : null);
    }

    [Fact]
    public void PublishedSchema_SaysNothingThatIsNotChecked()
    {
        using var document = JsonDocument.Parse(ManifestReader.Schema);
        var faults = new List<SchemaFault>();
        SchemaKeywords.Check(document.RootElement, "$", faults);
        Assert.Empty(faults);
    }

    private static PluginManifest Read(string text) =>
        ManifestReader.Read(Encoding.UTF8.GetBytes(text), "test", new HashSet<string> { "bncr" });

    private static string With(string member)
    {
        var manifest = JsonNode.Parse("""
            {"id":"my-chat","version":"1.0.0","protocol":1,"channels":[{"id":"mychat"}],"run":{"command":["sh"]}}
            """)!.AsObject();
        foreach (var (name, value) in JsonNode.Parse($"{{{member}}}")!.AsObject()) manifest[name] = value?.DeepClone();
        return manifest.ToJsonString();
    }
}
