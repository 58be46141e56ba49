namespace ChannelBridge.Channels.Juji;

/// <summary>What is an account's own (<c>Channels:Juji:Accounts:ID</c>).</summary>
public sealed class JujiAccountOptions
{
    /// <summary>False: the account rests. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The community's address; null: the channel's.</summary>
    public string? BaseUrl { get; set; }

    /// <summary>The name under which the agent registers; null: <c>JUJI_AGENT_NAME</c>, else none.</summary>
    public string? Name { get; set; }

    /// <summary>The wallet with which it registers; null: <c>JUJI_AGENT_WALLET_ADDRESS</c>, else none.</summary>
    public string? WalletAddress { get; set; }

    /// <summary>The agent that hears this account's pushes; null: the channel's.</summary>
    public string? Agent { get; set; }

    /// <summary>
    /// The file of the account's variables, its key and its token, absolute. Null: the skill's own, that is the process's environment, <c>~/.juji/.env</c> and
    /// <c>~/.openclaw/.env</c>; one
    /// account only may do that.
    /// </summary>
    public string? EnvFile { get; set; }

    /// <summary>Where pushes go, by name; the first that fits, in the order of the names (numbers as numbers). Empty: all to the agent.</summary>
    public IDictionary<string, JujiRouteOptions> Routes { get; } = new Dictionary<string, JujiRouteOptions>(StringComparer.OrdinalIgnoreCase);
}

/// <summary>Where some of an account's pushes go (<c>Channels:Juji:Accounts:ID:Routes:N</c>).</summary>
public sealed class JujiRouteOptions
{
    /// <summary>The topics; a <c>*</c> at the end stands for whatever follows. Empty: all.</summary>
    public IReadOnlyList<string> Topics { get; set; } = [];

    /// <summary>The events, in the same way. Empty: all.</summary>
    public IReadOnlyList<string> Events { get; set; } = [];

    /// <summary>The variants. Empty: <c>public</c> and those that have none. A <c>direct</c> push takes only routes that list it.</summary>
    public IReadOnlyList<string> Variants { get; set; } = [];

    /// <summary><c>agent</c> (default), <c>drop</c>, or a target of another channel: <c>CHANNEL:TARGET</c>, or <c>CHANNEL/ACCOUNT:TARGET</c>.</summary>
    public string To { get; set; } = "agent";

    /// <summary>With <c>agent</c>: where its answer goes, as a target of another channel; null: it is kept and sent to nobody.</summary>
    public string? Answer { get; set; }

    /// <summary>With a target: which members of the push's <c>data</c> are told besides title and message.</summary>
    public IReadOnlyList<string> Data { get; set; } = [];
}
