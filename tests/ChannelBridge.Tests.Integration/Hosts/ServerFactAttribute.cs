namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>A test that needs the PostgreSQL server of <see cref="Variable"/>: skipped without one, but in CI, where nothing is skipped, it fails.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServerFactAttribute : FactAttribute
{
    /// <summary>The environment variable with the connection string, e.g. <c>Host=127.0.0.1;Username=postgres</c>.</summary>
    public const string Variable = "CHANNELBRIDGE_TEST_POSTGRES";

    public ServerFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("CI") != "true" && string.IsNullOrEmpty(Server)) Skip = $"{Variable} isn't set: no server to test with.";
    }

    /// <summary>The connection string; empty when there is none.</summary>
    public static string Server => Environment.GetEnvironmentVariable(Variable) ?? "";
}
