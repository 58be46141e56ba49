using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Aun;

/// <summary>Checks the endpoint's settings as a whole.</summary>
internal sealed class AunOptionsValidator : IValidateOptions<AunOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, AunOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        foreach (var issuer in options.Issuers)
        {
            if (!AidName.IsIssuer(issuer)) faults.Add($"{AunOptions.Section}:Issuers: an issuer is a domain in lower case; example: agentid.pub");
        }

        foreach (var aid in options.Agents.Keys)
        {
            if (!AidName.IsSound(aid))
                faults.Add($"{AunOptions.Section}:Agents: an agent's AID is a name and an issuer in lower case, 64 characters at most; example: bot.agentid.pub");
        }

        if (options.Enabled is true && options.AllIssuers.Count == 0) faults.Add($"{AunOptions.Section}:Issuers: the endpoint needs an issuer for its names; example: agentid.pub");
        if (options.IsEndpointOn && options.PkiFolder is null)
            faults.Add($"{AunOptions.Section}:PkiFolder: a host without a data folder names one for its keys; example: /var/lib/channelbridge/aun");
        if (options.GatewayUrl is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Scheme is "ws" or "wss"))
            faults.Add($"{AunOptions.Section}:GatewayUrl: it is a ws or wss address; example: wss://gateway.example.org/aun");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
