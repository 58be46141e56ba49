using System.Net;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.A2A;

/// <summary>Checks the channel's settings as a whole.</summary>
internal sealed class A2AOptionsValidator : IValidateOptions<A2AOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, A2AOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        if (options.SelfUrl is { } self
            && (!Uri.TryCreate(self, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0
                || url.Query.Length > 0 || url.Fragment.Length > 0))
            Say("SelfUrl", "is no http or https address without user, query and fragment", "https://bridge.example.org");
        if (options.Expose.Any(static agent => string.Equals(agent, "v1", StringComparison.OrdinalIgnoreCase) || agent.Contains('/', StringComparison.Ordinal)))
            Say("Expose", "no agent that peers may ask for is called v1 or has a slash in its name: paths begin so", "helpdesk, translator");
        if (options.Networks.Count is 0 or > 64 || options.Networks.Any(static network => !IsNetwork(network)))
            Say("Networks", "is public and networks", "public, 10.1.0.0/16");
        if (options.MaxTasks < options.MaxTasksPerPeer) Say("MaxTasks", "is less than MaxTasksPerPeer", "100000");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Say(string key, string fault, string example) => faults.Add($"{A2AOptions.Section}:{key} {fault}, e.g. {example}");
    }

    private static bool IsNetwork(string text) => text == "public" || IPAddress.TryParse(text, out _) || IPNetwork.TryParse(text, out _);
}
