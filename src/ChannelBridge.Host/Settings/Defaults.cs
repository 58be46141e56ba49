namespace ChannelBridge.Host.Settings;

/// <summary>Defaults that commands and settings share.</summary>
internal static class Defaults
{
    /// <summary>The own listener's address.</summary>
    public const string Url = "http://127.0.0.1:7788";

    /// <summary>The data folder as the documentation writes it.</summary>
    public const string DataDirectoryText = "~/.channelbridge";

    /// <summary>The first token's file in the data folder.</summary>
    public const string TokenFile = "token";

    /// <summary>The Unix socket in the data folder.</summary>
    public const string SocketFile = "channelbridge.sock";

    /// <summary>The store's file in the data folder.</summary>
    public const string DatabaseFile = "channelbridge.db";

    /// <summary>A token with fewer characters is refused.</summary>
    public const int SafeTokenLength = 16;

    /// <summary><c>~/.channelbridge</c>, or null where the user has no home.</summary>
    public static string? DataDirectory()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
        return string.IsNullOrEmpty(home) ? null : Path.Combine(home, ".channelbridge");
    }
}
