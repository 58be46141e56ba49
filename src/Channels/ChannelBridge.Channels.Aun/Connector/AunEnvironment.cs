namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The variables by which the SDKs know a developer's machine: <c>AUN_ENV</c>, then <c>KITE_ENV</c>.</summary>
internal static class AunEnvironment
{
    /// <summary>True: the certificates of TLS servers aren't checked. Those of the PKI always are.</summary>
    public static bool IsDevelopment(Func<string, string?>? read = null)
    {
        read ??= Environment.GetEnvironmentVariable;
        var word = read("AUN_ENV") is { Length: > 0 } aun ? aun : read("KITE_ENV");
        return word?.Trim().ToLowerInvariant() is "development" or "dev" or "local";
    }
}
