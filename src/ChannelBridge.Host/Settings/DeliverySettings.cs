using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Host.Settings;

/// <summary>The keys of the delivery policies: <c>Channels:Bncr:Delivery</c>, and the same for single accounts.</summary>
internal static class DeliverySettings
{
    private const string Channel = "bncr";
    private const string ChannelPrefix = "Channels:Bncr:Delivery:";
    private const string AccountPrefix = "Channels:Bncr:Accounts:<id>:Delivery:";
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>The channel's keys.</summary>
    public static readonly SettingGroup<DeliveryBox> OfChannel = Keys(new SettingGroup<DeliveryBox>(ChannelPrefix));

    /// <summary>An account's keys.</summary>
    public static readonly SettingGroup<DeliveryBox> OfAccount = Keys(new SettingGroup<DeliveryBox>(AccountPrefix, "as the channel"));

    /// <summary>A place for a policy, which itself can't be changed.</summary>
    public sealed class DeliveryBox
    {
        /// <summary>The policy.</summary>
        public DeliveryPolicy Policy { get; set; } = new();
    }

    /// <summary>Reads the channel's policy and those of accounts that have one.</summary>
    public static void Read(SettingsReader reader, MessagingOptions options)
    {
        var channel = new DeliveryBox();
        OfChannel.Apply(reader, channel);
        Check(reader, ChannelPrefix, channel.Policy);
        options.Delivery[Channel] = channel.Policy;
        foreach (var section in reader.Configuration.GetSection("Channels:Bncr:Accounts").GetChildren())
        {
            if (!section.GetSection("Delivery").GetChildren().Any()) continue;
            var account = new DeliveryBox { Policy = channel.Policy };
            var prefix = section.Path + ":Delivery:";
            OfAccount.Apply(reader, account, prefix);
            Check(reader, prefix, account.Policy);
            var id = section.Key.ToLowerInvariant();
            options.AccountDelivery[(Channel, id == "default" ? "primary" : id)] = account.Policy;
        }
    }

    private static SettingGroup<DeliveryBox> Keys(SettingGroup<DeliveryBox> group) => group
        .Number("MaxAttempts", 1, 1000, o => o.Policy.MaxAttempts, (o, v) => o.Policy = o.Policy with { MaxAttempts = (int)v }, "Failed pushes before a message becomes a dead letter; being offline costs none")
        .Duration("BaseDelay", TimeSpan.FromMilliseconds(1), Day, o => o.Policy.BaseDelay, (o, v) => o.Policy = o.Policy with { BaseDelay = v }, "The wait after the first failure")
        .Fraction("Factor", 1, 100, o => o.Policy.Factor, (o, v) => o.Policy = o.Policy with { Factor = v }, "By what the wait grows with each failure")
        .Duration("MaxDelay", TimeSpan.FromMilliseconds(1), Day, o => o.Policy.MaxDelay, (o, v) => o.Policy = o.Policy with { MaxDelay = v }, "The longest wait; a client's `retryAfterMs` may ask for a longer one")
        .Fraction("Jitter", 0, 1, o => o.Policy.Jitter, (o, v) => o.Policy = o.Policy with { Jitter = v }, "The share of the wait that is added at random")
        .Duration("AckTimeout", TimeSpan.FromMilliseconds(100), Day, o => o.Policy.AckTimeout, (o, v) => o.Policy = o.Policy with { AckTimeout = v }, "How long a pushed message waits for its ack")
        .Duration("TimeToLive", TimeSpan.Zero, TimeSpan.FromDays(3660), o => o.Policy.TimeToLive ?? TimeSpan.Zero, (o, v) => o.Policy = o.Policy with { TimeToLive = v == TimeSpan.Zero ? null : v }, "How long a message is worth delivering; `0ms` for ever")
        .List("Permanent", (o, v) => o.Policy = o.Policy with { Permanent = v }, "Errors of a client that make a dead letter at once", "chat-not-found")
        .List("HoldUntilInbound", (o, v) => o.Policy = o.Policy with { HoldUntilInbound = v }, "Errors of a client by which a message is held, at no cost, until its user writes again", "window-closed");

    private static void Check(SettingsReader reader, string prefix, DeliveryPolicy policy)
    {
        if (policy.MaxDelay < policy.BaseDelay)
        {
            var shortest = SettingsReader.FormatDuration(policy.BaseDelay);
            reader.Problem(prefix + "MaxDelay", $"{SettingsReader.FormatDuration(policy.MaxDelay)} is less than BaseDelay, {shortest}", shortest);
        }

        foreach (var name in policy.Permanent.Intersect(policy.HoldUntilInbound, StringComparer.OrdinalIgnoreCase))
            reader.Problem(prefix + "HoldUntilInbound", $"{SettingsReader.Show(name)} is among Permanent, too; a message is either given up or held", "window-closed");
    }
}
