using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Bncr;

/// <summary>Checks <see cref="BncrOptions"/> at start; each message names the key, the fault and an example.</summary>
public sealed class BncrOptionsValidator : IValidateOptions<BncrOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, BncrOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        if (string.IsNullOrWhiteSpace(options.Agent)) faults.Add(Fault("Agent", options.Agent, "must name an agent", "echo"));
        if (!SessionKey.IsAgentId(options.SessionAgentId))
        {
            faults.Add(Fault("SessionAgentId", options.SessionAgentId, "must be 1 to 64 letters, digits, '_', '-' or '.'", "main"));
        }

        if (options.EventPrefix is not (EventPrefixes.Own or EventPrefixes.Gateway))
        {
            faults.Add(Fault("EventPrefix", options.EventPrefix, $"must be '{EventPrefixes.Own}' or '{EventPrefixes.Gateway}'", EventPrefixes.Own));
        }

        Range(faults, "DedupeWindow", options.DedupeWindow, TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), "30.00:00:00");
        Range(faults, "ContentDedupeWindow", options.ContentDedupeWindow, TimeSpan.Zero, TimeSpan.FromMinutes(10), "00:00:02");
        Range(faults, "ReconnectGrace", options.ReconnectGrace, TimeSpan.Zero, TimeSpan.FromMinutes(10), "00:00:15");
        Range(faults, "RpcTimeout", options.RpcTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), "00:00:15");
        Range(faults, "MaxInlineMediaBytes", options.MaxInlineMediaBytes, 0, 64 << 20, 31457280);
        Range(faults, "MaxTextLength", options.MaxTextLength, 1, 64 << 20, 8388608);
        Range(faults, "MaxAccounts", options.MaxAccounts, 1, 10_000_000, 20000);
        Modes(faults, "", options.DmPolicy, options.GroupPolicy, options.OutboundRequireAck);
        List(faults, "AllowFrom", options.AllowFrom);
        List(faults, "GroupAllowFrom", options.GroupAllowFrom);

        var seen = new HashSet<string>();
        foreach (var (id, account) in options.Accounts)
        {
            var prefix = $"Accounts:{id}:";
            try
            {
                if (!seen.Add(AccountIds.Key(AccountIds.Normalize(id)))) faults.Add(Fault($"Accounts:{id}", id, "is there twice (ids are case-insensitive)", "Primary"));
            }
            catch (BridgeException fault)
            {
                faults.Add(Fault($"Accounts:{id}", id, fault.Message, "Primary"));
            }

            Modes(faults, prefix, account.DmPolicy, account.GroupPolicy, account.OutboundRequireAck);
            List(faults, prefix + "AllowFrom", account.AllowFrom);
            List(faults, prefix + "GroupAllowFrom", account.GroupAllowFrom);
        }

        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static void Modes(List<string> faults, string prefix, BncrPolicyMode? dm, BncrPolicyMode? group, BncrAckMode? ack)
    {
        if (dm is { } d && !Enum.IsDefined(d)) faults.Add(Fault(prefix + "DmPolicy", d, "must be open, allowlist or disabled", "open"));
        if (group is { } g && !Enum.IsDefined(g)) faults.Add(Fault(prefix + "GroupPolicy", g, "must be open, allowlist or disabled", "open"));
        if (ack is { } a && !Enum.IsDefined(a)) faults.Add(Fault(prefix + "OutboundRequireAck", a, "must be auto, true or false", "auto"));
    }

    private static void List(List<string> faults, string key, IEnumerable<string>? entries)
    {
        foreach (var entry in entries ?? [])
        {
            if (!RouteMatcher.IsValid(entry)) faults.Add(Fault(key, entry, "is no bncr target", "Bncr:qq:888888"));
        }
    }

    private static void Range<T>(List<string> faults, string key, T value, T min, T max, object example)
        where T : IComparable<T>
    {
        if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0) faults.Add(Fault(key, value, $"must be {min} to {max}", example));
    }

    private static string Fault(string key, object? value, string what, object example) =>
        $"{BncrOptions.Section}:{key} ('{value}') {what}. Example: {BncrOptions.Section}:{key}={example}";
}
