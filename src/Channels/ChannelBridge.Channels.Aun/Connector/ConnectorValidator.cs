using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Checks the accounts of the connector as a whole.</summary>
internal sealed class ConnectorValidator : IValidateOptions<AunOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, AunOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        foreach (var (id, account) in options.Accounts)
        {
            var key = $"{AunOptions.Section}:Accounts:{id}";
            if (id.Length > 255) faults.Add($"{key}: an account's id has 255 characters at most; example: bot");
            if (account.Aid is null) faults.Add($"{key}:Aid: an account needs an AID; example: bot.agentid.pub");
            else if (!AidName.IsSound(account.Aid)) faults.Add($"{key}:Aid: an AID is a name and an issuer in lower case, {AidName.Longest} characters at most; example: bot.agentid.pub");
            if (account.SlotId.Length > 128 || !account.SlotId.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
                faults.Add($"{key}:SlotId: a slot has up to 128 letters, digits, '.', '_' or '-'; example: slot-a");
            if (account.GatewayUrl is { } url && GatewayAddress.TryParse(url) is null)
                faults.Add($"{key}:GatewayUrl: it is a ws or wss address without user, query or fragment; example: wss://gateway.agentid.pub/aun");
            if (account is { SeedPassword: not null, SeedPasswordFile: not null })
                faults.Add($"{key}:SeedPasswordFile: SeedPassword is set, too; set one of them; example: /run/secrets/aun-seed");
        }

        var twice = options.Accounts.Where(static one => one.Value is { Enabled: true, Aid: not null })
            .GroupBy(static one => (one.Value.Aid, one.Value.AunPath, one.Value.SlotId)).Where(static same => same.Count() > 1);
        foreach (var same in twice)
            faults.Add($"{AunOptions.Section}:Accounts:{same.Last().Key}:SlotId: {same.First().Key} is the same AID in the same slot, and one would push out the other; example: slot-b");
        if (options.Connector.ReconnectMaxDelay < options.Connector.ReconnectBaseDelay)
            faults.Add($"{AunOptions.Section}:Connector:ReconnectMaxDelay: it is less than ReconnectBaseDelay; example: 64s");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
