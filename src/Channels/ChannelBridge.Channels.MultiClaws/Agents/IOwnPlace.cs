namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>What the sessions ask about this host itself; the part that knows teams and the profile answers it.</summary>
internal interface IOwnPlace
{
    /// <summary>The address by which other hosts reach this one, as <see cref="AgentUrls.Normalise"/> writes it; null: it isn't known.</summary>
    string? SelfUrl { get; }

    /// <summary>Why the profile isn't complete enough to delegate, and what to do, in words for the agent or the user; null: it is.</summary>
    ValueTask<string?> WhyIncompleteAsync(CancellationToken cancellationToken);
}
