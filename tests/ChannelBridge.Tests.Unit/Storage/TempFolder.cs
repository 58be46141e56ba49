namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>A folder of a test's own, removed with its contents.</summary>
public sealed class TempFolder
{
    public string Path { get; } = Scratch.NewFolder("channelbridge-test-");

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Remove() => Directory.Delete(Path, recursive: true);
}
