using System.CommandLine;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>The options that say who answers. Each command that starts a host has its own.</summary>
internal sealed class AgentOptions
{
    private static readonly string[] Kinds = ["responses", "chat-completions"];

    private readonly Option<string?> _agent = new("--agent")
    {
        Description = "Who answers messages of the own listener: echo (repeats what you say), openclaw (through its plugin), responses=URL (any /v1/responses), "
            + "chat-completions=URL (any OpenAI-compatible server: Ollama, vLLM, llama.cpp, hosted ones), or the name of an agent of the settings [default: echo]",
        HelpName = "AGENT",
    };

    private readonly Option<string?> _model = new("--agent-model") { Description = "The model that the agent of --agent asks for", HelpName = "MODEL" };

    private readonly Option<string?> _keyFile = new("--agent-key-file") { Description = "A file whose first line is the key of the agent of --agent", HelpName = "FILE" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_agent);
        command.Options.Add(_model);
        command.Options.Add(_keyFile);
    }

    /// <summary>Adds the settings that they stand for.</summary>
    /// <exception cref="SettingsException">They don't fit together.</exception>
    public void Read(ParseResult parsed, Dictionary<string, string?> settings)
    {
        var agent = parsed.GetResult(_agent) is null ? null : parsed.GetValue(_agent) ?? "";
        var name = agent;
        if (agent is not null)
        {
            if (agent.Split('=', 2) is [var kind, var url])
            {
                name = Array.Find(Kinds, known => string.Equals(known, kind, StringComparison.OrdinalIgnoreCase))
                    ?? throw new SettingsException([$"--agent: {SettingText.Show(kind)} is not a kind of agent; example: --agent "
                        + "chat-completions=http://127.0.0.1:11434/v1"]);
                settings[$"Agents:{name}:Kind"] = name;
                settings[$"Agents:{name}:Url"] = url;
            }
            else if (Array.Exists(Kinds, kind => string.Equals(kind, agent, StringComparison.OrdinalIgnoreCase)))
            {
                // Perhaps an agent of this name stands in the settings; without one the message there says what is missing.
                settings[$"Agents:{agent}:Kind"] = agent;
            }

            settings["Agents:Default"] = name;
        }

        Apply("--agent-model", parsed.GetValue(_model), "Model");
        Apply("--agent-key-file", parsed.GetValue(_keyFile), "KeyFile");

        void Apply(string option, string? value, string key)
        {
            if (value is null) return;
            if (name is null or "echo" or "openclaw")
                throw new SettingsException(
                    [$"{option}: it belongs to an agent behind a URL; example: --agent chat-completions=http://127.0.0.1:11434/v1 {option} "
                        + $"{(key == "Model" ? "llama3.2" : "/run/secrets/model-key")}"]);
            settings[$"Agents:{name}:{key}"] = value;
            if (key == "KeyFile") settings[$"Agents:{name}:KeyVariable"] = null;
        }
    }
}
