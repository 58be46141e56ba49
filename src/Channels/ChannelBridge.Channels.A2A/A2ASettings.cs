using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.A2A;

/// <summary>What stands under <c>Channels:A2A</c>.</summary>
internal static class A2ASettings
{
    /// <summary>The channel's settings.</summary>
    public static readonly ChannelSettings<A2AOptions> All = new ChannelSettings<A2AOptions>("A2A", Channel)
        .WithDefaults(static (options, reader) => options.Agent = reader.DefaultAgent)
        .WithCheck(new A2AOptionsValidator());

    private static void Channel(SettingGroup<A2AOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: no endpoint answers; a peer needs a token anyway")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers where a request names no tenant")
        .List("Expose", (o, v) => o.Expose = v,
            "The agents that peers may ask for as tenants, each a skill of the card; none: only `Agent`", "helpdesk, translator")
        .Text("SelfUrl", o => o.SelfUrl, (o, v) => o.SelfUrl = v,
            "Where peers reach this host; none: the address by which a request for the card comes in", "https://bridge.example.org")
        .Text("Name", o => o.Name, (o, v) => o.Name = v, "The card's name", "The shop's helpdesk")
        .Text("Description", o => o.Description, (o, v) => o.Description = v, "The card's description", "Answers questions about orders")
        .Number("SendsPerMinute", 1, 1_000_000, o => o.SendsPerMinute, (o, v) => o.SendsPerMinute = (int)v, "Messages that a peer may send in a minute")
        .Number("ReadsPerMinute", 1, 1_000_000, o => o.ReadsPerMinute, (o, v) => o.ReadsPerMinute = (int)v, "Other calls that a peer may make in a minute")
        .Number("MaxTasksPerPeer", 1, 1_000_000, o => o.MaxTasksPerPeer, (o, v) => o.MaxTasksPerPeer = (int)v,
            "Tasks of one peer; the oldest ended ones go first")
        .Number("MaxTasks", 1, 10_000_000, o => o.MaxTasks, (o, v) => o.MaxTasks = (int)v, "Tasks of all peers")
        .Duration("Retention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.Retention, (o, v) => o.Retention = v,
            "How long a task is kept after its end")
        .Size("MaxArtifactBytes", 1024, 256L << 20, o => o.MaxArtifactBytes, (o, v) => o.MaxArtifactBytes = v, "The largest results of one task together")
        .Size("InlineBytes", 0, 1 << 20, o => o.InlineBytes, (o, v) => o.InlineBytes = (int)v,
            "Files of peers up to this size travel inside a message; larger ones lie in the spool")
        .List("Networks", (o, v) => o.Networks = v,
            "Where push notifications may go: `public`, networks, or both; none: `public`", "public, 10.1.0.0/16")
        .Duration("PushTimeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(25), o => o.PushTimeout, (o, v) => o.PushTimeout = v,
            "How long the receiver of a push notification may take to answer");
}
