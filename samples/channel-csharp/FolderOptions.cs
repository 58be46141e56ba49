using Microsoft.Extensions.Options;

namespace FolderSample;

/// <summary>The channel's settings, <c>Channels:Folder</c>: <c>--Channels:Folder:Agent=openclaw</c>, or <c>Channels__Folder__Agent=openclaw</c> in the environment.</summary>
public sealed class FolderOptions
{
    public const string Section = "Channels:Folder";

    /// <summary>The folder in which <c>in</c> and <c>out</c> lie.</summary>
    public string Folder { get; set; } = "folder-channel";

    /// <summary>The agent that answers: <c>echo</c>, or <c>openclaw</c> for the gateway's.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>How many characters a message may have.</summary>
    public int MaxText { get; set; } = 10_000;
}

/// <summary>Checks them: what is wrong stops the host's start, and each line names the key, the fault and an example.</summary>
public sealed class FolderOptionsCheck : IValidateOptions<FolderOptions>
{
    public ValidateOptionsResult Validate(string? name, FolderOptions options)
    {
        List<string> faults = [];
        if (string.IsNullOrWhiteSpace(options.Agent)) faults.Add($"{FolderOptions.Section}:Agent must name an agent. Example: {FolderOptions.Section}:Agent=echo");
        if (options.MaxText is < 1 or > 1_000_000) faults.Add($"{FolderOptions.Section}:MaxText must be 1 to 1000000. Example: {FolderOptions.Section}:MaxText=10000");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
