using ChannelBridge.Agents;
using ChannelBridge.Host.Commands;
using ChannelBridge.Host.Settings;
using Microsoft.Extensions.Configuration;

namespace ChannelBridge.Tests.Unit.Host;

public sealed class AgentSettingsTests
{
    [Theory]
    [InlineData("chat-completions=http://127.0.0.1:11434/v1", "chat-completions", AgentKind.ChatCompletions, "http://127.0.0.1:11434/v1")]
    [InlineData("responses=https://api.example.org/v1/responses?a=b", "responses", AgentKind.Responses, "https://api.example.org/v1/responses?a=b")]
    public void Serve_AgentWithUrl_IsTheDefaultAgent(string option, string name, AgentKind kind, string url)
    {
        var settings = Load("serve", "--agent", option, "--agent-model", "m1");
        Assert.Equal(name, settings.Agent);
        Assert.Equal(name, settings.Bncr().Agent);
        var agent = Assert.Single(settings.Agents);
        Assert.Equal((name, kind, url, "m1"), (agent.Name, agent.Kind, agent.Url!.ToString(), agent.Model));
    }

    [Fact]
    public void Serve_AgentKeyFile_IsOnlyItsPath()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "very-secret\n");
            var settings = Load("serve", "--agent", "responses=http://127.0.0.1:1", "--agent-key-file", file);
            Assert.Equal(file, Assert.Single(settings.Agents).KeyFile);
            Assert.DoesNotContain(settings.Configuration.AsEnumerable(), pair => pair.Value?.Contains("very-secret", StringComparison.Ordinal) == true);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("serve --agent ollama=http://127.0.0.1:1", "'ollama' is not a kind of agent")]
    [InlineData("serve --agent-model m1", "--agent-model: it belongs to an agent behind a URL")]
    [InlineData("serve --agent echo --agent-key-file /k", "--agent-key-file: it belongs to an agent behind a URL")]
    [InlineData("serve --agent chat-completions", "Agents:chat-completions:Url: the agent has no address")]
    [InlineData("serve --agent chat-completions=nonsense", "Agents:chat-completions:Url: this is not an http or https address")]
    [InlineData("serve --agent responses=http://user:pass@127.0.0.1:1", "a key belongs into KeyFile")]
    [InlineData("serve --agent responses=http://127.0.0.1:1 --agent-key-file /nowhere/at/all", "Agents:responses:KeyFile: '/nowhere/at/all' can't be read")]
    [InlineData("serve --agent nobody", "'nobody' is not one of echo, openclaw")]
    public void Serve_AgentThatCantBe_IsRefusedWithWhatToDo(string line, string expected)
    {
        var fault = Assert.Throws<SettingsException>(() => Load(line.Split(' ')));
        Assert.Contains(fault.Problems, problem => problem.Contains(expected, StringComparison.Ordinal));
        Assert.DoesNotContain(fault.Problems, problem => problem.Contains("pass@", StringComparison.Ordinal));
    }

    [Fact]
    public void Settings_SeveralAgents_AreChosenPerChannelAndAccount()
    {
        var settings = Load(
            ("Agents:Default", "local"),
            ("Agents:local:Kind", "chat-completions"),
            ("Agents:local:Url", "http://127.0.0.1:11434"),
            ("Agents:local:Instructions", "Be kind."),
            ("Agents:local:IdleTimeout", "5s"),
            ("Agents:big:Kind", "responses"),
            ("Agents:big:Url", "https://api.example.org/v1"),
            ("Channels:Bncr:Agent", "BIG"),
            ("Channels:Bncr:Accounts:Shop:Agent", "openclaw"),
            ("Channels:Bncr:Accounts:Shop:Name", "The shop"));
        Assert.Equal("local", settings.Agent);
        Assert.Equal("big", settings.Bncr().Agent);
        Assert.Equal("openclaw", settings.Bncr().Accounts["shop"].Agent);
        Assert.Equal(["big", "local"], settings.Agents.Select(agent => agent.Name).Order());
        Assert.Equal(TimeSpan.FromSeconds(5), settings.Agents.Single(agent => agent.Name == "local").IdleTimeout);
        Assert.Empty(settings.Warnings);
    }

    [Theory]
    [InlineData("Agents:local:Url", "http://x", "Agents:local:Kind: the agent has no kind")]
    [InlineData("Agents:local:Key", "sk-secret", "a key doesn't stand in the settings")]
    [InlineData("Agents:echo:Url", "http://x", "the name 'echo' is taken by the host itself")]
    [InlineData("Agents:a b:Url", "http://x", "an agent's name has 1 to 64 letters")]
    [InlineData("Channels:Bncr:Agent", "nobody", "'nobody' is not one of echo, openclaw")]
    [InlineData("Channels:Bncr:Accounts:Shop:Agent", "nobody", "'nobody' is not one of echo, openclaw")]
    public void Settings_WrongAgent_IsTold(string key, string value, string expected)
    {
        var fault = Assert.Throws<SettingsException>(() => Load((key, value)));
        Assert.Contains(fault.Problems, problem => problem.Contains(expected, StringComparison.Ordinal));
        Assert.DoesNotContain(fault.Problems, problem => problem.Contains("sk-secret", StringComparison.Ordinal));
    }

    private static HostSettings Load(params string[] line) => SettingsLoader.Load(
        new Dictionary<string, string?>(ServeCommand.Options.Read(CommandLine.Create().Parse(line)),
            StringComparer.OrdinalIgnoreCase)
        { ["Store:Data"] = "/nowhere" }, "/nowhere", new Dictionary<string, string>());

    private static HostSettings Load(params (string Key, string? Value)[] keys)
    {
        var all = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["Store:Data"] = "/nowhere" };
        foreach (var (key, value) in keys) all[key] = value;
        return SettingsLoader.Load(all, "/nowhere", new Dictionary<string, string>());
    }
}
