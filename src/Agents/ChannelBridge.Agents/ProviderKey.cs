using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Agents;

/// <summary>Reads an agent's key where it is used, so that it stands in no configuration, and a new one counts from the next turn on.</summary>
internal static class ProviderKey
{
    private const int MaxLength = 16 * 1024;

    /// <summary>The key, or null when the agent has none.</summary>
    /// <exception cref="BridgeException">The file or the variable that should hold it doesn't.</exception>
    public static string? Read(ProviderOptions options)
    {
        string? key;
        string source;
        if (options.KeyFile is { } file)
        {
            source = $"the key file {file}";
            try
            {
                key = File.ReadLines(file).FirstOrDefault()?.Trim();
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw Refuse(options, $"{source} can't be read", fault);
            }
        }
        else if (options.KeyVariable is { } variable)
        {
            source = $"the environment variable {variable}";
            key = Environment.GetEnvironmentVariable(variable)?.Trim();
        }
        else
        {
            return null;
        }

        if (string.IsNullOrEmpty(key)) throw Refuse(options, $"{source} holds no key", null);
        // Anything else can't stand in a header; the message must not repeat it.
        if (key.Length > MaxLength || key.Any(c => c is <= ' ' or > '~')) throw Refuse(options, $"{source} holds characters that a key can't have", null);
        return key;
    }

    private static BridgeException Refuse(ProviderOptions options, string what, Exception? fault) =>
        new(AgentErrorCodes.KeyRefused, $"The agent '{options.Name}' has no usable key: {what}; see Agents:{options.Name}:KeyFile and KeyVariable.", fault);
}
