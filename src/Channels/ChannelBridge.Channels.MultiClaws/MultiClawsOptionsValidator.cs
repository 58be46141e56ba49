using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Teams;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.MultiClaws;

/// <summary>What of the settings doesn't fit.</summary>
internal sealed class MultiClawsOptionsValidator : IValidateOptions<MultiClawsOptions>
{
    private const int MostNetworks = 128;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MultiClawsOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        if (options.DisplayName is { } shown && TeamMember.NameFault(shown) is { } fault) Say("DisplayName", fault, "The shop's assistant");
        if (options.Networks.Count > MostNetworks || options.Networks.Any(static network => AllowedPlaces.FaultOf(network) is not null))
            Say("Networks", "is public and networks", "public, 10.1.0.0/16");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Say(string key, string wrong, string example) => faults.Add($"{MultiClawsOptions.Section}:{key} {wrong}, e.g. {example}");
    }
}
