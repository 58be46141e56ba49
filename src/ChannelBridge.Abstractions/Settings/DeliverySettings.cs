using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>The keys that every channel has: <c>Channels:NAME:Delivery</c>, and the same for single accounts.</summary>
internal static class DeliverySettings
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>A channel's keys.</summary>
    /// <param name="prefix">The channel's prefix.</param>
    /// <param name="standard">The policy where no key is set.</param>
    public static SettingGroup<DeliveryBox> OfChannel(string prefix, DeliveryPolicy standard) =>
        Keys(new SettingGroup<DeliveryBox>(prefix + "Delivery:"), standard);

    /// <summary>An account's keys.</summary>
    /// <param name="prefix">The channel's prefix.</param>
    public static SettingGroup<DeliveryBox> OfAccount(string prefix) =>
        Keys(new SettingGroup<DeliveryBox>(prefix + "Accounts:<id>:Delivery:", "as the channel"), new DeliveryPolicy());

    /// <summary>Reads the channel's policy and those of accounts that have one.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="prefix">The channel's prefix.</param>
    /// <param name="standard">The policy where no key is set.</param>
    /// <param name="accountKey">An account as lanes know it.</param>
    public static ChannelDelivery Read(SettingsReader reader, string prefix, DeliveryPolicy standard, Func<string, string> accountKey)
    {
        var channel = new DeliveryBox { Policy = standard };
        OfChannel(prefix, standard).Apply(reader, channel);
        Check(reader, prefix + "Delivery:", channel.In(standard));
        var accounts = new Dictionary<string, DeliveryPolicy>(StringComparer.Ordinal);
        var keys = OfAccount(prefix);
        foreach (var id in reader.Source.Children(prefix + "Accounts"))
        {
            var own = $"{prefix}Accounts:{id}:Delivery:";
            if (reader.Source.Children(own[..^1]).Count == 0) continue;
            var account = new DeliveryBox { Policy = channel.Policy };
            keys.Apply(reader, account, own);
            Check(reader, own, account.In(standard));
            accounts[accountKey(id)] = account.In(standard);
        }

        return new ChannelDelivery(channel.In(standard), accounts);
    }

    private static SettingGroup<DeliveryBox> Keys(SettingGroup<DeliveryBox> group, DeliveryPolicy standard) => group
        .Number("MaxAttempts", 1, 1000, o => o.In(standard).MaxAttempts, (o, v) => o.Policy = o.In(standard) with { MaxAttempts = (int)v },
            "Failed pushes before a message becomes a dead letter; being offline costs none")
        .Duration("BaseDelay", TimeSpan.FromMilliseconds(1), Day, o => o.In(standard).BaseDelay,
            (o, v) => o.Policy = o.In(standard) with { BaseDelay = v }, "The wait after the first failure")
        .Fraction("Factor", 1, 100, o => o.In(standard).Factor, (o, v) => o.Policy = o.In(standard) with { Factor = v },
            "By what the wait grows with each failure")
        .Duration("MaxDelay", TimeSpan.FromMilliseconds(1), Day, o => o.In(standard).MaxDelay,
            (o, v) => o.Policy = o.In(standard) with { MaxDelay = v }, "The longest wait; a client's `retryAfterMs` may ask for a longer one")
        .Fraction("Jitter", 0, 1, o => o.In(standard).Jitter, (o, v) => o.Policy = o.In(standard) with { Jitter = v },
            "The share of the wait that is added at random")
        .Duration("AckTimeout", TimeSpan.FromMilliseconds(100), Day, o => o.In(standard).AckTimeout,
            (o, v) => o.Policy = o.In(standard) with { AckTimeout = v }, "How long a pushed message waits for its ack")
        .Duration("TimeToLive", TimeSpan.Zero, TimeSpan.FromDays(3660), o => o.In(standard).TimeToLive ?? TimeSpan.Zero,
            (o, v) => o.Policy = o.In(standard) with { TimeToLive = v == TimeSpan.Zero ? null : v },
            "How long a message is worth delivering; `0ms` for ever")
        .List("Permanent", (o, v) => o.Policy = o.In(standard) with { Permanent = v },
            "Errors of a client that make a dead letter at once", "chat-not-found")
        .List("HoldUntilInbound", (o, v) => o.Policy = o.In(standard) with { HoldUntilInbound = v },
            "Errors of a client by which a message is held, at no cost, until its user writes again", "window-closed");

    private static void Check(SettingsReader reader, string prefix, DeliveryPolicy policy)
    {
        if (policy.MaxDelay < policy.BaseDelay)
        {
            var shortest = SettingText.FormatDuration(policy.BaseDelay);
            reader.Problem(prefix + "MaxDelay", $"{SettingText.FormatDuration(policy.MaxDelay)} is less than BaseDelay, {shortest}", shortest);
        }

        foreach (var name in policy.Permanent.Intersect(policy.HoldUntilInbound, StringComparer.OrdinalIgnoreCase))
        {
            reader.Problem(
                prefix + "HoldUntilInbound",
                $"{SettingText.Show(name)} is among Permanent, too; a message is either given up or held",
                "window-closed");
        }
    }

    /// <summary>A place for a policy, which itself can't be changed.</summary>
    internal sealed class DeliveryBox
    {
        /// <summary>The policy; null: the one where no key is set.</summary>
        public DeliveryPolicy? Policy { get; set; }

        /// <summary>The policy as it is now.</summary>
        public DeliveryPolicy In(DeliveryPolicy standard) => Policy ?? standard;
    }
}
