using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>
/// What a channel has under <c>Channels:NAME</c>: its keys, their words, their check, its policy of delivery, and the variables of other programs that stand
/// for some of them. Handed over with the channel, it is all that a host knows of the channel's settings; see <see cref="ChannelSettings{TOptions}"/>.
/// </summary>
public abstract class ChannelSettings
{
    private readonly List<SettingAlias> _aliases = [];

    /// <summary>Settings of a channel.</summary>
    /// <param name="name">The channel's name in keys; in lower case it is the channel's id.</param>
    protected ChannelSettings(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
    }

    /// <summary>The channel's name in keys, e.g. <c>Bncr</c>.</summary>
    public string Name { get; }

    /// <summary>The channel's id, e.g. <c>bncr</c>.</summary>
    public string Channel => Name.ToLowerInvariant();

    /// <summary>What every key of the channel begins with, e.g. <c>Channels:Bncr:</c>.</summary>
    public string Prefix => $"Channels:{Name}:";

    /// <summary>Variables of other programs that stand for some of the keys.</summary>
    public IReadOnlyList<SettingAlias> Aliases => _aliases;

    /// <summary>Every key of the channel, those of delivery included.</summary>
    public IReadOnlyList<Setting> Settings =>
        [.. OwnSettings, .. DeliverySettings.OfChannel(Prefix, Delivery ?? new DeliveryPolicy()).Settings, .. DeliverySettings.OfAccount(Prefix).Settings];

    /// <summary>The policy of delivery where no key is set; null: the host's.</summary>
    public DeliveryPolicy? Delivery { get; protected set; }

    /// <summary>The same where it depends on other keys; goes before <see cref="Delivery"/>. Null: it doesn't.</summary>
    protected Func<SettingsReader, DeliveryPolicy>? DeliveryBy { get; set; }

    /// <summary>The channel's keys apart from those of delivery.</summary>
    protected abstract IEnumerable<Setting> OwnSettings { get; }

    /// <summary>Reads and checks all of them but those of delivery; what is wrong is told to the reader.</summary>
    public abstract void Check(SettingsReader reader);

    /// <summary>Reads how the channel's messages are delivered.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="standard">The policy where neither a key nor the channel says it; null: that of a new <see cref="DeliveryPolicy"/>.</param>
    public ChannelDelivery ReadDelivery(SettingsReader reader, DeliveryPolicy? standard = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return DeliverySettings.Read(reader, Prefix, DeliveryBy?.Invoke(reader) ?? Delivery ?? standard ?? new DeliveryPolicy(), AccountKey);
    }

    /// <summary>An account of the settings as lanes know it: in lower case, unless the channel says otherwise.</summary>
    protected virtual string AccountKey(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return id.ToLowerInvariant();
    }

    /// <summary>Adds a variable of another program.</summary>
    protected void Add(SettingAlias alias) => _aliases.Add(alias);
}
