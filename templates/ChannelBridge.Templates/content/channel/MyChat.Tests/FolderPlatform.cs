using System.Text;
using ChannelBridge.Plugins.Testing;

namespace MyChat.Tests;

/// <summary>The platform as the tests stand in for it: a folder. With <see cref="PlatformTraits"/> it says what else it could do; what it can't isn't asked.</summary>
internal sealed class FolderPlatform : IPlatform
{
    private string _data = "";

    public string Channel => "mychat";

    public string Account => "Main";

    public PlatformTraits Traits => PlatformTraits.Repeats;

    public IReadOnlyList<PlatformMessage> Heard =>
        [.. new DirectoryInfo(Path.Combine(_data, "out")).GetFiles("*.txt").Select(file => new PlatformMessage(File.ReadAllText(file.FullName), file.LastWriteTimeUtc.Ticks))];

    public async Task AttachAsync(ChannelHost host, CancellationToken cancellationToken)
    {
        _data = host.Data;
        while (!Directory.Exists(Path.Combine(_data, "out"))) await Task.Delay(10, cancellationToken);
    }

    public async Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_data, "in", $"{conversation}.{id}.txt");
        // Not WriteAllText: what people send isn't always sound UTF-16.
        await File.WriteAllBytesAsync(file + ".part", Encoding.UTF8.GetBytes(text), cancellationToken);
        File.Move(file + ".part", file, overwrite: true);
        // The next one of the conversation comes when this one was taken: files of one moment have no order.
        while (File.Exists(file)) await Task.Delay(10, cancellationToken);
    }

    public void RefuseNext(bool forGood) => throw new NotSupportedException("a folder refuses nothing");

    public void Block(bool blocked) => throw new NotSupportedException("a folder takes everything");
}
