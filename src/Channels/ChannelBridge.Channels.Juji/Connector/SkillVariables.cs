using System.Globalization;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// The variables of the community's skill, from where the skill has them: the environment, <c>~/.juji/.env</c>, <c>~/.openclaw/.env</c>; or from one file of their
/// own.
/// </summary>
/// <param name="own">The file that is read and written.</param>
/// <param name="further">A file that is only read, behind it, or null.</param>
/// <param name="environment">Goes before both; null: nothing does.</param>
internal sealed class SkillVariables(EnvFile own, EnvFile? further, Func<string, string?>? environment)
{
    public const string BaseUrl = "JUJI_BASE_URL";
    public const string PublicKey = "JUJI_AGENT_PUBLIC_KEY";
    public const string PrivateKey = "JUJI_AGENT_PRIVATE_KEY";
    public const string Token = "JUJI_AGENT_TOKEN";
    public const string AgentId = "JUJI_AGENT_ID";
    public const string AgentName = "JUJI_AGENT_NAME";
    public const string WalletAddress = "JUJI_AGENT_WALLET_ADDRESS";
    public const string HeartbeatSeconds = "JUJI_SKILL_WS_HEARTBEAT_SEC";
    public const string BackoffMaxSeconds = "JUJI_SKILL_WS_BACKOFF_MAX_SEC";

    /// <summary>Where the variables are written.</summary>
    public string Path => own.Path;

    /// <summary>The skill's own.</summary>
    /// <param name="home">The user's folder; null: of the user of this process.</param>
    public static SkillVariables OfSkill(string? home = null)
    {
        home ??= Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return new SkillVariables(
            new EnvFile(System.IO.Path.Combine(home, ".juji", ".env")), new EnvFile(System.IO.Path.Combine(home, ".openclaw", ".env")), Environment.GetEnvironmentVariable);
    }

    /// <summary>Those of one file.</summary>
    public static SkillVariables OfFile(string path) => new(new EnvFile(path), null, null);

    /// <summary>A variable, or null.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">A file can't be read.</exception>
    public string? Get(string name)
    {
        if (environment?.Invoke(name) is { Length: > 0 } value) return value;
        return EnvText.Read(own.Read(), name) ?? (further is null ? null : EnvText.Read(further.Read(), name));
    }

    /// <summary>Writes variables to the file that is written.</summary>
    /// <exception cref="Abstractions.Errors.BridgeException">It can't be written.</exception>
    public void Save(IReadOnlyDictionary<string, string> values) => own.Save(values);

    /// <summary>The heartbeat as the script reads it: 25 s without a number, none at 0 and below.</summary>
    public double HeartbeatSecondsOrDefault()
    {
        if (Get(HeartbeatSeconds) is not { } text || text.AsSpan().Trim().IsEmpty) return 25;
        return Number(text) is { } seconds ? Math.Max(0, seconds) : 25;
    }

    /// <summary>The highest back-off as the script reads it: at least a second; null without a number.</summary>
    public double? BackoffMaxSecondsOrNull() => Get(BackoffMaxSeconds) is { } text && Number(text) is { } seconds ? Math.Max(seconds, 1) : null;

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number < 1e6 ? number : null;
}
