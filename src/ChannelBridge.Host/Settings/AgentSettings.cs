using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Agents;

namespace ChannelBridge.Host.Settings;

/// <summary>The keys of agents behind a URL (<c>Agents:NAME</c>), and which agents there are.</summary>
internal static class AgentSettings
{
    private const string Prefix = "Agents:<name>:";
    private const string UrlExample = "http://127.0.0.1:11434/v1";
    private const string KeyFileExample = "/run/secrets/model-key";

    /// <summary>The agent of A2A's public conformance tests.</summary>
    public const string Conformance = "conformance";

    private static readonly string[] AgentKeys = ["Agents:Default", "Channels:A2A:Agent"];

    /// <summary>Agents that the host brings.</summary>
    private static readonly string[] BuiltIn = ["echo", "openclaw"];

    /// <summary>The names of <see cref="AgentKind"/> as they are written.</summary>
    private static readonly string[] Kinds = ["responses", "chat-completions"];

    /// <summary>The keys that need more than a bound.</summary>
    public static readonly IReadOnlyList<Setting> Named =
    [
        new(Prefix + "Kind", "none", "What the agent's URL speaks: `responses` (any /v1/responses) or `chat-completions` (any OpenAI-compatible server).", "chat-completions"),
        new(Prefix + "Url", "none", "Where it is, up to `/v1` or in full.", UrlExample) { Option = "--agent" },
        new(Prefix + "KeyFile", "none", "A file whose first line is the key; read anew for each turn.", KeyFileExample) { Option = "--agent-key-file" },
        new(Prefix + "KeyVariable", "none", "The environment variable that holds the key.", "OPENAI_API_KEY"),
    ];

    /// <summary>The keys.</summary>
    public static readonly SettingGroup<ProviderOptions> Keys = new SettingGroup<ProviderOptions>(Prefix)
        .Text("Model", o => o.Model, (o, v) => o.Model = v, "The model that is asked for, whatever a request names. `--agent-model`", "llama3.2")
        .Text("Instructions", o => o.Instructions, (o, v) => o.Instructions = v, "What the model is told before each conversation", "You are the helpdesk of a shop.")
        .Choice<ResponsesDialect>("Dialect", o => o.Dialect, (o, v) => o.Dialect = v, "How a /v1/responses wants its requests; `auto` knows OpenClaw's own by the model's name")
        .Duration("ConnectTimeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(10), o => o.ConnectTimeout, (o, v) => o.ConnectTimeout = v,
            "How long a connection may take")
        .Duration("FirstTokenTimeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1), o => o.FirstTokenTimeout, (o, v) => o.FirstTokenTimeout = v,
            "How long the first token may take, retries included")
        .Duration("IdleTimeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1), o => o.IdleTimeout, (o, v) => o.IdleTimeout = v,
            "How long a stream that has begun may be silent")
        .Duration("TurnTimeout", TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1), o => o.TurnTimeout, (o, v) => o.TurnTimeout = v,
            "How long a whole turn may take; a little less than `Limits:TurnTimeout`")
        .Number("Retries", 0, 10, o => o.Retries, (o, v) => o.Retries = (int)v, "How often a request is repeated that failed before the first byte of its answer")
        .Duration("RetryDelay", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), o => o.RetryDelay, (o, v) => o.RetryDelay = v,
            "The pause before the first repetition, doubled each time; `Retry-After` goes before it")
        .Duration("MaxRetryDelay", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10), o => o.MaxRetryDelay, (o, v) => o.MaxRetryDelay = v,
            "The longest pause inside a turn; a longer `Retry-After` ends the turn")
        .Number("BreakerFailures", 2, 1000, o => o.BreakerFailures, (o, v) => o.BreakerFailures = (int)v,
            "So many failed turns in `BreakerWindow`, being half of all or more, let the agent rest")
        .Duration("BreakerWindow", TimeSpan.FromMilliseconds(500), TimeSpan.FromHours(1), o => o.BreakerWindow, (o, v) => o.BreakerWindow = v,
            "Over which time failures are counted")
        .Duration("BreakerPause", TimeSpan.FromMilliseconds(500), TimeSpan.FromHours(1), o => o.BreakerPause, (o, v) => o.BreakerPause = v,
            "How long it rests; messages wait meanwhile")
        .Number("MemoryMessages", 0, 10_000, o => o.MemoryMessages, (o, v) => o.MemoryMessages = (int)v, "Messages of a conversation that the host keeps for the agent; 0 for none")
        .Number("MemoryCharacters", 0, 16 << 20, o => o.MemoryCharacters, (o, v) => o.MemoryCharacters = (int)v, "Characters of a conversation that the host keeps")
        .Duration("MemoryLifetime", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3660), o => o.MemoryLifetime, (o, v) => o.MemoryLifetime = v,
            "How long a conversation is kept after its last message")
        .Size("MaxEventBytes", 1 << 10, 256 << 20, o => o.MaxEventBytes, (o, v) => o.MaxEventBytes = (int)v, "The largest single event of a stream")
        .Size("MaxStreamBytes", 1 << 10, 16L << 30, o => o.MaxStreamBytes, (o, v) => o.MaxStreamBytes = v, "The most bytes of one answer's stream");

    /// <summary>Reads the agents behind URLs.</summary>
    public static List<ProviderOptions> Read(SettingsReader reader)
    {
        var agents = new List<ProviderOptions>();
        foreach (var name in reader.Source.Children("Agents"))
        {
            var key = "Agents:" + name;
            if (reader.Source.Children(key).Count == 0 || string.Equals(name, "openclaw", StringComparison.OrdinalIgnoreCase)) continue;
            if (string.Equals(name, "echo", StringComparison.OrdinalIgnoreCase) || string.Equals(name, "default", StringComparison.OrdinalIgnoreCase))
                reader.Problem(key, $"the name '{name}' is taken by the host itself; choose another", "Agents:local:Kind=chat-completions");
            else if (name.Length > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
                reader.Problem(key, "an agent's name has 1 to 64 letters, digits, '-', '_' or '.'", "Agents:local:Kind=chat-completions");
            else
                agents.Add(ReadOne(reader, name));
        }

        return agents;
    }

    /// <summary>The names of every agent that a key may name.</summary>
    public static IReadOnlyList<string> Names(SettingsReader reader, IEnumerable<ProviderOptions> agents) =>
        [.. BuiltIn, .. agents.Select(agent => agent.Name), .. WantsConformance(reader) ? [Conformance] : Array.Empty<string>()];

    /// <summary>The agent of A2A's public conformance tests is there for who names it, and listed nowhere.</summary>
    private static bool WantsConformance(SettingsReader reader) =>
        AgentKeys.Any(key => string.Equals(reader.Text(key), Conformance, StringComparison.OrdinalIgnoreCase))
        || (reader.List("Channels:A2A:Expose") ?? []).Contains(Conformance, StringComparer.OrdinalIgnoreCase);

    /// <summary>Checks times that must be less than others.</summary>
    public static void CheckTimes(SettingsReader reader, IEnumerable<ProviderOptions> agents, TimeSpan turnTimeout)
    {
        foreach (var agent in agents)
        {
            var prefix = $"Agents:{agent.Name}:";
            reader.MustBeLess(prefix + "TurnTimeout", agent.TurnTimeout, "Limits:TurnTimeout", turnTimeout);
            Inside("ConnectTimeout", agent.ConnectTimeout);
            Inside("FirstTokenTimeout", agent.FirstTokenTimeout);
            Inside("IdleTimeout", agent.IdleTimeout);
            if (agent.RetryDelay > agent.MaxRetryDelay)
                reader.MustBeLess(prefix + "RetryDelay", agent.RetryDelay, prefix + "MaxRetryDelay", agent.MaxRetryDelay);

            // A turn that is shorter than these by default just ends first; one that was set and can't act is a mistake.
            void Inside(string name, TimeSpan value)
            {
                if (reader.IsSet(prefix + name)) reader.MustBeLess(prefix + name, value, prefix + "TurnTimeout", agent.TurnTimeout);
            }
        }
    }

    private static ProviderOptions ReadOne(SettingsReader reader, string name)
    {
        var prefix = $"Agents:{name}:";
        var options = new ProviderOptions { Name = name };
        if (reader.Text(prefix + "Kind") is null)
            reader.Problem(prefix + "Kind", "the agent has no kind", Kinds[1]);
        else
            options.Kind = reader.Choice(prefix + "Kind", Kinds[0], Kinds) == Kinds[0] ? AgentKind.Responses : AgentKind.ChatCompletions;

        if (reader.Text(prefix + "Url") is not { } url)
            reader.Problem(prefix + "Url", "the agent has no address", UrlExample);
        else if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
            reader.Problem(prefix + "Url", "this is not an http or https address", UrlExample);
        // An address is shown in diagnostics; a password in it would be, too.
        else if (uri.UserInfo.Length > 0)
            reader.Problem(prefix + "Url", "the address holds a user or a password; a key belongs into KeyFile", UrlExample);
        else
            options.Url = uri;

        ReadKey(reader, prefix, options);
        Keys.Apply(reader, options, prefix);
        return options;
    }

    private static void ReadKey(SettingsReader reader, string prefix, ProviderOptions options)
    {
        options.KeyVariable = reader.Text(prefix + "KeyVariable");
        if (reader.Text(prefix + "KeyFile") is { } file)
        {
            options.KeyFile = SettingText.FullPath(file);
            try
            {
                if (string.IsNullOrWhiteSpace(File.ReadLines(options.KeyFile).FirstOrDefault()))
                    reader.Problem(prefix + "KeyFile", $"the first line of {SettingText.Show(file)} is empty", KeyFileExample);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                reader.Problem(prefix + "KeyFile", $"{SettingText.Show(file)} can't be read ({fault.Message.ReplaceLineEndings(" ")})", KeyFileExample);
            }
        }

        if (options is { KeyFile: not null, KeyVariable: not null })
            reader.Problem(prefix + "KeyVariable", $"{prefix}KeyFile is set, too; choose one of them", "OPENAI_API_KEY");
        else if (options.KeyVariable is { } variable && string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(variable)))
            reader.Problem(prefix + "KeyVariable", $"there is no environment variable {SettingText.Show(variable)}, or it is empty", "OPENAI_API_KEY");
        if (reader.Text(prefix + "Key") is not null)
            reader.Problem(prefix + "Key", "a key doesn't stand in the settings; put it into a file", $"{prefix}KeyFile={KeyFileExample}");
    }
}
