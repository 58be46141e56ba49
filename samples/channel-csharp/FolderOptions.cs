using ChannelBridge.Abstractions.Settings;

namespace FolderSample;

/// <summary>What stands under <c>Channels:Folder</c> of the host's configuration.</summary>
public sealed class FolderOptions
{
    /// <summary>The settings, with their checks and words: handed over with the channel, a host knows them without knowing the channel.</summary>
    public static ChannelSettings<FolderOptions> Settings { get; } = new ChannelSettings<FolderOptions>("Folder", keys => keys
            .Text("Path", o => o.Path, (o, v) => o.Path = SettingText.FullPath(v), "The folder in which `in` and `out` lie", "/srv/letters")
            .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers")
            .Duration("Settled", TimeSpan.Zero, TimeSpan.FromHours(1), o => o.Settled, (o, v) => o.Settled = v,
                "How long a file must have stayed as it is before it is taken")
            .Number("MaxText", 1, 1_000_000, o => o.MaxText, (o, v) => o.MaxText = (int)v, "How many characters a message may have that comes over HTTP or WebSocket"))
        .WithDefaults((options, reader) => options.Agent = reader.DefaultAgent);

    /// <summary>The folder in which <c>in</c> and <c>out</c> lie.</summary>
    public string Path { get; set; } = System.IO.Path.GetFullPath("folder-channel");

    /// <summary>The agent that answers: <c>echo</c>, or <c>openclaw</c> for the gateway's.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>How long a file must have stayed as it is before it is taken.</summary>
    public TimeSpan Settled { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many characters a message may have that comes over HTTP or WebSocket.</summary>
    public int MaxText { get; set; } = 10_000;
}
