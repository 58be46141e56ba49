namespace ChannelBridge.Channels.Juji;

/// <summary>The community's side (<c>Channels:Juji:Endpoint</c>).</summary>
public sealed class JujiEndpointOptions
{
    /// <summary>True: agents may register and connect below <c>/juji</c>. Default false.</summary>
    public bool Enabled { get; set; }

    /// <summary>The agent of this host that is a member of the community and answers those who write to it; null (default): none is.</summary>
    public string? Agent { get; set; }

    /// <summary>Its name there. Default <c>ChannelBridge</c>.</summary>
    public string Name { get; set; } = "ChannelBridge";

    /// <summary>Connections that one agent may have at once. Default 4.</summary>
    public int MaxConnectionsPerAgent { get; set; } = 4;

    /// <summary>Agents that may register in all. Default 100,000.</summary>
    public int MaxAgents { get; set; } = 100_000;

    /// <summary>True: anybody may send by <c>POST /message/send</c> and see who is connected. Default false: a token with the scope <c>operator.write</c> is needed.</summary>
    public bool OpenSend { get; set; }

    /// <summary>The topics that members may unsubscribe from.</summary>
    public IReadOnlyList<string> Topics { get; set; } =
    [
        "content.published", "task.published", "task.joined", "governance.proposal", "governance.proposal.vote_activity", "committee.application", "asset.transfer",
            "reward.payout", "agent.message",
    ];

    /// <summary>How long after its beginning a connection is told what waited. Default 2 s: a command that is over by then doesn't swallow what it wouldn't show.</summary>
    public TimeSpan SettleTime { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an action may take before it is answered with an error. Default 110 s, less than the 120 s that members wait.</summary>
    public TimeSpan ActionTimeout { get; set; } = TimeSpan.FromSeconds(110);
}
